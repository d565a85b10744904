"""The options of a member's commands; opens the member, by an API or by its own account, and runs one act."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from dao.cli.chain_options import (
    DEPLOYMENT_DEFAULT,
    ChainOptions,
    PayingAccount,
    absolute,
    open_sender,
)
from dao.cli.confirmation import require_consent
from dao.cli.dao_member import DaoMember, Outcome, PublishedProposal
from dao.cli.options import ApiOption, JsonOption
from dao.cli.output import print_fields, print_json
from dao.errors import ConfigError
from dao.gov.actions import compute_proposal_id
from dao.gov.describe import describe_calls
from dao.gov.texts import TITLE_BYTES, check_size

if TYPE_CHECKING:
    from dao.cli.paid_member import PaidMember
    from dao.gov.drafts import Draft

M = TypeVar("M", bound=DaoMember)
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Sign without asking.")]
ProposalArgument = Annotated[
    str,
    typer.Argument(metavar="PROPOSAL", help="The proposal's number, or first digits that no other one has."),
]


@dataclass(frozen=True, kw_only=True)
class MemberOptions:
    """How a member acts: through which API or network, with which account, asked or not, printed how."""

    api: ApiOption = None
    network: ChainOptions
    account: PayingAccount
    yes: YesOption = False
    json: JsonOption = False


@asynccontextmanager
async def open_member(options: MemberOptions) -> AsyncIterator[DaoMember]:
    """Open a member that acts through the API where one is named, else with transactions of its account."""
    if options.api is None:
        async with open_paid_member(options) as paid:
            yield paid
        return
    from dao.cli.relayed_member import open_relayed_member

    deployment = options.network.deployment
    expected = None if deployment == DEPLOYMENT_DEFAULT else absolute(deployment)
    async with open_relayed_member(options.api, expected, options.account) as relayed:
        yield relayed


@asynccontextmanager
async def open_paid_member(options: MemberOptions) -> AsyncIterator["PaidMember"]:
    """Open a member that pays for its own transactions."""
    from dao.cli.paid_member import PaidMember

    async with open_sender(options.network, options.account) as (chain, sender):
        yield PaidMember(chain, sender)


def check_title(title: str) -> None:
    """Check a proposal's title: ConfigError unless it is one line, DecodeError where that is too long."""
    if not title or "\n" in title:
        raise ConfigError("--title: expected one line")
    check_size("--title", title, TITLE_BYTES)


async def sign_proposal(
    member: DaoMember, draft: "Draft", heading: str, options: MemberOptions, notes: Iterable[str] = ()
) -> Outcome:
    """Show under `heading` some notes, and what a draft would do and risk; ask, propose it, return its number and outcome."""
    lines = [f"- {line}" for line in (*notes, *draft.words)]
    warnings = [f"WARNING: {line}" for line in draft.warnings]
    require_consent([heading, *lines, *warnings], options.yes)
    number = compute_proposal_id(draft.actions, draft.description)
    return {"proposal": str(number), **await member.propose(draft)}


def run(act: Callable[[], Coroutine[Any, Any, Mapping[str, object]]], json: bool) -> None:
    """Run an act to its end and print its outcome."""
    (print_json if json else print_fields)(asyncio.run(act()))


def run_on_proposal(
    opening: AbstractAsyncContextManager[M],
    number: str,
    heading: str,
    act: Callable[[M, PublishedProposal], Awaitable[Outcome]],
    options: MemberOptions,
    *,
    note: Callable[[M, PublishedProposal], Awaitable[list[str]]] | None = None,
) -> None:
    """Act on a proposal: show under `heading` ("{}" is its title) what it would do, ask, act, print the outcome.

    `note` gives further lines to show, or raises RuleError where the act would come to nothing.
    """

    async def act_on_it() -> Outcome:
        async with opening as member:
            proposal = await member.find(number)
            words = await describe_calls(proposal.actions, member.deployment, member.rules)
            notes = await note(member, proposal) if note is not None else []
            require_consent(
                [heading.format(f"“{proposal.title}”"), *(f"- {line}" for line in words), *notes], options.yes
            )
            return {"proposal": str(proposal.number), **await act(member, proposal)}

    run(act_on_it, options.json)
