"""Watches an upload against its deadline: a line that cannot make it is told while something can be done about it."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from time import monotonic

from node.journal import RoundNote

SURE = 2.0  # seconds until the speed of a line is known well enough
EVERY = 1.0  # seconds between two looks
FACT = "upload"  # of a round's note: {"bytes": of its update, "rate": bytes a second}


class UploadWatch:
    """One round's upload of `size` bytes; `left` gives the seconds until its deadline, `warn` hears once, in words."""

    def __init__(self, size: int, left: Callable[[], float], warn: Callable[[str], None]) -> None:
        self._size, self._left, self._warn = size, left, warn
        self._begun, self._first, self._arrived = monotonic(), -1, 0
        self._has_warned = False

    def note(self, arrived: int) -> None:
        """Take the bytes that have arrived, or are on their way."""
        if self._first < 0:
            self._first = arrived  # in an earlier process
        self._arrived = arrived

    @property
    def rate(self) -> float:
        """Bytes a second since the upload began, pauses included."""
        return max(0, self._arrived - self._first) / max(monotonic() - self._begun, 1e-6)

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        while not self._has_warned:
            await asyncio.sleep(EVERY)
            if monotonic() - self._begun >= SURE:
                self.check()

    def check(self) -> None:
        """Warn where what is left takes longer than there is time."""
        missing = explain_shortage(self._size - self._arrived, self.rate, self._left())
        if missing and not self._has_warned:
            self._has_warned = True
            self._warn(missing)

    def fact(self) -> Mapping[str, object]:
        """Return what a later round may go by."""
        return {FACT: {"bytes": self._size, "rate": round(self.rate)}}


def explain_shortage(size: int, rate: float, left: float, what: str = "") -> str:
    """Say that so many bytes take longer at this rate than the seconds left, or than `what` has; "" where they do not."""
    if size <= 0 or size <= rate * left:
        return ""
    has = f"{what} has {left:.0f} s" if what else f"{max(left, 0):.0f} s are left"
    if not rate:
        return f"{_format_mb(size)} MB: nothing gets through, {has}"
    return f"{_format_mb(size)} MB at {_format_mb(rate)} MB/s need {size / rate:.0f} s, {has}"


def foresee_shortage(notes: Sequence[RoundNote], period: float) -> str:
    """Say that the reveal period is too short for this line, by the newest round whose upload was measured; else ""."""
    facts = (note.facts.get(FACT) for note in notes)
    last = next((fact for fact in facts if isinstance(fact, dict) and fact["rate"]), None)
    return "" if last is None else explain_shortage(last["bytes"], last["rate"], period, "the reveal period")


def _format_mb(size: float) -> str:
    return f"{size / 1e6:.1f}" if size >= 1e5 else f"{size / 1e6:.2g}"
