"""Proofs: what a cheating Superlink posts is shown wrong by the provers, an honest result by none."""

from dataclasses import replace

import numpy as np
import pytest

from dao.audit.accusing import Proof, find_proof
from dao.audit.replay import build_inputs, build_outcome, recompute
from dao.chain.contracts import Coordinator, Registry
from dao.chain.convictions import convict_result
from dao.core.commits import Reveal, SignedCommit
from dao.core.engine.merkle import compute_body_root
from dao.core.formats.fault import Fault
from dao.core.formats.layout import compute_model_root, parse_model, write_model
from dao.core.formats.manifest import Account, Manifest, Node, dump_manifest
from dao.core.formats.round_rows import compute_inputs_root
from dao.core.formats.signed_messages import compute_receipt_digest, compute_revealed_digest
from dao.core.formats.update import apply_step, decode_update, encode_update_prefix
from dao.core.statement import build_account_tree, build_rows
from dao.core.transition import get_post_state, settle_round
from dao.core.types import ZERO_DIGEST, Domain, MicroScore, Phase, RoundId, Signature, Status, Wei
from dao.errors import RuleError
from dao.proofs.suspicions import Receipt
from dao.store.disk import DiskStore
from dao.store.layered import LayeredStore
from node.journal import CommitEntry
from node.self_defence import NOTHING, SelfDefence
from tests.audit import cheats
from tests.audit.cheats import Cheat, node_of, with_node
from tests.audit.stage import TAMPERED, Stage
from tests.support import RULES, mining

pytestmark = pytest.mark.asyncio(loop_scope="session")


def restate(manifest: Manifest) -> Manifest:
    """The manifest with the roots of what it states now, whatever that follows from."""
    roots = replace(
        manifest.roots,
        rows=build_rows(manifest.nodes, manifest.accounts).root,
        inputs=compute_inputs_root(manifest.nodes),
        accounts=build_account_tree(manifest.nodes, manifest.accounts).root,
    )
    total = Wei(sum(account.cumulative_wei for account in manifest.accounts))
    return replace(manifest, roots=roots, reward_total_wei=total)


def with_account(manifest: Manifest, index: int, **changes: object) -> Manifest:
    accounts = list(manifest.accounts)
    accounts[index] = replace(accounts[index], **changes)  # type: ignore[arg-type]
    return replace(manifest, accounts=tuple(accounts))


async def paid_twice(stage: Stage) -> tuple[Manifest, None]:
    first = stage.manifest.accounts[0]
    return with_account(stage.manifest, 0, cumulative_wei=Wei(2 * first.cumulative_wei + 1)), None


async def debt_forgiven(stage: Stage) -> tuple[Manifest, None]:
    return with_account(stage.manifest, 1, debt=stage.manifest.accounts[1].debt + 1), None


async def stranger_paid(stage: Stage) -> tuple[Manifest, None]:
    thief = Account(stage.world.bonded.owner.address, Wei(1), 0, 0)
    return replace(stage.manifest, accounts=(*stage.manifest.accounts, thief)), None


async def median_raised(stage: Stage) -> tuple[Manifest, None]:
    return replace(stage.manifest, norm_median=stage.manifest.norm_median + 1), None


async def weight_sum_lowered(stage: Stage) -> tuple[Manifest, None]:
    return replace(stage.manifest, weight_sum=stage.manifest.weight_sum - 1), None


async def unit_weight_raised(stage: Stage) -> tuple[Manifest, None]:
    node = node_of(stage.manifest, Status.GATED)
    return with_node(stage.manifest, Status.GATED, unit_weight=node.unit_weight + 1), None


async def budget_cut(stage: Stage) -> tuple[Manifest, None]:
    """Everybody is paid by a smaller budget, and all that is stated fits it."""
    half = Wei(stage.manifest.budget_wei // 2)
    outcome = build_outcome(stage.manifest)
    state = get_post_state(stage.previous)
    inputs = build_inputs(replace(stage.manifest, budget_wei=half), stage.world.rules, state, stage.forced)
    settled = settle_round(inputs, outcome)
    return replace(settled, used_shards=stage.manifest.used_shards), None


async def share_raised(stage: Stage) -> tuple[Manifest, None]:
    node = node_of(stage.manifest, Status.OK)
    return with_node(stage.manifest, Status.OK, share=node.share + 1), None


async def step_enlarged(stage: Stage) -> tuple[Manifest, None]:
    """One value of the step is another, and the model follows from that step."""
    content, base = await stage.content(stage.manifest.step), await stage.content(stage.manifest.base_model)
    before = parse_model(bytes(base))
    first = len(encode_update_prefix(before.layout, RULES.codec))
    content[first + 7] = (content[first + 7] + 1) % 128
    step = decode_update(bytes(content), before.layout, RULES.codec)
    file = bytearray(len(base))
    apply_step(before, step, write_model(before.layout, file).flat)
    roots = replace(
        stage.manifest.roots,
        new_step=compute_body_root(step.body, RULES.body_depth),
        model=compute_model_root(parse_model(file), RULES.body_depth),
    )
    cids = {"step": await stage.put(content), "model": await stage.put(file)}
    return replace(stage.manifest, roots=roots, **cids), None  # type: ignore[arg-type]


async def step_broken(stage: Stage) -> tuple[Manifest, None]:
    """A value of the step is none that int8 has; the sums that it should have been made of are hidden."""
    content, base = await stage.content(stage.manifest.step), await stage.content(stage.manifest.base_model)
    first = len(encode_update_prefix(parse_model(bytes(base)).layout, RULES.codec))
    content[first + 300] = 0x80
    rows = np.frombuffer(content, np.uint8, offset=first).reshape(-1, 260)
    root = compute_body_root(rows, RULES.body_depth)
    roots = replace(stage.manifest.roots, new_step=root, aggregate=ZERO_DIGEST)
    return replace(stage.manifest, roots=roots, step=await stage.put(content)), None


async def model_moved(stage: Stage) -> tuple[Manifest, None]:
    """One value of the model is not the base's and the step's."""
    content = await stage.content(stage.manifest.model)
    content[-3] ^= 1
    root = compute_model_root(parse_model(content), RULES.body_depth)
    roots = replace(stage.manifest.roots, model=root)
    return replace(stage.manifest, roots=roots, model=await stage.put(content)), None


# each with what shows it
PROVEN: dict[Cheat, str] = {
    cheats.score_raised: "ScoresProver",
    cheats.weight_raised: "WeightsProver",
    cheats.gated_counted: "RowsProver|WeightsProver",
    cheats.good_gated: "RowsProver|WeightsProver",
    cheats.withheld_invented: "RowsProver|WeightsProver",
    cheats.stake_raised: "RowsProver|WeightsProver",
    cheats.owner_replaced: "RowsProver",
    cheats.memory_forgotten: "AccountsProver",
    cheats.debt_invented: "AccountsProver",
    paid_twice: "AccountsProver",
    debt_forgiven: "AccountsProver",
    stranger_paid: "AccountsProver",
    median_raised: "WeightsProver",
    weight_sum_lowered: "RowsProver",
    unit_weight_raised: "RowsProver|WeightsProver",
    share_raised: "ScoresProver",
    budget_cut: "AccountsProver",
    step_enlarged: "ModelProver",
    step_broken: "ModelProver",
    model_moved: "ModelProver",
}


async def withheld_though_forced(stage: Stage) -> tuple[Manifest, None]:
    hidden = {"status": Status.WITHHELD, "cid": None, "body_root": None, "salt": None}
    return with_node(stage.manifest, Status.UNAVAILABLE, **hidden), None


async def late_though_forced(stage: Stage) -> tuple[Manifest, None]:
    return with_node(stage.manifest, Status.UNAVAILABLE, status=Status.LATE), None


async def unavailable_though_not_forced(stage: Stage) -> tuple[Manifest, None]:
    return with_node(stage.manifest, Status.INVALID, status=Status.UNAVAILABLE, fault=None), None


async def withheld_with_a_reveal(stage: Stage) -> tuple[Manifest, None]:
    return stage.resettled(failed(stage, Status.WITHHELD)), None


async def fault_invented(stage: Stage) -> tuple[Manifest, None]:
    return with_node(stage.manifest, Status.INVALID, fault=Fault(0, 5)), None


async def fault_of_no_chunk(stage: Stage) -> tuple[Manifest, None]:
    return with_node(stage.manifest, Status.INVALID, fault=Fault(1 << 20, 0)), None


def failed(stage: Stage, status: Status, **changes: object) -> Manifest:
    """The manifest with an update that is valid and was received, and is not counted."""
    zero = dict.fromkeys(("unit_weight", "weight", "gate_dot", "square", "cosine", "dot", "step_dot"), 0)
    nothing = {"score": 0, "share": 0, "gate_totals": ZERO_DIGEST, "score_totals": ZERO_DIGEST}
    return with_node(stage.manifest, Status.OK, status=status, **zero, **nothing, **changes)


async def shard_of_other_content(stage: Stage) -> tuple[Manifest, None]:
    """The shard that was drawn, with another content than the task's."""
    shard = replace(stage.manifest.shard, cid=stage.manifest.model)
    return replace(stage.manifest, shard=shard), None


async def last_step_denied(stage: Stage) -> tuple[Manifest, None]:
    """There was no last step, and all else follows from that."""
    nodes = tuple(replace(node, step_dot=0) for node in stage.manifest.nodes)
    roots = replace(stage.manifest.roots, step=ZERO_DIGEST, step_totals=ZERO_DIGEST)
    denied = replace(
        stage.manifest, nodes=nodes, roots=roots, gradient_along=0, step_square=0, along_median=0
    )
    return recompute(denied, stage.previous, stage.world.rules, stage.forced), None


async def norm_of_none(stage: Stage) -> tuple[Manifest, None]:
    """An update is gated for a norm that no list of medians has room for, and no update has."""
    node = node_of(stage.manifest, Status.GATED)
    return with_node(stage.manifest, Status.GATED, square=1 << 130, gate_dot=abs(node.gate_dot) << 40), None


PROVEN |= {
    norm_of_none: "WeightsProver",
    cheats.shard_chosen: "ShardsProver",
    cheats.lost_shard_used_again: "ShardsProver",
    shard_of_other_content: "ShardsProver",
    last_step_denied: "ModelProver",
    withheld_though_forced: "AvailabilityProver",
    late_though_forced: "AvailabilityProver",
    unavailable_though_not_forced: "AvailabilityProver",
    withheld_with_a_reveal: "RowsProver",
    fault_invented: "AvailabilityProver",
    fault_of_no_chunk: "AvailabilityProver",
}


async def find(
    stage: Stage, manifest: Manifest, *receipts: Receipt, revealed: int | None = None
) -> Proof | None:
    """Post a manifest with the result that states it, but for `revealed` if given, and look for a proof.

    Its nodes and owners find one for themselves just then, too, but for what content shows.
    """
    everyone = {account.owner for account in manifest.accounts}
    everyone |= {address for node in manifest.nodes for address in (node.node, node.owner)}
    result = stage.stated(manifest)
    result = result if revealed is None else replace(result, revealed=revealed)
    async with (
        stage.posted(result, dump_manifest(manifest)),
        stage.world.network.chain() as chain,
    ):
        source = LayeredStore(DiskStore(stage.cache), [DiskStore(stage.folder)], attempts=1)
        place = chain, source, stage.world.task, RoundId(TAMPERED)
        proof = await find_proof(*place, receipts=receipts)
        own = await find_proof(*place, receipts=receipts, of=everyone)
        if (
            proof is None or proof.prover != "ModelProver"
        ):  # which is asked about content, that nodes do not read
            assert (own is None) == (proof is None)
        return proof


def receipt_of(stage: Stage, node: Node) -> Receipt:
    """The Superlink's receipt for a node's update."""
    place = (stage.world.task, RoundId(TAMPERED), stage.manifest.opening, node.node, node.commitment)
    domain = Domain(stage.manifest.chain_id, stage.manifest.coordinator)
    assert node.body_root is not None
    digest = compute_revealed_digest(domain, *place, node.body_root)
    signature = Signature(stage.world.bonded.operator.sign(digest))
    return Receipt(node.node, node.commitment, None, signature, node.body_root)


@pytest.mark.parametrize("status", [Status.LATE, Status.WITHHELD, Status.INVALID])
async def test_find_proof__not_counted_though_received__is_found_by_the_receipt(
    stage: Stage, status: Status
) -> None:
    node = node_of(stage.manifest, Status.OK)
    bare = dict.fromkeys(("cid", "body_root", "salt"), None) if status is Status.WITHHELD else {}
    manifest = restate(stage.resettled(failed(stage, status, **bare)))
    proof = await find(stage, manifest, receipt_of(stage, node))
    assert proof is not None
    assert proof.prover == "AvailabilityProver"
    assert "signed that it has its update, and does not count it" in proof.words


async def test_find_proof__receipts_of_an_honest_round__none(stage: Stage) -> None:
    statuses = (Status.OK, Status.CLIPPED, Status.GATED)
    counted = [node for node in stage.manifest.nodes if node.status in statuses]
    receipts = [receipt_of(stage, node) for node in counted]
    assert await find(stage, stage.manifest, *receipts) is None


async def test_find_proof__all_counted_as_revealed_and_one_withheld__is_found(stage: Stage) -> None:
    proof = await find(stage, stage.manifest, revealed=len(stage.manifest.nodes))
    assert proof is not None
    assert "all are counted as revealed, and its update is not" in proof.words


async def test_find_proof__honest_round__none(stage: Stage) -> None:
    assert await find(stage, stage.manifest) is None


@pytest.mark.parametrize("cheat", PROVEN, ids=lambda cheat: cheat.__name__)
async def test_find_proof__superlink_cheats__is_found(stage: Stage, cheat: Cheat) -> None:
    manifest, _ = await cheat(stage)
    proof = await find(stage, restate(manifest))
    assert proof is not None
    assert proof.prover in PROVEN[cheat].split("|"), proof.words


async def test_find_proof__manifest_of_other_rows__says_that_nothing_can_be_opened(stage: Stage) -> None:
    roots = replace(stage.manifest.roots, rows=ZERO_DIGEST)
    with pytest.raises(RuleError, match=r"has other rows than the result states.*dao challenge --reason"):
        await find(stage, replace(stage.manifest, roots=roots))


async def test_convict__score_raised__round_is_void_and_the_accuser_paid(stage: Stage) -> None:
    node = node_of(stage.manifest, Status.OK)
    manifest = stage.resettled(with_node(stage.manifest, Status.OK, score=MicroScore(2 * node.score)))
    world, accuser = stage.world, stage.world.members[0].owner
    async with stage.posted(stage.stated(manifest), dump_manifest(manifest)), world.network.chain() as chain:
        source = LayeredStore(DiskStore(stage.cache), [DiskStore(stage.folder)], attempts=1)
        proof = await find_proof(chain, source, world.task, RoundId(TAMPERED))
        assert proof is not None
        assert "its score does not follow" in proof.words
        staked = await Registry(chain).stake_of(world.bonded.operator.address, chain.head())
        async with mining(world.network.anvil), world.network.sender(chain, accuser) as sender:
            convicted = await convict_result(chain, sender, proof.accusation, proof.result, proof.statement)
        state = await Coordinator(chain).round_of(world.task, RoundId(TAMPERED), chain.head())
        assert state.phase is Phase.VOID
        assert (convicted.accuser, convicted.slashed) == (accuser.address, RULES.superlink_bond)
        assert convicted.paid == RULES.superlink_bond // 10
        left = await Registry(chain).stake_of(world.bonded.operator.address, chain.head())
        assert left == staked - RULES.superlink_bond


@pytest.mark.parametrize("proves", [True, False])
async def test_self_defence__own_score_halved__proven_by_the_node_alone(stage: Stage, proves: bool) -> None:
    """With gas of its own, and nobody's help: the daemon reads the result that it was told of, and sends the proof."""
    node = node_of(stage.manifest, Status.OK)
    lie = with_node(stage.manifest, Status.OK, score=MicroScore(node.score // 2))
    manifest, world = stage.resettled(lie), stage.world
    operator = next(one.signer for one in world.nodes if one.signer.address == node.node)
    commit = SignedCommit(
        world.task, RoundId(TAMPERED), manifest.opening, node.node, node.commitment, node.signature
    )
    assert None not in (node.cid, node.body_root, node.salt)
    entry = CommitEntry(commit, Reveal(node.cid, node.body_root, node.salt), None)  # type: ignore[arg-type]
    async with stage.posted(stage.stated(manifest), dump_manifest(manifest)), world.network.chain() as chain:
        world.network.anvil.fund(node.node, 10**18)  # type: ignore[arg-type]
        source = LayeredStore(DiskStore(stage.cache), [DiskStore(stage.folder)], attempts=1)
        async with mining(world.network.anvil), world.network.sender(chain, operator) as sender:
            defence = SelfDefence(chain, sender, source, world.task, node.node, proves)
            checked = await defence.check(RoundId(TAMPERED), entry, node.owner)
        state = await Coordinator(chain).round_of(world.task, RoundId(TAMPERED), chain.head())
    assert "its score does not follow from its products" in checked
    assert ("proven on chain: the round is void" in checked, state.phase is Phase.VOID) == (proves, proves)
    assert ("dao challenge" in checked) is not proves


async def test_self_defence__honest_result__nothing_found(stage: Stage) -> None:
    node, world = node_of(stage.manifest, Status.OK), stage.world
    operator = next(one.signer for one in world.nodes if one.signer.address == node.node)
    place = (world.task, RoundId(TAMPERED), stage.manifest.opening)
    commit = SignedCommit(*place, node.node, node.commitment, node.signature)
    domain = Domain(stage.manifest.chain_id, stage.manifest.coordinator)
    digest = compute_receipt_digest(domain, *place, node.node, node.commitment)
    receipt = Signature(world.bonded.operator.sign(digest))
    entry = CommitEntry(commit, Reveal(node.cid, node.body_root, node.salt), receipt)  # type: ignore[arg-type]
    stated = stage.stated(stage.manifest), dump_manifest(stage.manifest)
    async with stage.posted(*stated), world.network.chain() as chain:
        source = LayeredStore(DiskStore(stage.cache), [DiskStore(stage.folder)], attempts=1)
        async with world.network.sender(chain, operator) as sender:
            defence = SelfDefence(chain, sender, source, world.task, node.node, proves=True)
            assert await defence.check(RoundId(TAMPERED), entry, node.owner) == NOTHING
