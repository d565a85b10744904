"""Digests and addresses in text, codecs by number, and errors of one line."""

import pickle
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dao import errors
from dao.core.types import Codec, bytes_of, digest_of, hex_of
from dao.errors import DaoError, DecodeError, Reverted

ROOT = Path(__file__).parents[2]


@given(st.binary(min_size=32, max_size=32))
def test_digest__any__reads_back(data: bytes) -> None:
    assert digest_of(hex_of(data)) == data


@pytest.mark.parametrize(
    "text", ["", "0x", "0x0", "00", "0xzz", "0x00 ", " 0x00", "0x00\n", "0X00", "0x0000"]
)
def test_bytes_of__not_one_byte__refused_by_name(text: str) -> None:
    with pytest.raises(DecodeError, match=r"salt: expected 0x and 2 (lowercase )?hex digits"):
        bytes_of(text, 1, "salt")


def test_digest_of__upper_case__refused() -> None:
    with pytest.raises(DecodeError, match="seed"):
        digest_of("0x" + "AB" * 32, "seed")


def test_codec__numbers__as_in_the_rules() -> None:
    assert [Codec.numbered(n) for n in range(3)] == [Codec.INT8, Codec.FLOAT32, Codec.TOPK]
    assert [codec.number for codec in Codec] == list(range(len(Codec)))


@pytest.mark.parametrize("number", [-1, len(Codec), 255])
def test_codec__unknown_number__refused(number: int) -> None:
    with pytest.raises(DecodeError, match=f"codec {number}: expected 0 to {len(Codec) - 1}"):
        Codec.numbered(number)


def test_error__message_of_many_lines__one_line() -> None:
    assert str(DaoError("task 1:\n  expected\tless")) == "task 1: expected less"


def test_reverted__through_another_process__keeps_its_error() -> None:
    error = pickle.loads(pickle.dumps(Reverted("commit refused", "TooLate", (5,))))  # noqa: S301
    assert (str(error), error.error, error.arguments) == ("commit refused", "TooLate", (5,))


def read_drawn_tree() -> dict[str, str]:
    """Each error of the docstring's tree with its parent."""
    parents: dict[str, str] = {}
    path: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        if match := re.match(r"([│ ├└─]*)\(?([A-Z]\w+Error|[A-Z]\w+)\)?(?= {2,}|$)", line):
            del path[len(match[1]) // 4 :]
            parents[match[2]] = path[-1] if path else "Exception"
            path.append(match[2])
    return parents


def test_errors__the_tree_in_the_docstring__is_the_tree() -> None:
    files = [path for room in ("dao", "node", "aggregator") for path in (ROOT / room).rglob("*.py")]
    text = "\n".join(path.read_text() for path in files)
    classes = dict(re.findall(r"^class (\w+)\((\w+)\):", text, re.MULTILINE))
    tree = {"DaoError": "Exception"}
    while more := {kind: parent for kind, parent in classes.items() if parent in tree and kind not in tree}:
        tree |= more
    assert read_drawn_tree() == tree
