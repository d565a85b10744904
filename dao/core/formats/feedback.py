"""Error feedback: what a sparse update leaves out is kept, and taken along by the next one.

Without it most of what training changes would be lost, for `topk` sends one value in seventy (Seide et al., "1-bit stochastic
gradient descent", Interspeech 2014; Stich et al., "Sparsified SGD with memory", NeurIPS 2018). It is the node's own: no round
binds it, and an update without it is as valid.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dao.core.constants import VALUE_POWER
from dao.core.engine.chunking import Scratch, Sink, Span
from dao.core.engine.codec_base import CodecLoops, Doubles, Rows
from dao.core.engine.reference import VALUE_GRID
from dao.core.formats.layout import FLOAT, Layout, Model, put_chunks


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

        `change` is used up. Raises Unfit as `CodecLoops.encode` does.
        """
        if self.before is not None:
            change += self.before.span(*span)
        left, room = (scratch.array(name, len(change), np.float64) for name in ("left", "room"))
        left[:] = change
        loops.pack(change, room, VALUE_POWER, rows)
        left -= loops.values(rows)[: len(left)] * VALUE_GRID
        put_chunks(self.layout, self.after, span[0], np.ascontiguousarray(left, FLOAT))
