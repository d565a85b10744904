"""Selects how a vector is computed: plain loops in numpy, or compiled ones once there are enough chunks to pay for them.

Both give the same bits. Numba is imported with the first large vector, for that takes longer than a small round.
"""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from dao.core.engine.chunking import LARGE
from dao.core.engine.codec_base import CodecLoops
from dao.core.engine.codec_loops import CODEC_LOOPS
from dao.core.engine.reference import PLAIN, Loops
from dao.core.types import Codec

COMPILED_FROM = LARGE  # chunks
LANES = 16  # messages that are hashed at a time, where the processor has room for so many


class PieceHasher(Protocol):
    """Hashes LANES messages of one length, of which pieces come together."""

    def update(self, pieces: NDArray[np.uint8], /) -> None:
        """Take the next piece of each message, (LANES, n) of whole blocks of 64 bytes."""

    def finish(self) -> list[bytes]:
        """Return the messages' sha256."""


def get_loops(chunks: int) -> Loops:
    """Return the loops for a vector of this many chunks."""
    if chunks < COMPILED_FROM:
        return PLAIN
    from dao.core.engine.numba_backend import COMPILED

    return COMPILED


def is_sparse(codec: Codec) -> bool:
    """Whether updates of a codec leave values out, which the next ones take along."""
    return codec is Codec.TOPK


def get_step_codec(codec: Codec) -> Codec:
    """Return how a round's step is encoded where its updates are encoded so."""
    return Codec.INT8 if is_sparse(codec) else codec


def get_codec_loops(codec: Codec, chunks: int) -> CodecLoops:
    """Return the arithmetic of a codec for updates of this many chunks."""
    if codec is not Codec.INT8 or chunks < COMPILED_FROM:
        return CODEC_LOOPS[codec]
    from dao.core.engine.numba_backend import INT8

    return INT8


def get_lane_hasher() -> PieceHasher | None:
    """Return a new hasher of messages that are large enough for compiled loops to pay; None where the processor has none."""
    from dao.core.engine.numba_backend import lane_hasher

    return None if lane_hasher is None else lane_hasher()
