"""Hashes files at the speed of the machine: leaves are independent, and hashlib lets other threads run."""

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor

from dao.core.constants import CONTENT_LEAF
from dao.core.formats.cid import Cid
from dao.errors import ContentError, Mismatch, TooLarge
from dao.store.cid import TreeBuilder

_LANES = min(4, os.cpu_count() or 1)
_pool = ThreadPoolExecutor(_LANES, thread_name_prefix="hash")


def cid_of_file(descriptor: int, size: int) -> Cid:
    """Return the CID of an open file's first `size` bytes. Blocks; call it in a thread.

    It reads into a buffer instead of mapping the file, for a mapped file that another program shortens would kill
    the process. Mismatch when the file is shorter, ContentError when `size` is 0.
    """
    leaves = -(-size // CONTENT_LEAF)
    lanes = min(_LANES, -(-leaves // 4))  # a thread costs more than a few chunks
    starts = [range(lane * CONTENT_LEAF, size, max(lanes, 1) * CONTENT_LEAF) for lane in range(lanes)]
    others = [_pool.submit(_digests, descriptor, size, lane) for lane in starts[1:]]
    digests: list[bytes] = [b""] * leaves
    try:
        for lane, start in enumerate(starts):
            digests[lane::lanes] = others[lane - 1].result() if lane else _digests(descriptor, size, start)
    finally:
        for other in others:  # the caller closes the file: no thread may still read it
            if not other.cancel():
                other.exception()
    tree = TreeBuilder()
    for index, digest in enumerate(digests):
        tree.add(digest, min(CONTENT_LEAF, size - index * CONTENT_LEAF))
    return tree.root()


def _digests(descriptor: int, size: int, starts: range) -> list[bytes]:
    buffer = memoryview(bytearray(CONTENT_LEAF))
    digests = []
    for start in starts:
        length = min(CONTENT_LEAF, size - start)
        if read_at(descriptor, buffer[:length], start) < length:
            raise Mismatch(f"file of {size} bytes: it became shorter while it was read")
        digests.append(hashlib.sha256(buffer[:length]).digest())
    return digests


def read_at(descriptor: int, buffer: memoryview, start: int) -> int:
    """Fill the buffer from the file at `start`; return how many bytes there were."""
    filled = 0
    while filled < len(buffer) and (length := os.preadv(descriptor, [buffer[filled:]], start + filled)):
        filled += length
    return filled


def check_size(size: int, max_bytes: int, what: str) -> None:
    """Refuse empty content (ContentError) and content above the cap (TooLarge)."""
    if size <= 0:
        raise ContentError(f"{what}: it is empty, and empty content does not exist in this protocol")
    if size > max_bytes:
        raise TooLarge(f"{what}: {size} bytes are more than the {max_bytes} allowed here")
