"""A proof is announced and shown by a member's own account; what the chain takes apart is read back as one event."""

from dataclasses import replace

import pytest

from dao.chain import convictions
from dao.chain.contracts import Coordinator, Distributor, Registry, Token
from dao.chain.convictions import convict_result
from dao.chain.disputes import Accusation, Disputes, compute_announcement
from dao.core.types import Phase
from dao.errors import Reverted
from tests.chain.bare_round import ROUND, STATEMENT, accuser, post, vote_prover
from tests.support import RULES, Network


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
