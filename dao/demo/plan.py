"""Who takes part in the demonstration, and what each of them is like."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """What a contributor brings."""

    GOOD = "good"
    SMALL = "small"  # a tenth of the data
    MISLABELLED = "mislabelled"  # 40% of its labels are wrong
    FREE_RIDER = "free-rider"  # trains nothing and sends noise
    OWN = "own data"  # files that a user named


CYCLE = (Role.GOOD, Role.GOOD, Role.SMALL, Role.MISLABELLED, Role.FREE_RIDER)
NAMES = ("Ada", "Ben", "Cleo", "Dov", "Eve", "Finn", "Gita", "Hugo", "Iris", "Jun")


@dataclass(frozen=True)
class DemoMember:
    """One contributor: `index` counts from 0."""

    index: int
    name: str
    role: Role


def members(count: int) -> Sequence[DemoMember]:
    """The first `count` contributors; roles repeat every five, names get a number when they run out."""
    found = []
    for index in range(count):
        lap, place = divmod(index, len(NAMES))
        name = NAMES[place] + (str(lap + 1) if lap else "")
        found.append(DemoMember(index, name, CYCLE[index % len(CYCLE)]))
    return found
