"""What a killed process had written and not sent: done once, and not again where another program has acted meanwhile."""

from pathlib import Path

from dao.chain.outbox import TxState
from dao.chain.signer import Signer
from tests.chain.test_sender import SECONDS, approvals, outbox_of
from tests.support import Network, count_sent


async def test_nonce__of_a_call_that_a_killed_process_left__used_by_another__is_given_up(
    own_network: Network, tmp_path: Path
) -> None:
    """Another program may have done the same meanwhile, and twice would be once too often."""
    anvil, signer = own_network.anvil, Signer.ephemeral()
    async with own_network.chain() as chain:
        calls = approvals(chain)
        async with own_network.sender(chain, signer, tmp_path / "outbox") as sender:
            left = await sender._prepare(next(calls), None)  # written, and the process ends
            keyed = await sender._prepare(next(calls), "a step of a round")
        async with own_network.sender(chain, signer, tmp_path / "another") as another:
            await another.send(next(calls))
        async with own_network.sender(chain, signer, tmp_path / "outbox") as sender:
            await sender.settle(SECONDS)
            await sender.send(next(calls))
        outbox = await outbox_of(chain, tmp_path / "outbox", signer)
        states = [outbox._entry(entry.id).state for entry in (left, keyed)]
        outbox.close()
        assert states == [TxState.FAILED, TxState.MINED]
        assert count_sent(anvil, signer.address) == 3
