"""Which apps this node's owner lets run on its data, and with which cards: each by its digest, once. A list that only grows.

A card has the app's settings, which change what its code does, and the purpose that the data serve: members change it by
vote, and the owner looks at it again. What is approved is kept as it was read, so that the next one can be shown as a difference.
"""

import difflib
import json
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from dao.app.bundle import read_bundle
from dao.core.constants import MAX_CARD
from dao.core.formats.canonical import read_json
from dao.core.types import Digest, TaskId, digest_of, hex_of
from dao.errors import ConfigError, DecodeError, RuleError
from dao.runtime.json_lines import append_line, read_lines

LIST, FOLDER = "approvals.jsonl", "approved"  # in the node's home
CARD = "task:card"  # among the files that an owner reads; no app may have a file of this name


class NotApproved(RuleError):  # noqa: N818  (a leaf of the tree)
    """The owner has not approved the app of a task, or its card."""


@dataclass(frozen=True, slots=True)
class AppApproval:
    """An app that the owner approved with a card, at a Unix time, when he read them for a task."""

    app: Digest
    card: Digest
    task: TaskId
    time: int


class Approvals:
    """The approvals of one node, in its home folder; read anew each time, for the owner approves while the daemon runs."""

    def __init__(self, home: Path) -> None:
        self._list, self._folder = home / LIST, home / FOLDER

    def read(self) -> list[AppApproval]:
        """Return all of them, the oldest first; ConfigError for a line that is none."""
        try:
            return [
                AppApproval(
                    digest_of(line["app"]), digest_of(line["card"]), TaskId(line["task"]), line["time"]
                )
                for line in read_lines(self._list)
            ]
        except (KeyError, TypeError, ValueError, DecodeError) as error:
            raise ConfigError(
                f"{self._list}: a line is no approval ({error!r}); correct or delete it"
            ) from None

    def is_approved(self, app: Digest, card: Digest | None = None) -> bool:
        """Whether an app is approved: with this card, or with any."""
        return any(each.app == app and card in (None, each.card) for each in self.read())

    def require(self, task: TaskId, app: Digest, card: Digest | None = None) -> None:
        """NotApproved, with what its owner can do, where an app is not approved, or not with this card."""
        approved = self.read()
        cards = [each.card for each in approved if each.app == app]
        if cards and card in (None, *cards):
            return
        name, digest = ("card", card) if cards and card is not None else ("app", app)
        is_known = any(each.task == task for each in approved)
        what = (
            f"the {name} changed"
            if is_known
            else f"the {name} {hex_of(digest)[:10]}… waits for its owner's approval"
        )
        raise NotApproved(f"task {task}: {what}; read it and approve: dao node approve {task}")

    def approve(self, task: TaskId, app: Digest, card: Digest) -> None:
        """Record an approval, on the disk when this returns; a second one changes nothing."""
        if not self.is_approved(app, card):
            line = {"app": hex_of(app), "card": hex_of(card), "task": task, "time": int(time.time())}
            append_line(self._list, line)

    def keep(self, digest: Digest, content: bytes) -> None:
        """Keep what was approved, an app's bundle or a card, to compare with."""
        path = self._folder / digest.hex()
        if not path.exists():
            self._folder.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)

    def read_last(self) -> tuple[AppApproval, Mapping[str, str]] | None:
        """Return what was approved last, and its files with its card; None where there is none, or none was kept."""
        for approval in reversed(self.read()):
            try:
                return approval, list_files(*(self._get(digest) for digest in (approval.app, approval.card)))
            except (OSError, DecodeError):
                continue
        return None

    def _get(self, digest: Digest) -> bytes:
        return (self._folder / digest.hex()).read_bytes()


def list_files(bundle: bytes, card: bytes) -> dict[str, str]:
    """Return what an owner reads: the files of an app, and its card, a field a line; DecodeError."""
    fields = read_json(card, "card", MAX_CARD)
    return {**read_bundle(bundle), CARD: json.dumps(fields, indent=1, ensure_ascii=False)}


def describe_difference(files: Mapping[str, str], before: Mapping[str, str]) -> Iterator[str]:
    """Yield the lines by which an app's text differs from another's: all of it where that has no files."""
    for name in sorted(files.keys() | before.keys()):
        old, new = (_split(texts.get(name, "")) for texts in (before, files))
        names = name if name in before else "none", name if name in files else "none"
        yield from difflib.unified_diff(old, new, *names, lineterm="")


def _split(text: str) -> list[str]:
    """Split a text into lines where Python does, so that two of them are never shown as one, or one as another.

    A form feed or a separator of Unicode ends no line of code, and a comment with one may hide what a line feed makes code.
    """
    return re.split("\r\n|\r|\n", text.removesuffix("\n")) if text else []
