"""One round computed as the Superlink computes it, from updates to manifest, without chain or wire between."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dao.chain.signer import Signer
from dao.core import gradient as gradients
from dao.core.aggregate import aggregate
from dao.core.commitment import commitment
from dao.core.layout import Model, depth_for, model_header, model_size, parse_model
from dao.core.manifest import Manifest, Shard
from dao.core.merkle import body_root
from dao.core.messages import commit_digest
from dao.core.record import Cid as CidText
from dao.core.record import Signature
from dao.core.rounds import draw_shard
from dao.core.score import scores
from dao.core.settle import Commit, Facts, loss_micros, settle
from dao.core.types import ZERO_ADDRESS, Address, Codec, Digest, Domain, RoundId, TaskId, Wei
from dao.core.update import decode_update, encode_body, update_prefix
from dao.core.weigh import Entry, weigh
from dao.evaluator import Evaluated, Evaluator
from dao.shards import Shards
from dao.store.cid import Cid, cid_of_bytes

TASK = TaskId(1)
DOMAIN = Domain(31337, ZERO_ADDRESS)
CODEC = Codec.INT8


@dataclass(frozen=True)
class Committed:
    """A node's update, committed and revealed."""

    commit: Commit
    content: bytes


def commit(
    signer: Signer, owner: Address, stake: Wei, number: RoundId, base: Model, trained: Model
) -> Committed:
    """Quantise what training changed, and commit to it as a Supernode does."""
    body = encode_body(base, trained, CODEC)
    content = update_prefix(base.layout, CODEC) + body.tobytes()
    root, cid = body_root(body, depth_for(base.layout.chunks)), cid_of_bytes(content)
    salt = Digest(hashlib.sha256(signer.address + number.to_bytes(8, "big")).digest())
    promise = commitment(cid.digest, root, salt)
    signature = Signature(signer.sign(commit_digest(DOMAIN, TASK, number, signer.address, promise)))
    row = Commit(
        node=signer.address,
        owner=owner,
        stake=stake,
        commitment=promise,
        signature=signature,
        forced=False,
        cid=CidText(str(cid)),
        body_root=root,
        salt=salt,
        failure=None,
    )
    return Committed(row, content)


async def settle_round(
    evaluator: Evaluator,
    shards: Shards,
    base_path: Path,
    model_path: Path,
    commits: Sequence[Committed],
    previous: Manifest | None,
    number: RoundId,
    budget: Wei,
) -> Manifest:
    """Weigh, aggregate into `model_path`, score and pay one round; every number is the protocol's."""
    base = load(base_path)
    layout = base.layout
    entries = [Entry(c.commit.node, c.commit.stake, decode_update(c.content, layout, CODEC)) for c in commits]
    seed = Digest(hashlib.sha256(b"simulated round" + number.to_bytes(8, "big")).digest())
    index = draw_shard(seed, len(shards.paths), previous.used_shards if previous else ())
    shard = shards.paths[index]
    before = await evaluator.gate_gradient(base_path, shard)
    gate, gate_cid, _ = _published(before, base)
    memories = {m.node: m.memory for m in previous.memories} if previous else {}
    weighing = weigh(entries, gate, memories)
    model = bytearray(model_size(layout))
    depth = depth_for(layout.chunks)
    aggregate_root = aggregate(entries, weighing.weights, weighing.weight_sum, base, model, depth)
    _write(model_path, model)
    reference, cid, root = _published(await evaluator.reference_gradient(base_path, model_path, shard), base)
    worth = scores(entries, weighing.weights, weighing.weight_sum, reference)
    facts = Facts(
        domain=DOMAIN,
        distributor=ZERO_ADDRESS,
        task=TASK,
        round=number,
        codec=CODEC,
        values=layout.values,
        seed=seed,
        budget=budget,
        base_model=_text(_cid_of(base_path)),
        model=_text(cid_of_bytes(model)),
        gate_gradient=_text(gate_cid),
        gradient=_text(cid),
        aggregate_root=aggregate_root,
        gradient_root=root,
        shard=Shard(index, _text(shards.cids[index]), shards.proof(index)),
        weight_sum=weighing.weight_sum,
        loss_before=loss_micros(before.loss),
        loss_after=loss_micros(await evaluator.loss(model_path, shard)),
        forced=(),
    )
    weighed = {entry.node: node for entry, node in zip(entries, weighing.nodes, strict=True)}
    earned = {entry.node: score for entry, score in zip(entries, worth, strict=True)}
    return settle(facts, previous, [c.commit for c in commits], weighed, earned, {})


def _published(evaluated: Evaluated, base: Model) -> tuple[gradients.Gradient, Cid, Digest]:
    """Quantise a gradient and name its content: the gradient, its CID, its root."""
    held = parse_model(model_header(base.layout) + evaluated.path.read_bytes())
    rows = gradients.quantise(held)
    content = gradients.gradient_prefix(base.layout.values) + rows.tobytes()
    root = body_root(rows, depth_for(base.layout.chunks))
    return gradients.decode_gradient(content, base.layout.values), cid_of_bytes(content), root


def load(path: Path) -> Model:
    """Read a model file; DecodeError when it is none."""
    return parse_model(path.read_bytes())


def _write(path: Path, content: bytes | bytearray) -> None:
    path.write_bytes(content)


def _cid_of(path: Path) -> Cid:
    return cid_of_bytes(path.read_bytes())


def _text(cid: Cid) -> CidText:
    return CidText(str(cid))
