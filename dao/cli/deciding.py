"""What the commands of members share: by which way they act, what they are asked before they sign, what is printed."""

import asyncio
import signal
import sys
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, Protocol

import typer

from dao.chain.deployment import Deployment
from dao.chain.governance import Actions, Support
from dao.cli.output import print_fields, print_json
from dao.core.errors import ConfigError
from dao.core.types import Address, Rules, TaskId
from dao.gov.actions import decode, proposal_id
from dao.gov.words import describe

if TYPE_CHECKING:
    from dao.api.drafts import Draft
    from dao.gov.actions import Action

ApiOption = Annotated[
    str | None,
    typer.Option(
        "--api",
        envvar="COMMONWEIGHT_API_URL",
        help="Act through the API at this address, which pays the gas: https://dao.example. Without, the account pays.",
    ),
]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Sign without asking.")]
ProposalArgument = Annotated[
    str,
    typer.Argument(metavar="PROPOSAL", help="The proposal's number, or first digits that no other one has."),
]
Outcome = dict[str, object]
_NEVER = 2**37  # seconds
_WHEN = {
    "vote": ("active", "votes are cast while it is active"),
    "queue": ("succeeded", "it is queued once it has succeeded"),
    "execute": ("queued", "it is executed once it is queued"),
    "cancel": ("pending", "its proposer may withdraw it before voting begins"),
}
_OVER = ("defeated", "canceled", "expired", "executed")  # nothing follows these


@dataclass(frozen=True)
class Found:
    """A proposal that is there; its number binds the rest."""

    number: int
    actions: Actions
    description: str

    @property
    def title(self) -> str:
        """The first line of its description, fit to be printed."""
        lines = (line.strip().lstrip("#").strip() for line in self.description.splitlines())
        return plain(next((line for line in lines if line), "untitled"))[:200]

    @property
    def is_whole(self) -> bool:
        """Whether actions and description are those of the number."""
        return proposal_id(self.actions, self.description) == self.number


class Way(Protocol):
    """How a member acts: with transactions of its own, or with signatures that the API's relayer sends.

    Each act waits until it is in the chain, and tells its transaction.
    """

    account: Address
    deployment: Deployment

    async def find(self, text: str) -> Found:
        """A proposal by its number or the first digits of it; ConfigError when none or several have them."""
        ...

    async def rules(self, task: TaskId) -> Rules:
        """The rules of a task's next round."""
        ...

    async def holds(self, contract: str) -> bool:
        """Whether the account has tokens ("token") or stake ("registry")."""
        ...

    async def delegate(self, contract: str, to: Address) -> Outcome:
        """Let the account's tokens or stake vote by another."""
        ...

    async def vote(self, found: Found, support: Support, reason: str) -> Outcome:
        """Vote."""
        ...

    async def draft(self, title: str, text: str, actions: "Sequence[Action]") -> "Draft":
        """What a proposal would do, and what would go wrong."""
        ...

    async def propose(self, draft: "Draft") -> Outcome:
        """Propose."""
        ...

    async def queue(self, found: Found) -> Outcome:
        """Put an accepted proposal into the timelock."""
        ...

    async def execute(self, found: Found) -> Outcome:
        """Carry out a queued proposal."""
        ...


def not_now(act: str, state: str, eta: int | None, now: int) -> str | None:
    """Why a proposal cannot be voted on, queued or executed ("vote", "queue", "execute") now; None when it can."""
    needed, words = _WHEN[act]
    if act == "execute" and state == "executed":
        return "the proposal was executed already"
    if state != needed:
        return f"the proposal is {state}; {words}"
    if act == "execute" and eta is not None and eta > now:
        return f"the proposal is in the timelock until {moment(eta)}; it is executed from then on"
    return None


def is_over(act: str, state: str) -> bool:
    """Whether the time to queue or execute a proposal is past, whatever happens."""
    return state in _OVER or (act == "queue" and state == "queued")


def moment(seconds: int) -> str:
    """A Unix time as people write it."""
    return (
        datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        if seconds < _NEVER
        else "never"
    )


def agree(words: Iterable[str], yes: bool) -> None:
    """Say what is about to be signed, and ask whether to; ConfigError when there is nobody to ask."""
    for line in words:
        typer.echo(plain(line), err=True)
    if yes:
        return
    if not sys.stdin.isatty():
        raise ConfigError("nothing was signed: expected --yes, or a terminal to ask at")
    # the event loop would heed Ctrl-C only once there is an answer
    before = signal.signal(signal.SIGINT, _stopped)
    try:
        typer.confirm("Sign this?", abort=True, err=True)
    finally:
        signal.signal(signal.SIGINT, before)


def _stopped(*_: object) -> NoReturn:
    typer.echo("\ndao: stopped; nothing was signed", err=True)
    raise typer.Exit(130)


def words_of(actions: Actions, deployment: Deployment) -> list[str]:
    """A sentence for each call of a proposal."""
    calls = zip(actions.targets, actions.values, actions.calldatas, strict=True)
    return [f"- {describe(decode(*call, deployment), deployment)}" for call in calls]


def finish(act: Callable[[], Coroutine[Any, Any, Mapping[str, object]]], json: bool) -> None:
    """Run an act to its end and print what came of it."""
    (print_json if json else print_fields)(asyncio.run(act()))


def plain(text: str) -> str:
    """A text of others on one line, without what a terminal would obey."""
    return "".join(char if char.isprintable() else " " for char in text)
