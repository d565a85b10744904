"""What the commands of members share: by which way they act, what they are asked before they sign, what is printed."""

import asyncio
import select
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, Protocol

import typer

from dao.chain.deployment import Deployment
from dao.chain.governance import Actions, Support
from dao.cli.output import print_fields, print_json
from dao.core.errors import ConfigError, Refused, Reverted
from dao.core.types import Address, Rules, TaskId, Wei
from dao.gov.actions import ChangeRules, decode, proposal_id
from dao.gov.describe import describe

if TYPE_CHECKING:
    from dao.gov.actions import Action
    from dao.gov.drafts import Draft

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
_LOOK = 0.1  # seconds between looks whether to stop asking


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

    async def votes(self, found: Found) -> Wei:
        """What the account's vote counts; RuleError where it has none, has voted, or voting is over."""
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
        if not _confirmed("Sign this? [y/N]: "):
            raise typer.Abort
    finally:
        signal.signal(signal.SIGINT, before)


def _confirmed(question: str) -> bool:
    """Ask until the answer is yes or no; the end of what is typed, and nothing, are no."""
    answers = {"y": True, "yes": True, "n": False, "no": False, "": False}
    while True:
        typer.echo(question, nl=False, err=True)
        # a Ctrl-C just before a read that blocks would be heeded only after it
        while not select.select([sys.stdin], [], [], _LOOK)[0]:
            pass
        answer = sys.stdin.readline().strip().lower()
        if answer in answers:
            return answers[answer]


def _stopped(*_: object) -> NoReturn:
    typer.echo("\ndao: stopped; nothing was signed", err=True)
    raise typer.Exit(130)


async def words_of(
    actions: Actions, deployment: Deployment, rules: Callable[[TaskId], Awaitable[Rules]] | None
) -> list[str]:
    """A sentence for each call of a proposal; `rules` gives those of a task, where what is to change is still to come."""
    calls = zip(actions.targets, actions.values, actions.calldatas, strict=True)
    kinds, current = [decode(*call, deployment) for call in calls], {}
    for action in kinds:
        if isinstance(action, ChangeRules) and rules is not None:
            with suppress(Reverted, Refused):  # there is no such task
                current[action.task] = await rules(action.task)
    return [describe(action, deployment, current) for action in kinds]


def finish(act: Callable[[], Coroutine[Any, Any, Mapping[str, object]]], json: bool) -> None:
    """Run an act to its end and print what came of it."""
    (print_json if json else print_fields)(asyncio.run(act()))


def plain(text: str) -> str:
    """A text of others on one line, without what a terminal would obey."""
    return "".join(char if char.isprintable() else " " for char in text)
