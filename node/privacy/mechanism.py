"""Clips what training changed to an L2 norm and adds Gaussian noise, on the grid of the codec, before it is quantised.

Both are integers on the grid 2^-32: the clipped change rounded towards zero, so that its norm never grows, and the noise rounded to
the nearest. The noise's rounding knows nothing of the data, so that the sum's low bits tell nothing of them (Mironov, "On
significance of the least significant bits for differential privacy", CCS 2012). What the codec then does is post-processing, and so is
what it leaves out of one update and adds to the next: that has its noise already.
"""

import math
import secrets
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dao.content.tensor_files import each, map_file, map_rows, new_file
from dao.core.constants import CHUNK, VALUE_POWER
from dao.core.engine.backend import get_codec_loops
from dao.core.engine.chunking import Scratch, Span, sweep
from dao.core.engine.exact import Unfit
from dao.core.engine.merkle import compute_body_root
from dao.core.engine.reference import VALUE_GRID
from dao.core.formats.layout import Layout, Model, parse_model
from dao.core.formats.update import encode_update_prefix
from dao.core.types import Codec, Digest
from dao.errors import RuleError
from dao.runtime.failpoint import failpoint
from node.feedback_files import OpenFeedback, no_feedback

_GRID = 2.0**VALUE_POWER
_SAFE = 1 - 2.0**-40  # what float64 sums of squares may err by


def write_private_update(
    base: Path,
    trained: Path,
    codec: Codec,
    depth: int,
    out: Path,
    *,
    clip: float,
    noise: float,
    open_feedback: OpenFeedback = no_feedback,
) -> Digest:
    """Write the clipped and noised update from model file `base` to model file `trained`; return its body root. Blocks.

    Noise has the standard deviation `noise * clip` in each value. The feedback is that of private updates alone. RuleError, naming the tensor, for models of two
    layouts, a change that is not finite, or a value that the codec cannot hold.
    """
    before, after = parse_model(map_file(base)), parse_model(map_file(trained))
    layout = before.layout
    if after.layout != layout:
        raise RuleError("trained model: expected the tensors of the base model; the app changed their shapes")
    factor = _compute_factor(before, after, clip)
    loops = get_codec_loops(codec, layout.chunks)
    shape = loops.count_rows(layout.chunks), loops.leaf

    def write(span: Span, scratch: Scratch) -> None:
        values = _round_change(before, after, span, factor)
        values += draw_noise(values.shape, noise * clip)
        values[_find_padding(layout, span)] = 0
        rows = scratch.array("rows", loops.count_rows(len(values)), np.uint8, loops.leaf)
        try:
            if feedback is None:
                loops.quantise(values, 1, rows, scratch)
            else:
                feedback.pack(loops, np.asarray(values * VALUE_GRID, np.float64), rows, span, scratch)
        except Unfit as unfit:
            name = layout.name_at(span[0] * CHUNK + unfit.index)
            raise RuleError(
                f"tensor {name[:80]!r}: the noise does not fit the codec; lower clip or noise"
            ) from None
        file[loops.find_rows(span)] = rows

    with (
        open_feedback(layout) as feedback,
        new_file(out, encode_update_prefix(layout, codec), shape, np.uint8) as file,
    ):
        list(sweep(write, layout.chunks, each))
    failpoint("noised")
    return compute_body_root(map_rows(out, file), depth)


def draw_noise(shape: tuple[int, ...], deviation: float) -> NDArray[np.int64]:
    """Return Gaussian noise of this standard deviation, rounded to integers of the grid.

    By Philox, with a key of 128 bits of the system's entropy that nobody keeps.
    """
    dice = np.random.Generator(np.random.Philox(key=int.from_bytes(secrets.token_bytes(16), "big")))
    return np.rint(dice.normal(0.0, deviation * _GRID, shape)).astype(np.int64)


def compute_norm(before: Model, after: Model) -> float:
    """Return the L2 norm of what training changed; infinite or NaN where a value is."""

    def square(span: Span, _: Scratch) -> float:
        return float(np.square(_subtract(before, after, span)).sum())

    return math.sqrt(sum(sweep(square, before.layout.chunks, each)))


def _compute_factor(before: Model, after: Model, clip: float) -> float:
    """Return what the change is multiplied by, so that its norm is at most the clip, in units of the grid."""
    norm = compute_norm(before, after)
    if not math.isfinite(norm):
        raise RuleError("trained model: expected finite values; training went astray")
    return _SAFE * _GRID * min(1.0, clip / norm if norm else 1.0)


def _subtract(before: Model, after: Model, span: Span) -> NDArray[np.float64]:
    with np.errstate(invalid="ignore"):
        return after.span(*span).astype(np.float64) - before.span(*span)


def _round_change(before: Model, after: Model, span: Span, factor: float) -> NDArray[np.int64]:
    """Return the clipped change as integers of the grid, rounded towards zero, (n, CHUNK)."""
    return np.trunc(_subtract(before, after, span) * factor).astype(np.int64)


def _find_padding(layout: Layout, span: Span) -> NDArray[np.bool_]:
    """Return which values of a span belong to no tensor, (n, CHUNK)."""
    low, high = span[0] * CHUNK, span[1] * CHUNK
    is_padding = np.ones(high - low, bool)
    for run in layout.runs_within(low, high):
        is_padding[run.padded - low : run.padded - low + run.size] = False
    return is_padding.reshape(-1, CHUNK)
