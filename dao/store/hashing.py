"""Hashes files at the speed of the machine: leaves are independent, and what hashes them lets other threads run."""

import hashlib
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from dao.core.constants import CONTENT_LEAF
from dao.core.engine.backend import LANES, get_lane_hasher
from dao.core.formats.cid import Cid
from dao.errors import ContentError, Mismatch, TooLarge
from dao.store.cid import TreeBuilder

_THREADS = min(4, os.cpu_count() or 1)
_FEW = LANES // 2  # leaves that are hashed as fast one by one as in so many lanes
_PIECE = 1 << 16  # bytes of each leaf that are hashed at a time: what is read stays in the cache
_pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="hash")


def cid_of_file(descriptor: int, size: int) -> Cid:
    """Return the CID of an open file's first `size` bytes. Blocks; call it in a thread.

    It reads into a buffer instead of mapping the file, for a mapped file that another program shortens would kill
    the process. Mismatch when the file is shorter, ContentError when `size` is 0.
    """
    starts = range(0, size, CONTENT_LEAF)
    share = min(LANES, max(-(-len(starts) // _THREADS), 4))  # a thread costs more than a few leaves
    groups = [starts[i : i + share] for i in range(0, len(starts), share)]
    others = [_pool.submit(_hash_leaves, descriptor, size, group) for group in groups[1:]]
    tree = TreeBuilder()
    try:
        digests = _hash_leaves(descriptor, size, starts[:share])
        for other in others:
            digests += other.result()
    finally:
        for other in others:  # the caller closes the file: no thread may still read it
            if not other.cancel():
                other.exception()
    for start, digest in zip(starts, digests, strict=True):
        tree.add(digest, min(CONTENT_LEAF, size - start))
    return tree.root()


def _hash_leaves(descriptor: int, size: int, starts: range) -> list[bytes]:
    """Return the digests of the leaves that begin there, at most LANES."""
    whole = [start for start in starts if start + CONTENT_LEAF <= size]
    digests = _hash_together(descriptor, whole) if len(whole) >= _FEW else []
    buffer = memoryview(bytearray(CONTENT_LEAF if len(digests) < len(starts) else 0))
    for start in starts[len(digests) :]:
        leaf = buffer[: min(CONTENT_LEAF, size - start)]
        _read(descriptor, leaf, start)
        digests.append(hashlib.sha256(leaf).digest())
    return digests


def _hash_together(descriptor: int, starts: Sequence[int]) -> list[bytes]:
    """Return the digests of whole leaves; none where this processor cannot hash several at a time."""
    hasher = get_lane_hasher()
    if hasher is None:
        return []
    pieces = np.zeros((LANES, _PIECE), np.uint8)
    rows = [memoryview(row) for row in pieces[: len(starts)]]
    for offset in range(0, CONTENT_LEAF, _PIECE):
        for row, start in zip(rows, starts, strict=True):
            _read(descriptor, row, start + offset)
        hasher.update(pieces)
    return hasher.finish()[: len(starts)]


def _read(descriptor: int, buffer: memoryview, start: int) -> None:
    if read_at(descriptor, buffer, start) < len(buffer):
        raise Mismatch(f"file of more than {start} bytes: it became shorter while it was read")


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
