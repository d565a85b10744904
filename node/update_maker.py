"""Trains a round's update and signs the commit to it; tries again where what failed may come right in time."""

import asyncio
import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import monotonic

import numpy as np
import structlog

from dao.chain.block_clock import BlockClock
from dao.chain.final_reader import FinalReader
from dao.chain.signer import Signer
from dao.content.tensor_files import each, map_file, map_rows, new_file
from dao.core.commits import Reveal
from dao.core.engine.backend import is_sparse
from dao.core.engine.merkle import compute_body_root
from dao.core.formats import reasons
from dao.core.formats.layout import parse_model
from dao.core.formats.update import (
    count_leaves,
    encode_update_prefix,
    get_leaf_size,
    write_update_rows,
)
from dao.core.round_machine import compute_commit_deadline, compute_counted_stake
from dao.core.types import Codec, Digest, Domain, RoundId, RoundState, Rules, TaskId
from dao.errors import AppCrashed, AppError, ContentError, RuleError
from dao.runtime.backoff import pauses
from dao.store.layered import LayeredStore
from node.feedback_files import FeedbackFiles, OpenFeedback, no_feedback
from node.journal import CommitEntry, Step, SupernodeJournal
from node.model_keeper import ModelKeeper
from node.privacy.private_updates import PrivateUpdates
from node.public_shards import PublicShards
from node.readiness import SupernodeReadiness
from node.trainer import Trained
from node.uses import UseLog

RESERVE = 0.1  # part of the commit period that training leaves for the commit
TRIES = 3  # with an app whose process ends: others wait for this node
# part of the commit period, and seconds at most, in which content that is not to be had is asked for
PATIENCE, MOST_PATIENCE = 0.25, 60.0
# the same, of the wait for public shards, without which a node trains on its own rows alone
SHARDS_PATIENCE, MOST_SHARDS_PATIENCE = 0.05, 20.0
OWN_ALONE = "own_alone"  # a round's fact: why public rows could not be joined with the node's own, "" where they could
_log = structlog.get_logger()


@dataclass(frozen=True)
class UpdateMaker:
    """Makes the updates of one node in one task; `scratch` is the folder of what is being trained."""

    task: TaskId
    signer: Signer
    domain: Domain
    reader: FinalReader
    clock: BlockClock
    journal: SupernodeJournal
    store: LayeredStore
    readiness: SupernodeReadiness
    models: ModelKeeper
    scratch: Path
    uses: UseLog
    public: PublicShards
    privacy: PrivateUpdates | None = None  # None: updates leave as they were trained
    feedback: FeedbackFiles | None = None  # None: what a sparse update leaves out is lost

    async def make_commit(
        self, round_id: RoundId, opened: RoundState, rules: Rules, note_problem: Callable[[str], None]
    ) -> CommitEntry:
        """Train and sign, a few times where it fails; `note_problem` hears what failed, and "" once it is signed.

        DaoError when there can be no commit.
        """
        await self._check_stake(rules, opened)
        deadline = compute_commit_deadline(rules, opened)
        last_try = opened.opened_at + min(PATIENCE * rules.commit_period, MOST_PATIENCE)
        for tried, pause in enumerate(pauses(), 1):
            try:
                entry = await self.train_and_sign(round_id, opened, rules, deadline)
            except (ContentError, AppCrashed) as error:
                is_last = self.clock.now() + pause >= last_try
                if tried >= TRIES if isinstance(error, AppCrashed) else is_last:
                    raise
                note_problem(str(error))
                _log.warning("no update yet", task=self.task, round=round_id, error=str(error))
            else:
                note_problem("")
                return entry
            await asyncio.sleep(pause)
        raise AssertionError  # pauses do not end

    async def train_and_sign(
        self, round_id: RoundId, opened: RoundState, rules: Rules, deadline: float
    ) -> CommitEntry:
        """Train from the round's base model, or ahead of it; journal, pin and sign what changed."""
        if self.privacy is not None:
            await self.privacy.require(round_id, opened)
        patience = min(SHARDS_PATIENCE * rules.commit_period, MOST_SHARDS_PATIENCE)
        trainer, (digest, base), public = await asyncio.gather(
            self.readiness.get_trainer(rules),
            self._get_base(opened, rules),
            self.public.fetch(round_id, patience),
        )
        self.scratch.mkdir(parents=True, exist_ok=True)
        start = base
        feedback: OpenFeedback = no_feedback
        if self.feedback is not None and is_sparse(rules.codec):
            ahead = self.scratch / f"{self.task}-start"
            start = await asyncio.to_thread(self.feedback.write_start, round_id, digest, base, ahead)
            feedback = partial(self.feedback.open, round_id, digest)
        model, update = self.scratch / f"{self.task}-trained", self.store.local.tmp / f"{self.task}-update"
        limit = deadline - self.clock.now() - RESERVE * rules.commit_period
        await self.uses.begin(round_id, rules.app_hash, rules.card, self.readiness.data.counts)
        rows = None
        try:
            trained = await trainer.train(
                start,
                model,
                seed=self._compute_seed(round_id),
                round=round_id,
                limit=max(limit, 1.0),
                public=public,
            )
            rows = trained.rows
        finally:
            await self.uses.end(round_id, rows)
        self.readiness.data.require_used(rows)
        if trained.public_problem:
            _log.warning("trained on own rows alone", task=self.task, error=trained.public_problem)
        begun = monotonic()
        private: dict[str, object] = {}
        if self.privacy is None:
            making = partial(write_update, start, model, rules.codec, rules.body_depth, update)
            try:
                root = await asyncio.to_thread(making, feedback)
            except RuleError as error:  # NaN, or out of all bounds
                raise AppError(f"train: {error}") from None
        else:
            spending = self.privacy.write(round_id, opened, rules, start, model, update, feedback)
            root, private["epsilon"] = await spending
        size = update.stat().st_size
        cid = await self.store.local.put_file(update, move=True)
        encoding = monotonic() - begun
        self.journal.pin(self.task, round_id, cid)
        await self.store.local.pin(cid)
        reveal = Reveal(cid, root, Digest(secrets.token_bytes(32)))
        entry = self.journal.sign(self.task, round_id, opened.opening, reveal, self.signer.sign)
        self.journal.reach(self.task, round_id, Step.SIGNED, facts={**_facts(trained, size), **private})
        _log.info(
            "committed",
            task=self.task,
            round=round_id,
            cid=str(cid),
            seconds=round(trained.train_s, 3),
            public_shards=trained.public_shards,
            around=[round(trained.load_s, 3), round(trained.store_s, 3)],
            encoding=round(encoding, 3),
        )
        return entry

    async def _check_stake(self, rules: Rules, opened: RoundState) -> None:
        """RuleError when an update of this node would weigh nothing."""
        stake = await self.reader.read_stake(self.signer.address, opened)
        if not compute_counted_stake(rules, stake):
            raise RuleError(reasons.explain_stake(stake, rules.min_stake))

    async def _get_base(self, opened: RoundState, rules: Rules) -> tuple[Digest, Path]:
        """Return the digest and the file of the model that a round starts from."""
        digest = await self.reader.read_base(opened, rules)
        return digest, await self.models.get(digest, opened.parent)

    def _compute_seed(self, round_id: RoundId) -> int:
        domain = self.domain
        parts = (b"train", domain.chain_id.to_bytes(32, "big"), domain.coordinator, self.signer.address)
        numbers = self.task.to_bytes(8, "big") + round_id.to_bytes(8, "big")
        return int.from_bytes(hashlib.sha256(b"".join(parts) + numbers).digest()[:4], "big")


def write_update(
    start: Path,
    trained: Path,
    codec: Codec,
    depth: int,
    out: Path,
    open_feedback: OpenFeedback = no_feedback,
) -> Digest:
    """Write the update from model file `start`, where training began, to model file `trained`; return its body root. Blocks.

    RuleError, naming the tensor, when the models differ in layout or the change cannot be encoded.
    """
    before, after = parse_model(map_file(start)), parse_model(map_file(trained))
    layout = before.layout
    shape = count_leaves(codec, layout.chunks), get_leaf_size(codec)
    with (
        open_feedback(layout) as feedback,
        new_file(out, encode_update_prefix(layout, codec), shape, np.uint8) as rows,
    ):
        write_update_rows(before, after, codec, rows, each, feedback)
    return compute_body_root(map_rows(out, rows), depth)


def _facts(trained: Trained, size: int) -> dict[str, object]:
    return {
        "update_bytes": size,
        "metrics": dict(trained.metrics),
        "train_s": round(trained.train_s, 3),
        "public_shards": trained.public_shards,
        OWN_ALONE: trained.public_problem,
    }
