"""Selects how a vector is computed: plain loops in numpy, or compiled ones once there are enough chunks to pay for them.

Both give the same bits. Numba is imported with the first large vector, for that takes longer than a small round.
"""

from dao.core.engine.chunking import LARGE
from dao.core.engine.codec_base import CodecLoops
from dao.core.engine.codec_loops import CODEC_LOOPS
from dao.core.engine.reference import PLAIN, Loops
from dao.core.types import Codec

COMPILED_FROM = LARGE  # chunks


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
