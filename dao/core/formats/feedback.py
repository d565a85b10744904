"""Error feedback: what a sparse update leaves out is kept, and taken along by later ones.

Without it most of what training changes would be lost, for `topk` sends one value in seventy (Seide et al., "1-bit stochastic
gradient descent", Interspeech 2014; Stich et al., "Sparsified SGD with memory", NeurIPS 2018). Each value waits for its turn
then, and the model is behind what its nodes know. Three things make up for it. Training starts ahead of the base model, by a
part of what was left out, so that it does not learn the same once more (Xu et al., "Step-ahead error feedback", AAAI 2021;
a part of it: Redie et al., "SA-PEF", 2026). What was left out fades, so that none of it is sent when it is long stale (Sarfi
et al., "Communication efficient LLM pre-training with SparseLoCo", 2025). And more is sent than has gathered: it makes up for
what faded, and the model is ahead after a value's turn instead of always behind. All this is the node's own: no round binds it,
and an update without it is as valid.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dao.core.constants import VALUE_POWER
from dao.core.engine.chunking import Scratch, Sink, Span
from dao.core.engine.codec_base import CodecLoops, Doubles, Rows
from dao.core.engine.reference import VALUE_GRID
from dao.core.formats.layout import FLOAT, Layout, Model, put_chunks

AHEAD = 0.5  # part of what was left out by which training starts ahead of the base model
KEPT = 0.97  # part of what was left out that is still there a round later
GAIN = 1.75  # what is sent of a value, of what has gathered
_PART = 1 << 17  # values


@dataclass(frozen=True, eq=False)
class Feedback:
    """What earlier updates left out (`before`, None: nothing), and where what this one leaves out goes (`after`).

    Both are values in the order of a model's file, (size,) float32.
    """

    layout: Layout
    before: Model | None
    after: Sink

    def pack(self, loops: CodecLoops, change: Doubles, rows: Rows, span: Span, scratch: Scratch) -> None:
        """Write a span's change, (n, CHUNK), and what was left of earlier ones into rows; keep what these leave out.

        `change` is used up. Raises Unfit as `CodecLoops.encode` does, with GAIN times the value.
        """
        left, room = (scratch.array(name, len(change), np.float64) for name in ("left", "room"))
        if self.before is not None:
            np.multiply(self.before.span(*span), KEPT, out=room)
            change += room
        left[:] = change
        change *= GAIN
        loops.pack(change, room, VALUE_POWER, rows)
        left -= loops.values(rows)[: len(left)] * VALUE_GRID
        put_chunks(self.layout, self.after, span[0], np.ascontiguousarray(left, FLOAT))


def write_start(base: Model, left: Model, out: Sink) -> None:
    """Write the values that training starts from, (size,) float32 in the order of the file, into `out`.

    `left` is what the node's updates have left out so far, of the same layout as the round's base model.
    """
    for low in range(0, base.layout.size, _PART):
        part = slice(low, min(low + _PART, base.layout.size))
        out[part] = base.flat[part] + AHEAD * left.flat[part]
