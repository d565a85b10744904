"""What an index shows of a real chain against what the contracts say themselves."""

from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Engine

from dao.chain.contracts import Coordinator, Distributor, Registry, Token
from dao.chain.deploy import TOKEN, Params, grant
from dao.chain.governance import Actions, Governor, Support, VotingPower
from dao.chain.handover import hand_over
from dao.chain.signer import Signer
from dao.core.formats.manifest import dump_manifest
from dao.core.formats.signed_messages import compute_operator_digest
from dao.core.statement import compute_result as result_of
from dao.core.statement import compute_result_hash
from dao.core.types import ZERO_DIGEST, Phase, RoundId, Timestamp, Wei
from dao.devnet.anvil import Anvil
from dao.gov.actions import compute_proposal_id
from dao.index.reads.reader import make_record
from dao.index.reads.records import ProposalPhase, RoundNodeRecord
from dao.store.cid import cid_of_bytes
from dao.store.disk import DiskStore
from tests.index.world import Indexed, indexing, manifest_of, root_of, until
from tests.support import Network, deploy_network

PARAMS = Params(voting_delay=10, voting_period=100, late_extension=10)


@pytest.fixture(scope="module")
def network(anvil: Anvil, tmp_path_factory: pytest.TempPathFactory) -> Network:
    return deploy_network(anvil, tmp_path_factory.mktemp("network"), PARAMS)


async def check_proposal(indexed: Indexed, number: int) -> ProposalPhase:
    """Its state, after a comparison of all that the governor tells of it."""
    await indexed.caught_up()
    at, governor = indexed.chain.head(), Governor(indexed.chain)
    shown = indexed.reads.find_proposal(number)
    assert shown is not None
    assert shown.state == (await governor.state_of(number, at)).name.lower()
    tally = await governor.votes_on(number, at)
    assert (shown.in_favour, shown.against, shown.abstain) == (tally.in_favour, tally.against, tally.abstain)
    assert (shown.starts_at, shown.ends_at) == (
        await governor.snapshot_of(number, at),
        await governor.deadline_of(number, at),
    )
    assert (shown.eta or 0) == await governor.eta_of(number, at)
    if shown.state is not ProposalPhase.PENDING:
        assert shown.quorum == await governor.quorum_at(shown.starts_at, at)
    for state in ProposalPhase:
        listed = [item.proposal for item in indexed.reads.list_proposals(state).items]
        assert (number in listed) == (state is shown.state)
    return shown.state


async def test_decision__from_proposal_to_execution__as_the_governor_tells(
    own_governed: Network, database: Engine
) -> None:
    network = own_governed
    voters = [Signer.ephemeral() for _ in range(3)]
    async with indexing(network, database) as indexed:
        chain, reads = indexed.chain, indexed.reads
        async with network.dao(chain) as dao:
            await grant(chain, dao, {voter.address: Wei(1000 * TOKEN) for voter in voters})
            await hand_over(chain, dao, 5)
        for voter, to in zip(voters, (voters[0], voters[0], voters[2]), strict=True):
            async with network.sender(chain, voter) as sender:
                await sender.send(Token(chain).delegate(to.address))
        await indexed.pass_time(network, 1)  # who proposes needs votes of the second before
        governor, receiver = Governor(chain), Signer.ephemeral().address
        actions = Actions.of([Token(chain).transfer(receiver, Wei(7 * TOKEN))])
        text = "# A grant\n\nFor \0 and <b>others</b>"
        number = compute_proposal_id(actions, text)
        async with network.sender(chain, voters[0]) as one, network.sender(chain, voters[2]) as two:
            await one.send(governor.propose(actions, text))
            assert await check_proposal(indexed, number) is ProposalPhase.PENDING
            await two.send(governor.propose(actions, "another"))
            await indexed.pass_time(network, 11)
            assert await check_proposal(indexed, number) is ProposalPhase.ACTIVE
            await two.send(governor.vote(number, Support.AGAINST, "too much"))
            await one.send(governor.vote(number, Support.FOR))
            await two.send(Token(chain).delegate(voters[0].address))  # after the snapshot
            assert await check_proposal(indexed, number) is ProposalPhase.ACTIVE
            await indexed.pass_time(network, 101)
            assert await check_proposal(indexed, number) is ProposalPhase.SUCCEEDED
            await one.send(governor.queue(actions, text))
            assert await check_proposal(indexed, number) is ProposalPhase.QUEUED
            await indexed.pass_time(network, 6)
            await two.send(governor.execute(actions, text))
            assert await check_proposal(indexed, number) is ProposalPhase.EXECUTED
        other = compute_proposal_id(actions, "another")
        assert await check_proposal(indexed, other) is ProposalPhase.DEFEATED

        shown = reads.find_proposal(number)
        assert shown is not None
        assert (shown.title, shown.proposer) == ("A grant", voters[0].address)
        assert Actions(shown.targets, shown.values, shown.calldatas) == actions
        assert [(vote.voter, vote.support, vote.reason) for vote in reads.list_votes(number).items] == [
            (voters[0].address, Support.FOR, ""),
            (voters[2].address, Support.AGAINST, "too much"),
        ]
        assert [vote.proposal for vote in reads.list_votes_of(voters[2].address).items] == [number]
        at, power = chain.head(), VotingPower(chain)
        for voter in voters:
            seen = reads.get_account(voter.address)
            assert seen.votes == await power.votes_of(voter.address, at)
            assert seen.balance == await Token(chain).balance_of(voter.address, at)
            assert seen.token_delegate == await Token(chain).delegate_of(voter.address, at)
            past = await power.past_votes_of(voter.address, shown.starts_at, at)
            assert reads.get_votes_at(voter.address, shown.starts_at) == past
        assert [(item.address, item.delegators) for item in reads.list_delegates().items] == [
            (voters[0].address, 3)
        ]
        seen_network = reads.get_network(network.deployment)
        assert seen_network.supply == await Token(chain).total_supply(at)
        assert seen_network.voting_period == await governor.voting_period(at)
        assert seen_network.threshold == await governor.threshold(at)
        assert seen_network.timelock_delay == 5
        assert reads.get_treasury(network.deployment).balance == await Token(chain).balance_of(
            network.deployment.timelock, at
        )
        assert [item.receiver for item in reads.list_payments(limit=1).items] == [receiver]


async def test_operator__replaced_and_revoked__as_the_registry_tells(
    network: Network, database: Engine
) -> None:
    member, successor = await network.new_member(Wei(3 * TOKEN)), Signer.ephemeral()
    old, owner = member.operator.address, member.owner.address
    async with indexing(network, database) as indexed:
        chain, reads, registry = indexed.chain, indexed.reads, Registry(indexed.chain)
        digest = compute_operator_digest(chain.chain_id, registry.address, owner, successor.address)
        async with network.sender(chain, member.owner) as sender:
            await sender.send(registry.unbond(old, Wei(TOKEN)))
            await sender.send(registry.rotate(old, successor.address, successor.sign(digest)))
            await indexed.caught_up()
            replaced, node = reads.find_supernode(old), reads.find_supernode(successor.address)
            assert replaced is not None
            assert node is not None
            assert (replaced.active, replaced.unbonding, replaced.revoked) == (0, 0, True)
            assert (replaced.successor, node.successor, node.revoked) == (successor.address, None, False)
            # by its old name
            await sender.send(registry.unbond(old, Wei(TOKEN)))
            await sender.send(registry.revoke(old))
        await indexed.caught_up()
        node, told = reads.find_supernode(successor.address), await registry.supernode(old, chain.head())
        assert node is not None
        assert (node.owner, node.active, node.unbonding, node.release_time, node.revoked) == (
            *(told.owner, told.active, told.unbonding, told.release_time),
            told.revoked,
        )
        assert told.operator == successor.address
        assert [stake.operator for stake in reads.get_account(owner).supernodes] == [successor.address]


async def test_training__rounds_with_manifests__as_the_coordinator_tells(
    network: Network, database: Engine, tmp_path: Path
) -> None:
    store = DiskStore(tmp_path / "store")
    task, superlink, members = await network.new_round_ready(2)
    async with indexing(network, database, store) as indexed:
        chain, reads, coordinator = indexed.chain, indexed.reads, Coordinator(indexed.chain)
        async with network.sender(chain, superlink.operator) as sender:
            opened = await sender.send(coordinator.open_round(task))
            await indexed.caught_up()
            assert [node.status for node in reads.list_round_nodes(task, RoundId(1)).items] == [None, None]
            closed = await sender.send(
                coordinator.close_commits(
                    task, RoundId(1), opened.events[0].block, root_of(members), ZERO_DIGEST, 2, 0
                )
            )
            seed = closed.events[0].seed  # type: ignore[attr-defined]
            manifest = manifest_of(network, task, seed, {members[0]: 3000, members[1]: 1000})
            content = dump_manifest(manifest)
            model = manifest.model.digest
            result = result_of(manifest, (), model, cid_of_bytes(content).digest)
            await sender.send(coordinator.post_result(task, RoundId(1), result))
            await indexed.caught_up()
            shown = reads.find_round(task, RoundId(1))
            assert shown is not None
            assert (shown.phase, shown.result, shown.manifest) == (Phase.POSTED, result, None)
            await store.put_bytes(content)
            await until(indexed, lambda: reads.list_rounds(task).items[0].manifest is not None)
            await indexed.pass_time(network, 601)
            await sender.send(coordinator.finalize(task, RoundId(1), result))
            await indexed.caught_up()
            tree = reads.find_accounts(task)
            assert tree is not None
            owner = members[0].owner.address
            earned = [tree.get(member.owner.address) for member in members]
            assert [account and account.cumulative_wei for account in earned] == [
                75 * TOKEN // 10,
                25 * TOKEN // 10,
            ]
            await sender.send(Distributor(chain).claim(task, *tree.find(owner)))
            await indexed.caught_up()

        at = chain.head()
        state, seen = await coordinator.task_of(task, at), reads.find_task(task)
        assert seen is not None
        assert (seen.active, seen.last_round, seen.head, seen.in_flight, seen.closed) == (
            *(state.active, state.last_round, state.head, state.in_flight, state.closed),
        )
        assert seen.rules == await coordinator.rules_of(task, at)
        assert seen.available == await Distributor(chain).available_of(task, at)
        assert (seen.claimed, seen.finalized, seen.model) == (75 * TOKEN // 10, 1, model)
        round_, shown = await coordinator.round_of(task, RoundId(1), at), reads.find_round(task, RoundId(1))
        assert shown is not None
        assert shown.result is not None
        assert compute_result_hash(shown.result) == round_.result_hash
        assert (shown.phase, shown.opened_at, shown.closed_at, shown.posted_at) == (
            *(round_.phase, round_.opened_at, round_.closed_at, round_.posted_at),
        )
        assert shown.deadlines.challenge == Timestamp(round_.posted_at + 600)
        nodes = {node.operator: node for node in reads.list_round_nodes(task, RoundId(1)).items}
        assert {
            node.node: (str(node.status), node.score, node.reward_wei, node.reason) for node in manifest.nodes
        } == {key: (node.status, node.score, node.reward, node.reason) for key, node in nodes.items()}
        first = next(
            n for n in reads.list_task_nodes(task).items if n.operator == members[0].operator.address
        )
        assert (first.earned, first.claimed, first.claimable) == (75 * TOKEN // 10, 75 * TOKEN // 10, 0)
        assert first.last is not None
        assert make_record(RoundNodeRecord, first.last) == nodes[first.operator]
        operator = members[1].operator.address
        (history,) = reads.list_node_rounds(task, operator).items
        assert (history.round, history.phase) == (1, Phase.FINALIZED)
        assert make_record(RoundNodeRecord, history) == nodes[operator]
        held, node = await Registry(chain).supernode(operator, at), reads.find_supernode(operator)
        assert node is not None
        assert (node.owner, node.active, node.unbonding) == (held.owner, held.active, held.unbonding)
        assert node.tasks[0].claimable == 25 * TOKEN // 10


@pytest.fixture
def own_governed(tmp_path: Path, anvil: Anvil) -> Network:
    """A network of its own on the module's chain: a hand-over is for good."""
    return replace(deploy_network(anvil, tmp_path / "governed", PARAMS))
