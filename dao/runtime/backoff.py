"""How long to wait between attempts at what may come right."""

from collections.abc import Iterator
from random import uniform

FIRST, LONGEST = 0.1, 5.0  # seconds


def pauses(first: float = FIRST, longest: float = LONGEST) -> Iterator[float]:
    """Give growing pauses, in seconds, for ever; each a little off, so that many nodes do not come back as one."""
    pause = first
    while True:
        yield pause * uniform(0.8, 1.2)  # noqa: S311  (no secret)
        pause = min(2 * pause, longest)
