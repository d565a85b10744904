"""Two programs that send for one account, each with a file of its own."""

import asyncio
from pathlib import Path

import pytest

from dao.chain.contracts import Token
from dao.chain.nonces import count_sent
from dao.chain.signer import Signer
from dao.core.types import Wei
from dao.errors import RpcError
from tests.support import Network

pytestmark = pytest.mark.asyncio


async def test_settle__another_program_has_sent_for_the_account__waits_for_it(
    own_network: Network, tmp_path: Path
) -> None:
    """Two commands of one owner with a folder each: the second must not read the stake before the first counts."""
    anvil, signer = own_network.anvil, Signer.ephemeral()
    async with own_network.chain() as chain:
        call = Token(chain).approve(own_network.deployment.registry, Wei(1))
        async with (
            own_network.sender(chain, signer, tmp_path / "one") as one,
            own_network.sender(chain, signer, tmp_path / "other") as other,
        ):
            anvil.request("evm_setAutomine", False)
            gone = asyncio.Event()
            sending = asyncio.create_task(one.send(call, on_hash=lambda _: gone.set()))
            await gone.wait()
            while await count_sent(chain, signer.address, "pending") == 0:
                await chain.changed(0.05)
            with pytest.raises(
                RpcError, match=r"a transaction of another program: sent before, and not final"
            ):
                await other.settle(limit=0.3)
            settling = asyncio.create_task(other.settle())
            anvil.request("evm_mine")
            await asyncio.gather(sending, settling)
        allowed = await Token(chain).allowance(signer.address, own_network.deployment.registry, chain.final())
        assert allowed == 1
