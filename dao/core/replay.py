"""How an auditor settles a round again: what a manifest states as arguments of `settle`, and where two differ."""

from collections.abc import Iterator, Sequence

from dao.core.commits import FAILED, CommitRecord, Failure, NodeCommitment, Reveal, SignedCommit
from dao.core.formats.json_form import get_form
from dao.core.formats.manifest import Manifest, Node
from dao.core.settle import RoundFacts
from dao.core.types import Address, Domain, Member

NOT_COMPARED = ("reason", "loss_before", "loss_after")  # for people; no check binds them


def facts_of(manifest: Manifest, distributor: Address, forced: Sequence[NodeCommitment]) -> RoundFacts:
    """What a manifest states of its round as a whole; replace by `dataclasses.replace` what was computed anew."""
    return RoundFacts(
        domain=Domain(manifest.chain_id, manifest.coordinator),
        distributor=distributor,
        task=manifest.task,
        round=manifest.round,
        codec=manifest.codec,
        values=manifest.values,
        seed=manifest.seed,
        budget=manifest.budget_wei,
        base_model=manifest.base_model,
        model=manifest.model,
        gate_gradient=manifest.gate_gradient,
        gradient=manifest.gradient,
        aggregate_root=manifest.roots.aggregate,
        gradient_root=manifest.roots.gradient,
        shard=manifest.shard,
        weight_sum=manifest.weight_sum,
        loss_before=manifest.loss_before,
        loss_after=manifest.loss_after,
        forced=forced,
    )


def commits_of(manifest: Manifest) -> list[CommitRecord]:
    """What a manifest states that each node committed and revealed."""
    return [
        CommitRecord(
            member=Member(node.owner, node.stake),
            commit=SignedCommit(manifest.task, manifest.round, node.node, node.commitment, node.signature),
            forced=node.forced,
            reveal=reveal_of(node),
            failure=Failure(node.status, node.reason) if node.status in FAILED else None,
        )
        for node in manifest.nodes
    ]


def reveal_of(node: Node) -> Reveal | None:
    """What a manifest states that a node revealed; None unless all of it is there."""
    if node.cid is None or node.body_root is None or node.salt is None:
        return None
    return Reveal(node.cid, node.body_root, node.salt)


def differences(stated: Manifest, computed: Manifest) -> list[str]:
    """Say where two manifests differ, a line for each field, the words of reasons and the losses left out."""
    write = get_form(Manifest).write
    return list(_differences(write(stated), write(computed), "manifest"))


def _differences(stated: object, computed: object, path: str) -> Iterator[str]:
    if isinstance(stated, dict) and isinstance(computed, dict):
        for key in (key for key in stated if key not in NOT_COMPARED):
            yield from _differences(stated[key], computed[key], f"{path}.{key}")
    elif isinstance(stated, list) and isinstance(computed, list) and len(stated) == len(computed):
        for index, (one, other) in enumerate(zip(stated, computed, strict=True)):
            yield from _differences(one, other, f"{path}[{index}]")
    elif stated != computed:
        yield f"{path}: stated {_short(stated)}, computed {_short(computed)}"


def _short(value: object) -> str:
    return f"{len(value)} rows" if isinstance(value, list) else repr(value)[:80]
