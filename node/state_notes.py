"""How the daemon of a task stands between rounds, in a small file: for `dao node status`, which is another process."""

import json
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class StateNotes:
    """The note of one task in a node's home."""

    home: Path
    task: int

    def write(self, problem: str) -> None:
        """Note that the app is ready with the data, or why it is not."""
        new = self._path.with_suffix(".new")
        new.write_text(json.dumps({"problem": problem}), encoding="utf-8")
        new.replace(self._path)

    def read(self) -> str | None:
        """Return why the task is not ready, "" where it is; None where no daemon has said."""
        try:
            found = json.loads(self._path.read_text(encoding="utf-8"))["problem"]
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return found if isinstance(found, str) else None

    @property
    def _path(self) -> Path:
        return self.home / f"state-{self.task}.json"
