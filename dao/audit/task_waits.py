"""Says whom a task's newest round waits for, as the chain has it, and who was missing in its newest result."""

from dataclasses import dataclass

from dao.audit.evidence import read_manifest
from dao.chain.block_clock import format_time
from dao.chain.blocks import BlockRef
from dao.chain.client import Chain
from dao.chain.contracts import Coordinator
from dao.chain.rounds import RoundReader
from dao.core import round_machine as machine
from dao.core.commits import FAILED
from dao.core.formats.manifest import Manifest
from dao.core.types import Phase, RoundId, RoundState, Rules, TaskId, Timestamp, hex_of
from dao.store.source import Source

UNHEARD = "it is not on chain; whether the Superlink has it, `dao superlink status` says"


@dataclass(frozen=True, slots=True)
class TaskWait:
    """Whom a round waits for, and for what; times are block times in Unix seconds."""

    round: RoundId
    who: str
    awaited: str
    since: Timestamp
    until: Timestamp
    why: str

    def __str__(self) -> str:
        since, until = format_time(self.since), format_time(self.until)
        return f"round {self.round} awaits the {self.awaited} of {self.who} since {since}, until {until}: {self.why}"


@dataclass(frozen=True, slots=True)
class MissingNode:
    """A Supernode that was missing in a round, or sat it out, or whose update was missing; `since` as in TaskWait."""

    round: RoundId
    node: str
    status: str
    since: Timestamp
    why: str

    def __str__(self) -> str:
        return f"round {self.round} missed {self.node} since {format_time(self.since)}: {self.status}; {self.why}"


async def read_waits(chain: Chain, task: TaskId) -> list[TaskWait]:
    """Read whom the newest round of a task waits for; nobody where it is decided, or there is none."""
    at, coordinator = chain.final(), Coordinator(chain)
    last = (await coordinator.task_of(task, at)).last_round
    if not last:
        return []
    state, rules = (
        await coordinator.round_of(task, last, at),
        await coordinator.rules_of_round(task, last, at),
    )
    superlink, since = hex_of(rules.superlink), state.closed_at or state.opened_at
    match state.phase:
        case Phase.OPEN:
            return await _list_commits(chain, task, last, state, rules, at)
        case Phase.CLOSED:
            until = machine.compute_result_deadline(rules, state)
            why = f"{state.commits} commits are closed; whose update came is known with the result"
            return [TaskWait(last, superlink, "result", since, until, why)]
        case Phase.POSTED:
            until = machine.compute_challenge_deadline(rules, state)
            why = "the result stands unless someone proves it wrong or challenges it; then anyone may finalize it"
            return [TaskWait(last, "time", "end", state.posted_at, until, why)]
        case Phase.FROZEN:
            until = machine.compute_resolve_deadline(rules, state)
            why = "the result is challenged; undecided, it is void"
            return [TaskWait(last, "the DAO", "decision", state.posted_at, until, why)]
    return []


async def _list_commits(
    chain: Chain, task: TaskId, number: RoundId, state: RoundState, rules: Rules, at: BlockRef
) -> list[TaskWait]:
    reader = RoundReader(chain, task)
    events = await reader.events_of(number, at)
    forced = {event.node for event in events.forced}
    members = await reader.owners_of(events.opened)
    until = machine.compute_commit_deadline(rules, state)
    return [
        TaskWait(number, hex_of(node), "commit", state.opened_at, until, UNHEARD)
        for node in sorted(members)
        if node not in forced
    ]


async def read_newest(
    chain: Chain, task: TaskId, source: Source, at: BlockRef
) -> tuple[Manifest, RoundState] | None:
    """Read the newest round whose result stands at a block; None where there is none.

    Missing where no source has its manifest, DecodeError where that is malformed.
    """
    coordinator = Coordinator(chain)
    head = (await coordinator.task_of(task, at)).head
    if not head:
        return None
    events = await RoundReader(chain, task).events_of(head, at)
    state = await coordinator.round_of(task, head, at)
    if events.posted is None:
        return None
    return await read_manifest(source, events.posted.result.manifest_digest), state


async def read_missing(chain: Chain, task: TaskId, source: Source) -> list[MissingNode]:
    """Read who was missing in the newest round whose result stands, as `read_newest` reads it; nobody where there is none."""
    newest = await read_newest(chain, task, source, chain.final())
    return [] if newest is None else list_missing(*newest)


def list_missing(manifest: Manifest, state: RoundState) -> list[MissingNode]:
    """List who was missing in a round."""
    number = manifest.round
    silent = [
        MissingNode(number, hex_of(node.node), status, state.opened_at, node.reason)
        for status, nodes in (("absent", manifest.absent), ("passed", manifest.passes))
        for node in nodes
    ]
    missed = [
        MissingNode(number, hex_of(node.node), str(node.status), state.closed_at, node.reason)
        for node in manifest.nodes
        if node.status in FAILED
    ]
    return sorted([*silent, *missed], key=lambda one: one.node)
