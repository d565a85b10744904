"""Writes floats.json, values of new models by numpy's float64 and float32: `python -m tests.vectors.make_floats`.

A row is 20 bytes, big-endian: the base value's bits u32, the aggregate's value A i64, the weight sum W u32, the new
value's bits u32.
"""

import json
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from dao.core.engine.exact import divide
from tests.vectors.dice import Dice

ROWS = 3000
WEIGHTS = (1, 2, 3, 7, (1 << 20) - 1, 1 << 20, (1 << 32) - 1)
BASES = [
    sign | bits
    for sign in (0, 1 << 31)
    for bits in (0, 1, 0x7FFFFF, 0x800000, 0x2F000000, 0x2F800000, 0x3F7FFFFF, 0x3F800000, 0x7F7FFFFF)
]
TOTALS = (
    [0]
    + [sign * size for sign in (1, -1) for size in (1, 2, 3, 1 << 20, 1 << 58, (1 << 63) - 1)]
    + [-(1 << 63)]
)


def compute_value(base: int, total: int, weight_sum: int) -> int:
    """Return the bits of the new value, as docs/protocol.md, "Aggregate", has it."""
    before = np.uint32(base).view(np.float32)
    if weight_sum == 0:
        return base
    step = np.float64(np.int64(divide(total, weight_sum))) * np.float64(2.0**-32)
    return int(np.float32(np.float64(before) + step).view(np.uint32))


def draw_rows() -> Iterator[tuple[int, int, int]]:
    """Ends of all ranges with one another, then chance, most of it where rounding is decided."""
    yield from ((base, total, weight) for base in BASES for total in TOTALS for weight in (0, *WEIGHTS))
    dice = Dice("floats")
    while True:
        base = dice.below(255 << 23) | dice.below(2) << 31
        weight = (dice.between(1, 1 << 20), 1 << dice.below(21))[dice.below(2)]
        total = dice.between(-(1 << 58), 1 << 58) >> dice.below(58)
        kind = dice.below(4)
        if kind == 0:  # half steps of T
            total = weight * dice.between(-1000, 1000) + weight // 2
        elif kind == 1:  # values that move by about their last place, to its halves
            base = base & ~(0xFF << 23) | dice.between(100, 135) << 23
            total = weight * dice.between(-(1 << 12), 1 << 12) << dice.below(16)
        elif kind == 2:  # all but the last bits cancel
            base = base & ~(0xFF << 23) | dice.between(94, 132) << 23
            value = float(np.uint32(base).view(np.float32))
            total = weight * (dice.between(-2, 2) - round(value * 2**32))
        yield base, total, weight


def floats() -> dict[str, object]:
    """All rows in one number."""
    rows = draw_rows()
    packed = b"".join(
        struct.pack(">IqII", *row, compute_value(*row)) for row, _ in zip(rows, range(ROWS), strict=False)
    )
    return {"rows": "0x" + packed.hex()}


def text() -> str:
    """The file's text."""
    return json.dumps(floats(), indent=1) + "\n"


if __name__ == "__main__":
    (Path(__file__).parent / "floats.json").write_text(text())
