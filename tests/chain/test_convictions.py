"""A proof is announced and shown by a member's own account; what the chain takes apart is read back as one event."""

from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from pathlib import Path

import pytest

from dao.chain import convictions
from dao.chain.client import Chain
from dao.chain.contracts import Call, Coordinator, Distributor, Registry, Token
from dao.chain.convictions import convict_result
from dao.chain.deploy import timelock_execute
from dao.chain.disputes import Accusation, Disputes, compute_announcement
from dao.chain.sender import Sender
from dao.chain.signer import Signer
from dao.core.statement import compute_statement_hash
from dao.core.types import ZERO_DIGEST, Address, Phase, Result, RoundId, Statement, TaskId, Wei
from dao.devnet.anvil import running_anvil
from dao.errors import Reverted
from tests.support import GAS_MONEY, RULES, Member, Network, deploy_network

ROUND = RoundId(1)
STATEMENT = Statement(  # type: ignore[misc]
    *[ZERO_DIGEST] * 12,  # type: ignore[arg-type]  # (12 digests, then numbers)
    gate_square=3,
    gradient_along=-4,
    step_square=5,
    along_median=6,
    norm_median=7,
    rows=1,
    accounts=1,
)
GUILTY = bytes.fromhex("6001600c60003960016000f300")  # creates a prover that holds whatever it is asked


@pytest.fixture
def busy_network(tmp_path: Path) -> Iterator[Network]:
    """A network whose chain has a block each second, also where nobody sends: a proof waits for the next one."""
    with running_anvil(tmp_path / "anvil", block_time=1) as running:
        yield deploy_network(running, tmp_path / "network")


async def post(network: Network, chain: Chain, task: TaskId, superlink: Member) -> Result:
    """Play a round of one node to its result."""
    coordinator = Coordinator(chain)
    async with network.sender(chain, superlink.operator) as sender:
        opened = await sender.send(coordinator.open_round(task))
        place = (task, ROUND, opened.events[0].block)
        closed = await sender.send(coordinator.close_commits(*place, ZERO_DIGEST, ZERO_DIGEST, 1, 0))
        result = Result(
            commits_root=ZERO_DIGEST,
            seed=closed.events[0].seed,  # type: ignore[attr-defined]
            statement=compute_statement_hash(STATEMENT),
            model_digest=ZERO_DIGEST,
            manifest_digest=ZERO_DIGEST,
            accounts_root=ZERO_DIGEST,
            forced_hash=ZERO_DIGEST,
            inputs=0,
            revealed=1,
            weight_sum=0,
            reward_total=Wei(0),
        )
        await sender.send(coordinator.post_result(task, ROUND, result))
    return result


async def vote_prover(network: Network, chain: Chain) -> Address:
    """Have the DAO take a prover into the set that holds every claim."""
    async with network.dao(chain) as dao:
        created = (await dao.send(Call(None, GUILTY, "create"))).created
        assert created is not None
        await timelock_execute(chain, dao, [Disputes(chain).set_prover(created, allowed=True)])
    return created


def accuser(network: Network, chain: Chain) -> AbstractAsyncContextManager[Sender]:
    """Send as an account that has ether, and neither stake nor role."""
    signer = Signer.ephemeral()
    network.anvil.fund(signer.address, GAS_MONEY)
    return network.sender(chain, signer)


async def test_convict__proof_that_holds__voids_the_round_and_pays_the_accuser(busy_network: Network) -> None:
    async with busy_network.chain() as chain:
        prover = await vote_prover(busy_network, chain)
        task, superlink, _ = await busy_network.new_round_ready(1, quorum=1)
        result = await post(busy_network, chain, task, superlink)
        staked, funded = (
            await Registry(chain).stake_of(superlink.operator.address, chain.head()),
            await Distributor(chain).funded_of(task, chain.head()),
        )
        accusation = Accusation(prover, 3, task, ROUND, b"leaves and siblings")
        async with accuser(busy_network, chain) as sender:
            convicted = await convict_result(chain, sender, accusation, result, STATEMENT)
            again = await convict_result(chain, sender, accusation, result, STATEMENT)
        at = chain.head()
        assert again == convicted
        assert (convicted.prover, convicted.claim, convicted.accuser) == (prover, 3, sender.address)
        assert convicted.slashed == RULES.superlink_bond
        assert convicted.paid == min(RULES.superlink_bond // 10, RULES.challenge_bond)
        assert await Token(chain).balance_of(sender.address, at) == convicted.paid
        assert await Registry(chain).stake_of(superlink.operator.address, at) == staked - RULES.superlink_bond
        assert await Distributor(chain).funded_of(task, at) == funded + RULES.superlink_bond // 4
        assert (await Coordinator(chain).round_of(task, ROUND, at)).phase is Phase.VOID


async def test_convict__chain_has_blocks_for_transactions_alone__makes_the_next_one(
    own_network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(convictions, "QUIET", 0.2)
    async with own_network.chain() as chain:
        prover = await vote_prover(own_network, chain)
        task, superlink, _ = await own_network.new_round_ready(1, quorum=1)
        result = await post(own_network, chain, task, superlink)
        accusation = Accusation(prover, 3, task, ROUND, b"leaves and siblings")
        async with accuser(own_network, chain) as sender:
            assert (await convict_result(chain, sender, accusation, result, STATEMENT)).claim == 3


async def test_convict__other_statement_or_announced_by_another__one_line(busy_network: Network) -> None:
    async with busy_network.chain() as chain:
        prover = await vote_prover(busy_network, chain)
        task, superlink, _ = await busy_network.new_round_ready(1, quorum=1)
        result = await post(busy_network, chain, task, superlink)
        accusation = Accusation(prover, 0, task, ROUND, b"proof")
        async with accuser(busy_network, chain) as first, accuser(busy_network, chain) as second:
            await first.send(Disputes(chain).announce(compute_announcement(first.address, accusation)))
            with pytest.raises(Reverted, match="the proof was not announced in an earlier block"):
                await second.send(Disputes(chain).convict(accusation, result, STATEMENT))
            with pytest.raises(Reverted, match=f"it is not the statement of round 1 of task {task}"):
                await convict_result(chain, first, accusation, result, replace(STATEMENT, rows=2))
            later = replace(accusation, prover=busy_network.deployment.disputes)
            with pytest.raises(
                Reverted, match=f"was not among the provers when round 1 of task {task} opened"
            ):
                await convict_result(chain, first, later, result, STATEMENT)


async def test_concede__own_result__is_void(busy_network: Network) -> None:
    async with busy_network.chain() as chain:
        task, superlink, _ = await busy_network.new_round_ready(1, quorum=1)
        await post(busy_network, chain, task, superlink)
        concession = Coordinator(chain).concede(task, ROUND)
        async with accuser(busy_network, chain) as stranger:
            with pytest.raises(Reverted, match="is not the task's Superlink"):
                await stranger.send(concession)
        async with busy_network.sender(chain, superlink.operator) as sender:
            receipt = await sender.send(concession)
        assert [type(event).__name__ for event in receipt.events] == ["Conceded", "Voided"]
        assert (await Coordinator(chain).round_of(task, ROUND, chain.head())).phase is Phase.VOID
