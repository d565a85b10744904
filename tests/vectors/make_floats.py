"""Writes floats.json, values of new models by numpy's float64 and float32, and steps: `python -m tests.vectors.make_floats`.

`rows` are of 16 bytes, big-endian: the base value's bits u32, the step i64 on the grid 2^-32, the new value's bits u32. `int8`
are of 581: the weight sum W u32, 64 values of the aggregate i64, the 64 digits of the step, their exponent. `float32` are of 16: W u32, a value of the
aggregate i64, the bits of the step's u32.
"""

import json
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from dao.core.engine.chunking import Scratch
from dao.core.engine.codec_loops import CODEC_LOOPS
from dao.core.types import Codec
from tests.vectors.dice import Dice

ROWS = 3000
CHUNKS = {Codec.INT8: 40, Codec.FLOAT32: 8}  # of steps
WEIGHTS = (1, 2, 3, 7, (1 << 20) - 1, 1 << 20)
BASES = [
    sign | bits
    for sign in (0, 1 << 31)
    for bits in (0, 1, 0x7FFFFF, 0x800000, 0x2F000000, 0x2F800000, 0x3F7FFFFF, 0x3F800000, 0x7F7FFFFF)
]
STEPS = [0] + [sign * size for sign in (1, -1) for size in (1, 2, 3, 1 << 20, 127 << 31, (1 << 38) - 1)]


def compute_value(base: int, step: int) -> int:
    """Return the bits of the new value, as docs/protocol.md, "Aggregate", has it."""
    before = np.uint32(base).view(np.float32)
    moved = np.float64(before) + np.float64(step) * np.float64(2.0**-32)
    return int(np.float32(moved + np.float64(0)).view(np.uint32))


def draw_rows() -> Iterator[tuple[int, int]]:
    """Ends of all ranges with one another, then chance, most of it where rounding is decided."""
    yield from ((base, step) for base in BASES for step in STEPS)
    dice = Dice("floats")
    while True:
        base = dice.below(255 << 23) | dice.below(2) << 31
        step = dice.between(-(1 << 38) + 1, (1 << 38) - 1) >> dice.below(38)
        kind = dice.below(3)
        if kind == 0:  # values that move by about their last place, to its halves
            base = base & ~(0xFF << 23) | dice.between(100, 135) << 23
            step = dice.between(-(1 << 12), 1 << 12) << dice.below(16)
        elif kind == 1:  # all but the last bits cancel
            base = base & ~(0xFF << 23) | dice.between(94, 132) << 23
            value = float(np.uint32(base).view(np.float32))
            step = dice.between(-2, 2) - round(value * 2**32)
        yield base, step


def draw_totals(dice: Dice, codec: Codec, weight: int) -> list[int]:
    """Draw a chunk of sums, most of them about halves of the grid and of a block's digits, no larger than a sum can be."""
    totals = []
    for block in range(4):
        shift = dice.below(32)  # of the block's largest
        for place in range(64):
            digit = dice.between(-127, 127) if place else 127 - block % 2
            half = dice.below(3) * (1 << shift) // 2
            total = weight * ((digit << shift) - half) + dice.between(-weight, weight) // 2
            largest = weight * (127 << 31)
            totals.append(max(-largest, min(total, largest)))
    return totals if codec is Codec.INT8 else [total + dice.between(-9, 9) for total in totals]


def pack_steps(codec: Codec) -> bytes:
    """Return rows of a codec's steps, as numpy encodes them."""
    dice, loops, packed = Dice(f"steps {codec.value}"), CODEC_LOOPS[codec], []
    for number in range(CHUNKS[codec]):
        weight = WEIGHTS[number] if number < len(WEIGHTS) else dice.between(1, 1 << 20)
        totals = draw_totals(dice, codec, weight)
        row = np.empty((1, loops.leaf), np.uint8)
        loops.quantise(np.array([totals]), weight, row, Scratch())
        step = row.tobytes()
        if codec is Codec.INT8:
            for block in range(4):
                part = slice(64 * block, 64 * block + 64)
                packed.append(
                    struct.pack(">I64q", weight, *totals[part]) + step[part] + step[256 + block :][:1]
                )
        else:
            packed += [
                struct.pack(">Iq", weight, total) + step[4 * place : 4 * place + 4]
                for place, total in enumerate(totals)
            ]
    return b"".join(packed)


def floats() -> dict[str, object]:
    """All rows of a kind in one number."""
    rows = draw_rows()
    packed = b"".join(
        struct.pack(">IqI", *row, compute_value(*row)) for row, _ in zip(rows, range(ROWS), strict=False)
    )
    steps = {codec.value: "0x" + pack_steps(codec).hex() for codec in CHUNKS}
    return {"rows": "0x" + packed.hex(), **steps}


def text() -> str:
    """The file's text."""
    return json.dumps(floats(), indent=1) + "\n"


if __name__ == "__main__":
    (Path(__file__).parent / "floats.json").write_text(text())
