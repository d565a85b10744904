"""Which apps this node's owner lets run on its data: each by the digest of its bundle, once. A list that only grows.

What is approved is kept as it was read, so that the next one can be shown as a difference.
"""

import difflib
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from dao.app.bundle import read_bundle
from dao.core.types import Digest, TaskId, hex_of
from dao.errors import ConfigError, DecodeError, RuleError
from dao.runtime.json_lines import append_line, read_lines

LIST, FOLDER = "approvals.jsonl", "approved"  # in the node's home


class NotApproved(RuleError):  # noqa: N818  (a leaf of the tree)
    """The owner has not approved the app of a task."""


@dataclass(frozen=True, slots=True)
class AppApproval:
    """An app that the owner approved, at a Unix time, when he read it for a task."""

    app: Digest
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
                AppApproval(Digest(bytes.fromhex(line["app"][2:])), TaskId(line["task"]), line["time"])
                for line in read_lines(self._list)
            ]
        except (KeyError, TypeError, ValueError) as error:
            raise ConfigError(
                f"{self._list}: a line is no approval ({error!r}); correct or delete it"
            ) from None

    def require(self, task: TaskId, app: Digest) -> None:
        """NotApproved, with what its owner can do, where an app is not approved."""
        approved = self.read()
        if app not in {each.app for each in approved}:
            what = (
                "the app changed"
                if any(each.task == task for each in approved)
                else f"the app {hex_of(app)[:10]}… waits for its owner's approval"
            )
            raise NotApproved(f"task {task}: {what}; read it and approve: dao node approve {task}")

    def approve(self, task: TaskId, app: Digest) -> None:
        """Record an approval, on the disk when this returns; a second one changes nothing."""
        if app not in {each.app for each in self.read()}:
            append_line(self._list, {"app": hex_of(app), "task": task, "time": int(time.time())})

    def keep(self, app: Digest, bundle: bytes) -> None:
        """Keep what was approved, to compare with."""
        path = self._folder / app.hex()
        if not path.exists():
            self._folder.mkdir(parents=True, exist_ok=True)
            path.write_bytes(bundle)

    def read_last(self) -> tuple[Digest, Mapping[str, str]] | None:
        """Return the app that was approved last, and its files; None where there is none, or none was kept."""
        for approval in reversed(self.read()):
            path = self._folder / approval.app.hex()
            try:
                return approval.app, read_bundle(path.read_bytes())
            except (OSError, DecodeError):
                continue
        return None


def describe_difference(files: Mapping[str, str], before: Mapping[str, str]) -> Iterator[str]:
    """Yield the lines by which an app's text differs from another's: all of it where that has no files."""
    for name in sorted(files.keys() | before.keys()):
        old, new = before.get(name, ""), files.get(name, "")
        names = name if name in before else "none", name if name in files else "none"
        yield from difflib.unified_diff(old.splitlines(), new.splitlines(), *names, lineterm="")
