"""Which claims about a result need not be asked: what was read of the chain, and the result's own trees, contradict them.

A node checks each result so, beside its rounds, and a prover's answer costs both it and the chain's node more than a round's rest.
"""

from collections.abc import Collection, Iterable, Iterator

from dao.audit.posted_round import Place, PostedRound
from dao.audit.replay import is_consistent
from dao.chain.signer import recover
from dao.core.constants import COMMIT_KIND, PASS_KIND
from dao.core.formats.commit_leaves import encode_commit_row
from dao.core.formats.manifest import Manifest
from dao.core.formats.signed_messages import compute_commit_digest, compute_pass_digest
from dao.core.round_machine import draw_shard
from dao.core.state import get_post_state, retire_drawn
from dao.core.types import Address, Digest, Domain, Signature
from dao.errors import DecodeError, RuleError
from dao.proofs import commit_trees, draws
from dao.proofs.round_trees import RoundTrees
from dao.proofs.settlements import RowsClaim
from dao.proofs.suspicions import EXCLUDED, NODE, Receipt

BODY = 53  # bytes of a commit's leaf before its signature


def list_contradicted(
    domain: Domain,
    place: Place,
    posted: PostedRound,
    trees: RoundTrees,
    manifest: Manifest,
    previous: Manifest | None,
    receipts: Iterable[Receipt],
    of: Collection[Address],
) -> Iterator[tuple[str, int]]:
    """Yield the provers and claims that hold of none of the nodes `of`, nor of the whole round.

    Nothing of a result that does not follow from what its manifest states: there, provers are asked about everything. `trees` are
    those of the manifest and the posted result.
    """
    if not is_consistent(posted.result, manifest, previous, posted.rules, posted.forced):
        return
    yield from EXCLUDED
    if _is_counted(posted, trees):
        yield "CommitsProver", commit_trees.COUNT
    if all(_is_signed(domain, place, posted, leaf) for leaf in trees.commits if leaf[:NODE] in of):
        yield "CommitsProver", commit_trees.SIGNATURE
    committed = {leaf[:BODY] for leaf in trees.commits}
    if all(one.node + bytes([COMMIT_KIND]) + one.commitment in committed for one in receipts):
        yield "CommitsProver", commit_trees.RECEIPT
    forced = {(one.node, one.commitment) for one in posted.forced}
    rows = [row for row in manifest.nodes if row.node in of]
    if all(
        (row.node, row.commitment) in forced if row.forced else encode_commit_row(row)[:BODY] in committed
        for row in rows
    ):
        yield "RowsProver", RowsClaim.UNCOMMITTED
    if _is_drawn(posted, manifest, previous):
        yield "ShardsProver", draws.DRAW


def _is_counted(posted: PostedRound, trees: RoundTrees) -> bool:
    """Whether there are as many commits and rows as the coordinator counted, and no more leaves than who might commit."""
    state, forced = posted.state, len(posted.forced)
    fits = state.commits <= len(trees.commits) <= state.eligible - forced
    return fits and trees.statement.rows == state.commits + forced


def _is_signed(domain: Domain, place: Place, posted: PostedRound, leaf: bytes) -> bool:
    node, kind = Address(leaf[:NODE]), leaf[NODE]
    signed = domain, *place, posted.state.opening, node
    if kind == COMMIT_KIND:
        message = compute_commit_digest(*signed, Digest(leaf[NODE + 1 : BODY]))
    elif kind == PASS_KIND:
        message = compute_pass_digest(*signed)
    else:
        return False
    try:
        return recover(message, Signature(leaf[BODY:])) == node
    except DecodeError:
        return False


def _is_drawn(posted: PostedRound, manifest: Manifest, previous: Manifest | None) -> bool:
    """Whether the round's shard, and all that were used, are those that the seeds drew."""
    used = retire_drawn(get_post_state(previous), posted.lost).used_shards
    try:
        drawn = draw_shard(posted.result.seed, posted.rules.shards, used)
    except RuleError:  # none was left
        return False
    stated = manifest.shard.index, manifest.used_shards
    is_listed = stated == (drawn, tuple(sorted((*used, drawn))))
    return is_listed and manifest.shard.is_under(posted.rules.validation_root)
