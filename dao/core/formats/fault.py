"""A fault of an update: the value that no decoder takes, so that anyone can look it up under the update's root."""

from dataclasses import dataclass

from dao.core.constants import CHUNK
from dao.core.formats.json_form import Count
from dao.errors import DecodeError


@dataclass(frozen=True, slots=True)
class Fault:
    """A value of an update's body, by its chunk and its place in that, 0 to 255."""

    chunk: Count
    value: Count


class BadValue(DecodeError):  # noqa: N818  (a leaf of the tree)
    """A value of an update is none that its codec's decoder takes; `fault` is where."""

    def __init__(self, message: str, index: int) -> None:
        """`index` counts the values of the whole body."""
        super().__init__(message)
        self.fault = Fault(*divmod(index, CHUNK))


def find_fault(error: DecodeError) -> Fault | None:
    """Return the value that an error is of; None where it is of no value, so that no leaf shows it."""
    return error.fault if isinstance(error, BadValue) else None
