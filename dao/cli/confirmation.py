"""Shows a member what is about to be signed, and asks for consent."""

import select
import signal
import sys
from collections.abc import Iterable

import typer

from dao.cli.output import printable
from dao.errors import ConfigError

_POLL = 0.1  # seconds between checks for Ctrl-C while nothing is typed


def require_consent(words: Iterable[str], yes: bool, *, verb: str = "Sign", done: str = "signed") -> None:
    """Print what is about to be signed, and ask unless `yes`; ConfigError without a terminal, Abort for a no.

    `verb` and `done` name another act than signing.

    Ctrl-C ends it at once, with exit code 130.
    """
    before = signal.getsignal(signal.SIGINT)
    try:
        # the event loop would heed Ctrl-C only once there is an answer; a handler that writes itself would fail while
        # the question is being written
        signal.signal(signal.SIGINT, signal.default_int_handler)
        _show_and_ask(words, yes, verb, done)
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second one must not end these words
        typer.echo(f"\ndao: stopped; nothing was {done}", err=True)
        raise typer.Exit(130) from None
    finally:
        signal.signal(signal.SIGINT, before)


def _show_and_ask(words: Iterable[str], yes: bool, verb: str, done: str) -> None:
    for line in words:
        typer.echo(printable(line), err=True)
    if yes:
        return
    if not sys.stdin.isatty():
        raise ConfigError(f"nothing was {done}: expected --yes, or a terminal to ask at")
    if not _ask(f"{verb} this? [y/N]: "):
        raise typer.Abort


def _ask(question: str) -> bool:
    """Ask until the answer is yes or no; the end of the input, and an empty line, are no."""
    answers = {"y": True, "yes": True, "n": False, "no": False, "": False}
    while True:
        typer.echo(question, nl=False, err=True)
        # a Ctrl-C just before a read that blocks would be heeded only after it
        while not select.select([sys.stdin], [], [], _POLL)[0]:
            pass
        answer = sys.stdin.readline().strip().lower()
        if answer in answers:
            return answers[answer]
