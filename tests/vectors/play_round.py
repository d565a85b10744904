"""Plays the round of round.json from its bytes: what a second implementation has to do to get the same outcome."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from dao.core.commits import CommitRecord, Failure, PassRecord, Reveal, SignedCommit, SignedPass
from dao.core.constants import MANIFEST_FORMAT
from dao.core.engine.merkle import compute_body_root
from dao.core.formats.canonical import write_canonical
from dao.core.formats.cid import Cid
from dao.core.formats.fault import find_fault
from dao.core.formats.gradient import Gradient, decode_gradient, quantise_gradient
from dao.core.formats.json_form import Count, get_form
from dao.core.formats.layout import StepModel, compute_model_size, parse_model, write_model
from dao.core.formats.manifest import (
    Absent,
    Manifest,
    MeasuredMetric,
    Pass,
    Shard,
    dump_manifest,
    parse_manifest,
)
from dao.core.formats.reasons import explain_pass
from dao.core.formats.update import Update, decode_update, encode_update_prefix, get_leaf_size
from dao.core.statement import compute_result_hash
from dao.core.transition import (
    RoundInputs,
    RoundOutcome,
    compute_gradient_root,
    compute_result,
    compute_round_model,
    compute_round_scores,
    compute_round_weights,
    get_entries,
    get_post_state,
    settle_round,
)
from dao.core.types import (
    Address,
    Digest,
    Domain,
    Member,
    PassReason,
    Result,
    RoundId,
    Rules,
    Signature,
    Status,
    TaskId,
    Wei,
    hex_of,
)
from dao.errors import DecodeError
from dao.store.cid import cid_of_bytes

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class StatedCommit:
    """A commit and its reveal; `cid`, `body_root` and `salt` are null where nothing was revealed."""

    node: Address
    owner: Address
    stake: Wei
    commitment: Digest
    signature: Signature
    forced: bool
    cid: Cid | None
    body_root: Digest | None
    salt: Digest | None


@dataclass(frozen=True, slots=True)
class StatedRound:
    """What a round begins with; losses in millionths."""

    chain_id: Count
    coordinator: Address
    task: TaskId
    round: RoundId
    opening: Digest
    rules: Rules
    seed: Digest
    shard: Shard
    base_model: Cid
    gate_gradient: Cid
    gradient: Cid
    loss_before: int
    loss_after: int
    metric: MeasuredMetric | None
    commits: tuple[StatedCommit, ...]
    passes: tuple[Pass, ...]
    absent: tuple[Absent, ...]


def play(vector: Json) -> Json:
    """Return the outcome of a vector: manifest, result and its hash, and the content of the new model."""
    stated: StatedRound = get_form(StatedRound).read(vector["inputs"], "inputs")
    contents = {cid: bytes.fromhex(content[2:]) for cid, content in vector["contents"].items()}
    assert all(str(cid_of_bytes(content)) == cid for cid, content in contents.items())
    parent = parse_manifest(write_canonical(vector["parent"])) if vector["parent"] else None
    base = parse_model(contents[str(stated.base_model)])
    updates: dict[Address, Update] = {}
    records: list[CommitRecord] = []
    for commit in stated.commits:
        record = _read_record(stated, commit)
        if record.reveal is not None:
            try:
                update = decode_update(contents[str(record.reveal.cid)], base.layout, stated.rules.codec)
                assert compute_body_root(update.body, stated.rules.body_depth) == record.reveal.body_root
                updates[record.node] = update
            except DecodeError as error:
                record = replace(record, failure=Failure(Status.INVALID, str(error), find_fault(error)))
        records.append(record)
    inputs = RoundInputs(
        domain=Domain(stated.chain_id, stated.coordinator),
        task=stated.task,
        round=stated.round,
        opening=stated.opening,
        rules=stated.rules,
        state=get_post_state(parent),
        base_model=stated.base_model,
        values=base.layout.values,
        seed=stated.seed,
        shard=stated.shard,
        commits=records,
        passes=[_read_pass(stated, passed) for passed in stated.passes],
        absent={absent.node: absent.owner for absent in stated.absent},
        forced=[record.commit for record in records if record.forced],
    )
    gate_gradient, gradient = (
        decode_gradient(contents[str(cid)], base.layout.scored_values)
        for cid in (stated.gate_gradient, stated.gradient)
    )
    last_step = None
    if parent is not None:
        before = parse_model(contents[str(parent.base_model)])
        last_step = Gradient(quantise_gradient(StepModel(before, base)))
    entries = get_entries(inputs, updates)
    weighing = compute_round_weights(inputs, entries, gate_gradient)
    content = bytearray(compute_model_size(base.layout))
    rows = np.empty((base.layout.chunks, get_leaf_size(stated.rules.codec)), np.uint8)
    values = write_model(base.layout, content).flat
    aggregate = compute_round_model(inputs, entries, weighing, base, rows, values)
    step = encode_update_prefix(base.layout, stated.rules.codec) + rows.tobytes()
    outcome = RoundOutcome(
        weighing=weighing,
        scoring=compute_round_scores(inputs, entries, weighing, gradient, last_step),
        aggregate=aggregate,
        gate_root=compute_gradient_root(gate_gradient, inputs.rules.body_depth),
        gradient_root=compute_gradient_root(gradient, inputs.rules.body_depth),
        step_root=compute_gradient_root(last_step, inputs.rules.body_depth),
        model=cid_of_bytes(content),
        step=cid_of_bytes(step),
        gate_gradient=stated.gate_gradient,
        gradient=stated.gradient,
        loss_before=stated.loss_before,
        loss_after=stated.loss_after,
        metric=stated.metric,
    )
    manifest = settle_round(inputs, outcome)
    manifest_digest = cid_of_bytes(dump_manifest(manifest)).digest
    result = compute_result(manifest, inputs.forced, outcome.model.digest, manifest_digest)
    return {
        "manifest": write_manifest(manifest),
        "result": get_form(Result).write(result),
        "result_hash": hex_of(compute_result_hash(result)),
        "model": hex_of(bytes(content)),
        "step": hex_of(step),
    }


def write_manifest(manifest: Manifest) -> Json:
    """Write a manifest as the object that its content is."""
    return {"format": MANIFEST_FORMAT, **get_form(Manifest).write(manifest)}


def _read_record(stated: StatedRound, commit: StatedCommit) -> CommitRecord:
    """Return a commit whose reveal opens it, or which was withheld."""
    reveal = None
    if commit.cid is not None and commit.body_root is not None and commit.salt is not None:
        reveal = Reveal(commit.cid, commit.body_root, commit.salt)
        assert reveal.commitment == commit.commitment
    return CommitRecord(
        Member(commit.owner, commit.stake),
        SignedCommit(*_place(stated), commit.node, commit.commitment, commit.signature),
        commit.forced,
        reveal,
        None if reveal else Failure(Status.WITHHELD),
    )


def _read_pass(stated: StatedRound, passed: Pass) -> PassRecord:
    """Return a pass; what the reason was is in words for people alone."""
    reason = next(reason for reason in PassReason if passed.reason == explain_pass(reason))
    return PassRecord(
        Member(passed.owner, Wei(0)),
        SignedPass(*_place(stated), passed.node, passed.signature, reason),
    )


def _place(stated: StatedRound) -> tuple[TaskId, RoundId, Digest]:
    return stated.task, stated.round, stated.opening
