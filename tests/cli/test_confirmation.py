"""Ctrl-C at any moment of a question: one line, exit code 130, and nothing is signed."""

import io
import signal
import sys

import pytest
import typer

from dao.cli.confirmation import require_consent


class InterruptedTerminal(io.RawIOBase):
    """A terminal at which Ctrl-C is pressed while certain words are written to it, and again with each later write."""

    def __init__(self, words: bytes) -> None:
        self._words = words
        self.written = b""
        self.is_pressed = False

    def isatty(self) -> bool:
        return True

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        piece = bytes(data)  # type: ignore[call-overload]
        self.written += piece
        if self.is_pressed or self._words in piece:
            self.is_pressed = True
            signal.raise_signal(signal.SIGINT)
        return len(piece)


@pytest.mark.parametrize("words", [b"delegate your votes", b"Sign this?"])
def test_require_consent__ctrl_c_while_it_writes__stops_with_130(
    words: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = InterruptedTerminal(words)
    monkeypatch.setattr(sys, "stderr", io.TextIOWrapper(io.BufferedWriter(terminal), write_through=True))
    monkeypatch.setattr(sys, "stdin", terminal)
    with pytest.raises(typer.Exit) as stopped:
        require_consent(["You are about to delegate your votes"], yes=False)
    assert stopped.value.exit_code == 130
    assert terminal.written.endswith(b"\ndao: stopped; nothing was signed\n")
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
