"""Reports what the Superlink does, one JSON line an event, in a file that people and programs may follow.

The same goes to the log, with the length of a list in place of the list.
"""

import json
import time
from pathlib import Path

import structlog

from dao.core.types import hex_of

_log = structlog.get_logger()
WARNINGS = ("waiting", "trouble", "aborted", "lost", "void", "equivocation", "demanded")
LIMIT = 8 << 20  # bytes; a longer file is renamed to NAME.1


class StatusStream:
    """Writes `status.jsonl` in the Superlink's home: `{"time": seconds, "event": name, …}` a line.

    Events: `opened`, `committed`, `closed`, `revealed`, `working`, `posted`, `finalized`, `aborted`,
    `passed`, `void`, `equivocation`, `convicted`, `demanded`, `answered`, `transaction`, `keeping`, `dropped`, `waiting`, `trouble`, `lost`,
    `over`, `alone`. Deadlines are block times in Unix seconds.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True)

    def emit(self, event: str, **fields: object) -> None:
        """Append an event; bytes are written as hex digits."""
        line = json.dumps({"time": round(time.time(), 3), "event": event, **fields}, default=_text)
        if self._path.exists() and self._path.stat().st_size > LIMIT:
            self._path.replace(self._path.with_name(self._path.name + ".1"))
        with self._path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")
        log = _log.warning if event in WARNINGS else _log.info
        log(event, **{name: _short(value) for name, value in fields.items()})


def _short(value: object) -> object:
    if isinstance(value, int | float | str) or value is None:
        return value
    return len(value) if isinstance(value, list) else _text(value)


def _text(value: object) -> str:
    return hex_of(value) if isinstance(value, bytes) else str(value)
