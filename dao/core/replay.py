"""How an auditor settles a round again: what a manifest states as arguments of `settle`, and where two differ."""

from collections.abc import Iterator

from dao.core.formats.json_form import form_of
from dao.core.formats.manifest import Manifest
from dao.core.settle import FAILED, Commit, Failure, ForcedCommits, RoundFacts
from dao.core.types import Address, Domain

NOT_COMPARED = ("reason", "loss_before", "loss_after")  # for people; no check binds them


def facts_of(manifest: Manifest, distributor: Address, forced: ForcedCommits) -> RoundFacts:
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


def commits_of(manifest: Manifest) -> list[Commit]:
    """What a manifest states that each node committed and revealed."""
    return [
        Commit(
            node=node.node,
            owner=node.owner,
            stake=node.stake,
            commitment=node.commitment,
            signature=node.signature,
            forced=node.forced,
            cid=node.cid,
            body_root=node.body_root,
            salt=node.salt,
            failure=Failure(node.status, node.reason) if node.status in FAILED else None,
        )
        for node in manifest.nodes
    ]


def differences(stated: Manifest, computed: Manifest) -> list[str]:
    """Say where two manifests differ, a line for each field, the words of reasons and the losses left out."""
    write = form_of(Manifest).write
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
