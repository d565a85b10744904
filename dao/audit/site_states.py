"""Says of each site of a task whether its round waits for it, and what it did last, with the reason that it let out."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from dao.audit.task_waits import read_newest
from dao.chain.block_clock import format_time
from dao.chain.client import Chain
from dao.chain.contracts import Coordinator
from dao.chain.rounds import RoundReader
from dao.core import round_machine as machine
from dao.core.commits import FAILED
from dao.core.formats.manifest import Manifest
from dao.core.types import Phase, RoundId, RoundState, Rules, TaskId, hex_of
from dao.gov.card_words import shorten
from dao.store.source import Source


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


async def read_sites(chain: Chain, task: TaskId, source: Source) -> list[SiteState]:
    """Read the state of each site, by its Supernode's address; Missing where no source has the newest manifest."""
    newest = await read_newest(chain, task, source)
    sites = {} if newest is None else {site.node: site for site in _list_settled(newest[0])}
    at, coordinator = chain.final(), Coordinator(chain)
    last = (await coordinator.task_of(task, at)).last_round
    if not last:
        return []
    state = await coordinator.round_of(task, last, at)
    if state.phase in (Phase.OPEN, Phase.CLOSED):
        rules = await coordinator.rules_of_round(task, last, at)
        reader = RoundReader(chain, task)
        events = await reader.events_of(last, at)
        forced = {hex_of(event.node) for event in events.forced}
        for node in map(hex_of, await reader.owners_of(events.opened)):
            why = _explain_wait(rules, state, is_forced=node in forced)
            if before := sites.get(node):
                why += f"; in round {before.round} {before.standing}: {before.why}"
            sites[node] = SiteState(node, SiteStanding.WAITING, last, why)
    return [site for _, site in sorted(sites.items())]


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
