"""Keeps the content of a task's rounds while somebody needs it, and drops what nobody does.

Needed are rounds that are neither final nor void, the head, the newest final round, and as many decided rounds with a
result as the operator asks for; the shards that the newest rounds have shown, on which members train; app, first model and
manifests for good. A round needs all that an audit of it reads, so its base model and the one before. A content is dropped
when the last round that needs it is.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from aggregator.round_contents import FOR_GOOD, RoundContents, Use
from dao.core.constants import PUBLIC_ROUNDS
from dao.core.engine.backend import get_step_codec
from dao.core.formats.cid import Cid
from dao.core.formats.gradient import compute_gradient_size
from dao.core.formats.layout import Layout, compute_model_size
from dao.core.formats.update import compute_update_size
from dao.core.round_machine import UNDECIDED
from dao.core.types import NO_ROUND, Codec, Digest, Phase, RoundId, TaskId
from dao.runtime.failpoint import failpoint
from dao.store.cid import digest_of_content
from dao.store.layered import LayeredStore

ReadPhases = Callable[[Sequence[RoundId]], Awaitable[Mapping[RoundId, Phase]]]
_WITH_RESULT = (Phase.FINALIZED, Phase.VOID)


@dataclass(frozen=True, slots=True)
class Kept:
    """What a store keeps of a task: its rounds, rising; the bytes of these, of other shards shown, and of what is for good."""

    rounds: Sequence[RoundId]
    round_bytes: int
    shard_bytes: int
    good_bytes: int


class Retention:
    """Records what each round of a task needs, and sweeps a store and its replicas of the rest."""

    def __init__(
        self,
        task: TaskId,
        contents: RoundContents,
        store: LayeredStore,
        keep_rounds: int | None,
        report: Callable[..., None],
    ) -> None:
        """`keep_rounds`: decided rounds to keep, None for all; `report` takes events, as `StatusStream.emit` does."""
        self._task, self._contents, self._store = task, contents, store
        self._keep, self._report = keep_rounds, report
        self._decided: dict[RoundId, Phase] = {}
        self._round = FOR_GOOD
        self._sweeping = asyncio.Lock()

    def begin(self, round_id: RoundId, *inherited: Cid, parent: RoundId = NO_ROUND) -> None:
        """Take what is noted from now on for a round's, whose base is `inherited`.

        That is its parent's too, of which a Superlink that lost its disk has no record.
        """
        self._round = round_id
        for needs in (round_id, parent) if parent else (round_id,):
            self._contents.add(self._task, needs, [cid.digest for cid in inherited])

    def note(self, content: Cid) -> None:
        """Record that the round which began last needs a content."""
        self._contents.add(self._task, self._round, [content.digest])

    def note_shard(self, content: Cid) -> None:
        """Record that the round which began last shows this shard: it needs that, and so do members in the rounds after it."""
        self.note(content)
        self._contents.add(self._task, self._round, [content.digest], Use.TRAINING)

    def note_for_good(self, content: Cid | Digest) -> None:
        """Record that a content is never to be dropped."""
        self._contents.add(self._task, FOR_GOOD, [digest_of_content(content)])

    def note_arriving(self, round_id: RoundId, content: Cid) -> None:
        """Record that a round needs what a member is about to send, unless that is here already and no round's.

        A member may name whatever lies in the store as its update: it must not become the round's to drop.
        """
        if self._contents.count(content.digest) or not self._store.local.path_of(content).exists():
            self._contents.add(self._task, round_id, [content.digest])

    async def sweep(self, head: RoundId, read_phases: ReadPhases) -> int:
        """Drop what no round needs any more, of a task with this head; return the number of rounds dropped.

        `read_phases` returns the phases of rounds. A content that a replica did not let go of stays recorded, and is
        tried again by the next sweep.
        """
        if self._keep is None:
            return 0
        async with self._sweeping:
            rounds = self._contents.rounds(self._task)
            phases = await read_phases([r for r in rounds if r not in self._decided])
            self._decided |= {
                r: phase for r, phase in phases.items() if phase not in (*UNDECIDED, Phase.NONE)
            }
            known = {r: self._decided.get(r) or phases[r] for r in rounds}
            spent = find_spent(known, head, self._keep)
            oldest = max(rounds, default=0) - PUBLIC_ROUNDS  # that the newest round's members train on
            shown = [r for r in self._contents.rounds(self._task, Use.TRAINING) if r < oldest]
            freed = [await self._drop(round_id, Use.AUDIT) for round_id in spent]
            freed += [await self._drop(round_id, Use.TRAINING) for round_id in shown]
            if any(freed):
                self._report("dropped", rounds=[*spent], bytes=sum(freed))
            return len(spent)

    async def _drop(self, round_id: RoundId, use: Use) -> int:
        """Drop what is needed for this alone, then its records: killed in between, the next sweep goes on. Returns bytes."""
        freed = 0
        for digest in self._contents.contents_of(self._task, round_id, use):
            if self._contents.count(digest) == 1:  # none comes between this and the content's end on the disk
                path = self._store.local.path_of(digest)
                size = path.stat().st_size if path.exists() else 0
                failpoint("superlink-dropping")
                if not await self._release(digest):
                    continue
                freed += size
                failpoint("superlink-dropped")
            self._contents.remove(self._task, round_id, digest, use)
        return freed

    async def _release(self, digest: Digest) -> bool:
        """Unpin and delete a content everywhere; False when that is to be tried again."""
        local = self._store.local
        content = await local.resolve(digest) if local.path_of(digest).exists() else digest
        await local.discard(digest)
        if self._store.replicas and not await self._store.unpin(content):
            return False
        if self._contents.count(digest) > 1 and local.path_of(digest).exists():
            await self._store.pin(digest)  # a round has brought the same again meanwhile
        return True

    def measure(self) -> Kept:
        """Return what the store has now. Blocks."""
        return measure_kept(self._task, self._contents, self._store.local.path_of)


def find_spent(phases: Mapping[RoundId, Phase], head: RoundId, keep: int | None) -> list[RoundId]:
    """Return the rounds whose content nobody needs, by the phases of all that have some; `keep` None keeps all.

    Nothing can be audited of an aborted round.
    """
    if keep is None:
        return []
    final = max((r for r, phase in phases.items() if phase is Phase.FINALIZED), default=head)
    settled = sorted(r for r, phase in phases.items() if phase in _WITH_RESULT)
    spent = {*settled[: max(0, len(settled) - keep)]} - {head, final}
    return sorted(spent | {r for r, phase in phases.items() if phase is Phase.ABORTED})


def measure_kept(task: TaskId, contents: RoundContents, path_of: Callable[[Digest], Path]) -> Kept:
    """Return what is kept of a task and its size on the disk, each content counted once. Blocks."""
    rounds = contents.rounds(task)
    for_good = set(contents.contents_of(task, FOR_GOOD))
    of_rounds = {digest for r in rounds for digest in contents.contents_of(task, r)} - for_good
    shown = contents.rounds(task, Use.TRAINING)
    shards = {digest for r in shown for digest in contents.contents_of(task, r, Use.TRAINING)}
    parts = (of_rounds, shards - of_rounds - for_good, for_good)
    return Kept(rounds, *(sum(map(_size, map(path_of, part))) for part in parts))


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def estimate_round(layout: Layout, codec: Codec, members: int, shard: int) -> int:
    """Return the bytes that a round adds: a model, its step, two gradients, a shard of so many bytes, every member's update."""
    update, step = compute_update_size(layout, codec), compute_update_size(layout, get_step_codec(codec))
    return (
        compute_model_size(layout)
        + 2 * compute_gradient_size(layout.scored_values)
        + shard
        + step
        + members * update
    )


def explain_retention(round_bytes: int, shard: int, members: int, keep: int | None, replicas: int) -> str:
    """Say what a store will grow to, for its operator to decide before it does; sizes in bytes."""
    adds = f"a round with {members} members adds {round_bytes / 1e6:.1f} MB"
    twice = ", and as much in the IPFS node" if replicas else ""
    if keep is None:
        return f"{adds}{twice}; kept: all rounds, without a limit"
    most, shards = round_bytes * (keep + 1) / 1e9, shard * PUBLIC_ROUNDS / 1e9
    return (
        f"{adds}{twice}; kept: {keep} rounds with a result beside those that are not final, at most {most:.2f} GB; "
        f"the shards of {PUBLIC_ROUNDS} rounds, on which members train, at most {shards:.2f} GB; all manifests"
    )
