"""Messages: one line of plain text, whatever others' bytes they quote."""

import pytest

from dao.errors import DecodeError


@pytest.mark.parametrize(
    ("quoted", "shown"),
    [
        ("two\nlines", "two lines"),
        ("half a character \ud800", r"half a character \ud800"),
        ("a terminal's \x1b[2J", r"a terminal's \x1b[2J"),
        ("Größe, 模型", "Größe, 模型"),
    ],
)
def test_message__quotes_bytes_of_others__is_one_line_that_can_be_shown(quoted: str, shown: str) -> None:
    message = str(DecodeError(quoted))
    assert message == shown
    assert message.encode().decode() == shown
