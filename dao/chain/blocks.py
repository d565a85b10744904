"""The newest blocks of the chain, linked by their hashes, and how a new head changes them."""

from dataclasses import dataclass
from typing import Any

from dao.core.types import BlockNumber, Digest, Timestamp, Wei
from dao.errors import RpcError

KEEP = 1024  # blocks


@dataclass(frozen=True, slots=True)
class BlockRef:
    """A block by number and hash; `base_fee` is wei per gas."""

    number: BlockNumber
    hash: Digest
    parent: Digest
    timestamp: Timestamp
    base_fee: Wei


class RecentBlocks:
    """A run of linked blocks that ends at the head, at most KEEP long. Not thread-safe; without I/O."""

    def __init__(self, tip: BlockRef) -> None:
        self._blocks = {tip.number: tip}
        self._tip = tip
        self._lowest: int = tip.number

    @property
    def tip(self) -> BlockRef:
        """The head."""
        return self._tip

    @property
    def lowest(self) -> int:
        """The number of the oldest block of the run."""
        return self._lowest

    def at(self, number: int) -> BlockRef | None:
        """Return the block of this number, or None where it is older than the run, or not there yet."""
        return self._blocks.get(BlockNumber(number))

    def holds(self, block: BlockRef) -> bool:
        """Whether this very block is in the run."""
        return self._blocks.get(block.number) == block

    def links(self, block: BlockRef) -> bool:
        """Whether the block's parent is in the run, so that `extend` may take it."""
        parent = self.at(block.number - 1)
        return parent is not None and parent.hash == block.parent

    def extend(self, block: BlockRef) -> None:
        """Make a block whose parent is in the run the head, in place of those at its height and above."""
        for number in range(block.number, self._tip.number + 1):
            del self._blocks[BlockNumber(number)]
        self._blocks[block.number] = self._tip = block
        while len(self._blocks) > KEEP:
            del self._blocks[BlockNumber(self._lowest)]
            self._lowest += 1


def read_block(header: Any) -> BlockRef:
    """Read a block's header as JSON-RPC gives it; RpcError when a field is missing or malformed."""
    try:
        return BlockRef(
            BlockNumber(int(header["number"], 16)),
            Digest(bytes.fromhex(header["hash"][2:])),
            Digest(bytes.fromhex(header["parentHash"][2:])),
            Timestamp(int(header["timestamp"], 16)),
            Wei(int(header.get("baseFeePerGas") or "0x0", 16)),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise RpcError(
            f"block: not a header with number, hash, parentHash and timestamp: {error!r}"
        ) from error
