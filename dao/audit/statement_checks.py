"""Checks of a manifest against the chain: no content but the manifests is needed."""

from dao.audit.evidence import HIDDEN, Evidence, find_misnamed
from dao.audit.findings import Differs, Missing, expect
from dao.audit.replay import build_inputs, build_outcome, find_differences, get_reveal
from dao.chain.signer import recover
from dao.core.commits import FAILED, MISSING, compute_forced_hash
from dao.core.formats.commit_leaves import NodePass, compute_commits_root
from dao.core.formats.manifest import Manifest
from dao.core.formats.signed_messages import compute_commit_digest, compute_pass_digest
from dao.core.round_machine import compute_close_time, compute_counted_stake, draw_shard
from dao.core.statement import compute_result_hash
from dao.core.transition import (
    PreState,
    RoundInputs,
    compute_result,
    get_post_state,
    retire_drawn,
    settle_round,
)
from dao.core.types import Digest, Status, hex_of
from dao.errors import DecodeError

FORCED = "a forced commit must be counted"


def check_posted(record: Evidence) -> str:
    """The chain keeps the hash of what was posted; where it does not, its node shows another event than was emitted."""
    found = compute_result_hash(record.result)
    if found != record.state.result_hash:
        raise Missing(HIDDEN.format("the event of the result"))
    return f"{hex_of(found)}, {record.state.phase.name.lower()}"


def check_head(record: Evidence, manifest: Manifest) -> str:
    """The manifest is of this round, its seed, budget and models those of the chain."""
    place = record.domain, record.task, record.round
    misnamed = find_misnamed(manifest, place, record.state, record.rules, record.result, record.base_model)
    expect(not misnamed, misnamed)
    return f"round {record.round} on {record.state.parent}, seed {hex_of(record.closed.seed)}"


def check_commits(record: Evidence, manifest: Manifest) -> str:
    """The commits and passes in the manifest are those under the root that commits were closed with."""
    rows = [node for node in manifest.nodes if not node.forced]
    root, closed = compute_commits_root(rows, manifest.passes), record.closed
    expect(len(rows) == closed.commits, f"{len(rows)} commits stated, closed with {closed.commits}")
    passes = len(manifest.passes)
    expect(passes == closed.passes, f"{passes} passes stated, closed with {closed.passes}")
    expect(
        root == closed.root, f"root of the stated commits {hex_of(root)}, closed with {hex_of(closed.root)}"
    )
    expect(record.result.commits_root == root, "the result states another root than commits were closed with")
    return f"{len(rows)} and {passes} passes under {hex_of(root)}"


def check_forced(record: Evidence, manifest: Manifest) -> str:
    """Every forced commit is counted."""
    nodes = {node.node: node for node in manifest.nodes}
    for event in record.events.forced:
        node = nodes.get(event.node)
        expect(node is not None, f"node {hex_of(event.node)}: forced its commit and is left out; {FORCED}")
        if node is not None and node.forced:
            expect(
                node.commitment == event.commitment,
                f"node {hex_of(event.node)}: another commitment than it forced is stated",
            )
    forced = {event.node for event in record.events.forced}
    for stated in (node for node in manifest.nodes if node.forced):
        expect(stated.node in forced, f"node {hex_of(stated.node)}: stated as forced, and is not on chain")
    hashed = compute_forced_hash(record.events.forced)
    expect(hashed == record.result.forced_hash, "the result states another hash of forced commits")
    return f"{len(forced)} counted"


def check_signatures(record: Evidence, manifest: Manifest) -> str:
    """Every commit and pass is signed by its node, for this opening of the round."""
    place = (record.domain, record.task, record.round, record.state.opening)
    for node in manifest.nodes:
        digest = compute_commit_digest(*place, node.node, node.commitment)
        expect(_signs(node, digest), f"node {hex_of(node.node)}: its commit is not signed by it")
    for node_pass in manifest.passes:
        digest = compute_pass_digest(*place, node_pass.node)
        expect(_signs(node_pass, digest), f"node {hex_of(node_pass.node)}: its pass is not signed by it")
    return f"{len(manifest.nodes)} commits and {len(manifest.passes)} passes signed by their nodes"


def _signs(signed: NodePass, digest: Digest) -> bool:
    try:
        return recover(digest, signed.signature) == signed.node
    except DecodeError:
        return False


def check_members(record: Evidence, manifest: Manifest) -> str:
    """Nodes, owners and stakes are those of the chain when the round opened; nobody is left out, or not waited for."""
    for node in manifest.nodes:
        member = record.members.get(node.node)
        expect(member is not None, f"node {hex_of(node.node)}: had not joined when the round opened")
        if member is not None:
            expect(
                node.owner == member.owner, f"node {hex_of(node.node)}: its owner is {hex_of(member.owner)}"
            )
            expect(
                node.stake == member.stake,
                f"node {hex_of(node.node)}: stake {node.stake} stated, the chain says {member.stake}",
            )
    for node_pass in manifest.passes:
        member = record.members.get(node_pass.node)
        owner = member.owner if member else None
        expect(
            owner == node_pass.owner, f"node {hex_of(node_pass.node)}: passed, and was not to take part so"
        )
    committed = {node.node for node in manifest.nodes}
    heard = committed | {node_pass.node for node_pass in manifest.passes}
    quorum = record.rules.quorum
    expect(len(committed) >= quorum, f"{len(committed)} committed, fewer than the quorum of {quorum}")
    # the chain counts a node twice that is in the tree and forced its commit as well
    if record.state.closed_at < compute_close_time(record.rules, record.state, len(committed)):
        missing = record.state.eligible - len(heard)
        expect(not missing, f"closed too early, while {missing} had neither committed nor passed")
    absent = {
        operator: member.owner
        for operator, member in record.members.items()
        if operator not in heard and compute_counted_stake(record.rules, member.stake)
    }
    stated = {row.node: row.owner for row in manifest.absent}
    for operator in sorted(absent.keys() ^ stated.keys()):
        words = "absent, and not" if operator in absent else "not absent, and"
        raise Differs(f"node {hex_of(operator)}: {words} stated so")
    for operator, owner in stated.items():
        expect(owner == absent[operator], f"node {hex_of(operator)}: its owner is {hex_of(absent[operator])}")
    return f"{len(committed)} committed, {len(manifest.passes)} passed, {len(absent)} absent, stakes before block {record.state.open_block}"


def check_reveals(record: Evidence, manifest: Manifest) -> str:
    """What was revealed is what was committed; how an update is said to be missing is how the chain has it."""
    revealed = 0
    for node in manifest.nodes:
        who, status = f"node {hex_of(node.node)}", node.status
        is_forced = (node.node, node.commitment) in record.opened_on_chain
        is_denied = status in MISSING or (status is Status.INVALID and node.fault is None)
        expect(
            status not in MISSING or is_forced == (status is Status.UNAVAILABLE),
            f"{who}: is {status}, but its reveal is {'' if is_forced else 'not '}on chain",
        )
        expect(node.fault is None or status is Status.INVALID, f"{who}: is {status}, with a fault")
        eligible = compute_counted_stake(record.rules, node.stake) > 0
        expect(
            not (is_forced and is_denied and node.node in record.attested)
            or (status is Status.INVALID and not eligible),
            f"{who}: is {status}, but members attested on chain that they have its update",
        )
        expect(eligible or node.status in FAILED, f"{who}: counted with a stake below the task's minimum")
        reveal = get_reveal(node)
        if reveal is None:
            is_bare = node.cid is None and node.body_root is None and node.salt is None
            is_withheld = status is Status.WITHHELD
            expect(is_bare and is_withheld, f"{who}: is {status}, but without all of its reveal")
            continue
        expect(status is not Status.WITHHELD, f"{who}: is {status}, but with its reveal")
        expect(reveal.commitment == node.commitment, f"{who}: the reveal is not what it committed to")
        revealed += 1
    return f"{revealed} reveals bound by their commitments"


def check_draw(record: Evidence, manifest: Manifest, previous: Manifest | None) -> str:
    """The shard is the one that the seed draws from those that no earlier round drew."""
    used = _get_state(record, previous).used_shards
    drawn = draw_shard(record.closed.seed, record.rules.shards, used)
    expect(manifest.shard.index == drawn, f"shard {manifest.shard.index} stated, the seed draws {drawn}")
    retired = tuple(sorted({*used, drawn}))
    expect(manifest.used_shards == retired, f"used shards {manifest.used_shards} stated, they are {retired}")
    return f"shard {drawn} of {record.rules.shards - len(used)} left"


def check_settlement(record: Evidence, manifest: Manifest, previous: Manifest | None) -> str:
    """Payouts, debts, accounts, memories and roots follow from the stated weights and scores."""
    computed = settle_round(get_inputs(record, manifest, previous), build_outcome(manifest))
    for difference in find_differences(manifest, computed):
        raise Differs(difference)
    return f"{manifest.budget_wei - manifest.refunded_wei} of {manifest.budget_wei} wei paid"


def check_result(record: Evidence, manifest: Manifest) -> str:
    """The result on chain states what the manifest does."""
    posted = record.result
    computed = compute_result(manifest, record.events.forced, posted.model_digest, posted.manifest_digest)
    for name in type(posted).__dataclass_fields__:
        said, true = getattr(posted, name), getattr(computed, name)
        expect(said == true, f"{name}: posted {_shown(said)}, the manifest gives {_shown(true)}")
    for node in manifest.nodes:
        expect(bool(node.reason) or node.reward_wei > 0, f"node {hex_of(node.node)}: no reward and no reason")
    return f"inputs {posted.inputs}, revealed {posted.revealed}, weight sum {posted.weight_sum}"


def get_inputs(record: Evidence, manifest: Manifest, previous: Manifest | None) -> RoundInputs:
    """Return the inputs of a round's transition: those that the manifest states, by the rules that the chain has."""
    state = _get_state(record, previous)
    return build_inputs(manifest, record.rules, state, record.events.forced)


def _get_state(record: Evidence, previous: Manifest | None) -> PreState:
    return retire_drawn(get_post_state(previous), record.lost)


def _shown(value: object) -> str:
    return hex_of(value) if isinstance(value, bytes) else str(value)
