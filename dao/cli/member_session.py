"""Opens the way by which a member acts, the API where one is named, else its own account, and takes a step by it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from dao.cli.chain_options import DEPLOYMENT_DEFAULT, Paying, expanded, paying
from dao.cli.member import Found, Outcome, Way, agree, finish, words_of

if TYPE_CHECKING:
    from dao.cli.paid_member import PaidMember

W = TypeVar("W", bound=Way)


@asynccontextmanager
async def acting(api: str | None, rpc: str, deployment: Path, account: Paying) -> AsyncIterator[Way]:
    """Open the way that was chosen: the API's when it is named."""
    if api is not None:
        from dao.cli.relayed_member import relayed

        expected = None if deployment == DEPLOYMENT_DEFAULT else expanded(deployment)
        async with relayed(api, expected, account) as way:
            yield way
    else:
        async with own(rpc, deployment, account) as own_way:
            yield own_way


@asynccontextmanager
async def own(rpc: str, deployment: Path, account: Paying) -> AsyncIterator["PaidMember"]:
    """Open the way of an account that pays."""
    from dao.cli.paid_member import PaidMember

    async with paying(rpc, deployment, account) as (chain, sender):
        yield PaidMember(chain, sender)


def decide(
    way: AbstractAsyncContextManager[W],
    proposal: str,
    heading: str,
    act: Callable[[W, Found], Awaitable[Outcome]],
    *,
    note: Callable[[W, Found], Awaitable[list[str]]] | None = None,
    yes: bool,
    json: bool,
) -> None:
    """Do something about a proposal: say under `heading` ("{}" is its title) what it would do, ask, act, print.

    `note` gives what is to be said besides, or raises RuleError where the act would come to nothing.
    """

    async def run() -> Outcome:
        async with way as opened:
            found = await opened.find(proposal)
            words = await words_of(found.actions, opened.deployment, opened.rules)
            notes = await note(opened, found) if note is not None else []
            agree([heading.format(f"“{found.title}”"), *(f"- {line}" for line in words), *notes], yes)
            return {"proposal": str(found.number), **await act(opened, found)}

    finish(run, json)
