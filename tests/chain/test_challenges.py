"""A challenge freezes a posted result for its bond; what cannot be challenged is one line."""

import pytest

from dao.chain.challenges import challenge_result
from dao.chain.client import Chain
from dao.chain.contracts import Coordinator, Token
from dao.chain.deploy import grant
from dao.chain.sender import Sender
from dao.chain.signer import Signer
from dao.core.types import Phase, Wei
from dao.errors import RuleError
from tests.chain.bare_round import ROUND, post
from tests.support import RULES, Network


async def bonded(network: Network, chain: Chain, tokens: Wei) -> Signer:
    challenger = Signer.ephemeral()
    async with network.dao(chain) as dao:
        await grant(chain, dao, {challenger.address: tokens})
    return challenger


async def test_challenge__posted_result__is_frozen_for_the_bond(network: Network) -> None:
    task, superlink, _ = await network.new_round_ready(1, quorum=1)
    async with network.chain() as chain:
        await post(network, chain, task, superlink)
        challenger = await bonded(network, chain, Wei(2 * RULES.challenge_bond))
        async with network.sender(chain, challenger) as sender:
            until = await challenge_result(chain, sender, task, ROUND, "left out")
            state = await Coordinator(chain).round_of(task, ROUND, chain.final())
            assert (state.phase, until) == (Phase.FROZEN, state.posted_at + RULES.resolve_period)
            left = await Token(chain).balance_of(challenger.address, chain.final())
            assert left == RULES.challenge_bond
            with pytest.raises(RuleError, match="round 1: is frozen; expected a posted result"):
                await challenge_result(chain, sender, task, ROUND, "left out")


async def test_challenge__too_few_tokens_or_too_late__one_line(network: Network) -> None:
    task, superlink, _ = await network.new_round_ready(1, quorum=1)
    async with network.chain() as chain:
        await post(network, chain, task, superlink)
        challenger = await bonded(network, chain, Wei(1))
        sender: Sender
        async with network.sender(chain, challenger) as sender:
            with pytest.raises(RuleError, match=r"expected the bond of .*; have some sent to it"):
                await challenge_result(chain, sender, task, ROUND, "left out")
            network.anvil.request("evm_increaseTime", RULES.challenge_period)
            network.anvil.request("evm_mine")
            await chain.changed(5)
            with pytest.raises(RuleError, match="round 1: could be challenged until"):
                await challenge_result(chain, sender, task, ROUND, "left out")
