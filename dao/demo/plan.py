"""The contributors of the demonstration: names and roles."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """The quality of a contributor's data."""

    GOOD = "good"
    SMALL = "small"  # a tenth of the data, of few classes
    MISLABELLED = "mislabelled"  # 40% of its labels are wrong
    FREE_RIDER = "free-rider"  # trains nothing and sends noise
    OWN = "own data"  # files that a user named
    DEALT = "dealt data"  # rows of a file, dealt among all
    ATTACKER = "attacker"  # what it does stands behind its name


CYCLE = (Role.GOOD, Role.GOOD, Role.SMALL, Role.MISLABELLED, Role.FREE_RIDER)
NAMES = ("Ada", "Ben", "Cleo", "Dov", "Eve", "Finn", "Gita", "Hugo", "Iris", "Jun")


@dataclass(frozen=True)
class DemoMember:
    """One contributor: `index` counts from 0."""

    index: int
    name: str
    role: Role


def list_members(count: int) -> Sequence[DemoMember]:
    """Return the first `count` contributors; roles repeat every five, names get a number when they run out."""
    members = []
    for index in range(count):
        lap, place = divmod(index, len(NAMES))
        name = NAMES[place] + (str(lap + 1) if lap else "")
        members.append(DemoMember(index, name, CYCLE[index % len(CYCLE)]))
    return members
