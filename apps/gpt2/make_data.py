"""Writes pages of Python's own manual to data/: text to deal to contributors, validation shards, and a test."""

from pathlib import Path
from pydoc_data.topics import topics

import numpy as np

WIDTH = 64  # bytes of a row
ROWS = {"train.txt": 2000, "test.txt": 200, **{f"shards/{index}.txt": 200 for index in range(5)}}

text = np.frombuffer("\n".join(topics.values()).encode(), np.uint8)
table = np.random.default_rng(0).permutation(text[: len(text) // WIDTH * WIDTH].reshape(-1, WIDTH))
folder = Path(__file__).with_name("data")
(folder / "shards").mkdir(parents=True, exist_ok=True)
for name, rows in ROWS.items():
    part, table = table[:rows], table[rows:]
    (folder / name).write_bytes(part.tobytes())
