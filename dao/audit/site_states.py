"""Says of each site of a task whether its round waits for it, and what it did last, with the reason that it let out."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from dao.audit.look_back import EndReader
from dao.audit.task_waits import read_newest
from dao.chain.block_clock import format_time
from dao.chain.blocks import BlockRef
from dao.chain.client import Chain
from dao.chain.contracts import Coordinator
from dao.chain.rounds import RoundReader
from dao.core import round_machine as machine
from dao.core.commits import FAILED
from dao.core.formats.manifest import Manifest
from dao.core.types import NO_ROUND, Phase, RoundId, RoundState, Rules, TaskId, hex_of
from dao.gov.card_words import shorten
from dao.store.source import Source

_ENDINGS: Mapping[Phase, str] = {Phase.ABORTED: "was aborted", Phase.VOID: "was voided"}


class SiteStanding(StrEnum):
    """Where a site is in a round."""

    WAITING = "waiting"  # for its commit, or for the result of what it committed
    COUNTED = "counted"
    PASSING = "passing"
    FAILED = "failed"  # it had committed and its update is not counted, or it said nothing


@dataclass(frozen=True, slots=True)
class SiteState:
    """A site, by its Supernode, in a task's newest round; `why` has its last reason."""

    node: str
    standing: SiteStanding
    round: RoundId
    why: str


@dataclass(frozen=True, slots=True)
class TaskSites:
    """The sites of a task, by their Supernodes' addresses, with its newest round, 0 without one, and the phase of that.

    `ended`: why its card lets no further round open, as EndReader says it.
    """

    round: RoundId = NO_ROUND
    phase: Phase = Phase.NONE
    sites: Sequence[SiteState] = ()
    ended: str = ""

    @property
    def news(self) -> str:
        """What the sites do not say: that the newest round came to nothing, so that they are as the result before it has them, and `ended`."""
        lost = f"round {self.round} {_ENDINGS[self.phase]}" if self.phase in _ENDINGS else ""
        return "; ".join(filter(None, (lost, self.ended)))


class SiteReader:
    """Reads the sites of one task; each reading goes on from where the last one ended."""

    def __init__(self, chain: Chain, task: TaskId, source: Source) -> None:
        self._chain, self._task, self._source = chain, task, source
        self._coordinator, self._rounds = Coordinator(chain), RoundReader(chain, task)
        self._end = EndReader(chain, task, source)
        self._newest: tuple[Manifest, RoundState] | None = None

    async def read(self) -> TaskSites:
        """Read the state of each site at the chain's final block.

        Missing where no source has the newest manifest, DecodeError where that is malformed.
        """
        at = self._chain.final()
        task = await self._coordinator.task_of(self._task, at)
        last = task.last_round
        if not last:
            return TaskSites()
        newest = await self._read_newest(task.head, at)
        sites = {} if newest is None else {site.node: site for site in _list_settled(newest[0])}
        state = await self._coordinator.round_of(self._task, last, at)
        if state.phase in (Phase.OPEN, Phase.CLOSED):
            sites |= await self._read_waiting(last, state, sites, at)
        ended = await self._end.explain_end(newest and newest[0], at)
        return TaskSites(last, state.phase, [site for _, site in sorted(sites.items())], ended)

    async def _read_newest(self, head: RoundId, at: BlockRef) -> tuple[Manifest, RoundState] | None:
        """Read the newest result's manifest, where it is not the one that was read before."""
        state = await self._coordinator.round_of(self._task, head, at)
        if self._newest is None or self._newest[1].result_hash != state.result_hash:
            self._newest = await read_newest(self._chain, self._task, self._source, at)
        return self._newest

    async def _read_waiting(
        self, last: RoundId, state: RoundState, sites: Mapping[str, SiteState], at: BlockRef
    ) -> dict[str, SiteState]:
        """Return the members of a round that has no result yet, with what they did in the one before."""
        rules = await self._coordinator.rules_of_round(self._task, last, at)
        events = await self._rounds.events_of(last, at)
        forced = {hex_of(event.node) for event in events.forced}
        waiting: dict[str, SiteState] = {}
        for node in map(hex_of, await self._rounds.owners_of(events.opened)):
            why = _explain_wait(rules, state, is_forced=node in forced)
            if before := sites.get(node):
                why += f"; in round {before.round} {before.standing}: {before.why}"
            waiting[node] = SiteState(node, SiteStanding.WAITING, last, why)
        return waiting


def _explain_wait(rules: Rules, state: RoundState, *, is_forced: bool) -> str:
    if state.phase is Phase.CLOSED:
        return f"the round's result is due until {format_time(machine.compute_result_deadline(rules, state))}"
    until = format_time(machine.compute_commit_deadline(rules, state))
    return (
        f"its commit is on chain; commits close until {until}"
        if is_forced
        else f"its commit is due until {until}"
    )


def _list_settled(manifest: Manifest) -> Iterator[SiteState]:
    """Yield what came of each node in a round that has a result."""
    for node in manifest.nodes:
        standing = SiteStanding.FAILED if node.status in FAILED else SiteStanding.COUNTED
        yield SiteState(hex_of(node.node), standing, manifest.round, shorten(node.reason))
    for standing, silent in ((SiteStanding.PASSING, manifest.passes), (SiteStanding.FAILED, manifest.absent)):
        for one in silent:
            yield SiteState(hex_of(one.node), standing, manifest.round, shorten(one.reason))
