"""Reads amounts and digests, prints fields, tables and JSON, and sets the format of logs."""

import json
import logging
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import structlog
from structlog.typing import Processor

from dao.chain.deploy import TOKEN
from dao.core.formats.cid import Cid
from dao.core.types import Digest, Wei, digest_of, hex_of
from dao.errors import ConfigError, DecodeError

_ABSENT = "–"  # in a table, of a row without this field


def parse_tokens(text: str, what: str, *, or_none: bool = True) -> Wei:
    """Read an amount of whole tokens (or ether), as `2.5`, exactly; ConfigError names `what`.

    `or_none`: 0 is an amount, too.
    """
    match = re.fullmatch(r"(\d{1,40})(?:\.(\d{1,18}))?", text, re.ASCII)
    wei = Wei(int(match[1]) * TOKEN + int((match[2] or "").ljust(18, "0"))) if match else Wei(0)
    if match is None or not (wei or or_none):
        form = "such as 100 or 2.5" if or_none else "above 0, such as 100 or 2.5"
        raise ConfigError(f"{what}: expected an amount of tokens {form}, got {text[:40]!r}")
    return wei


def parse_digest(text: str, what: str) -> Digest:
    """Read a digest in hex, or the CID of what it is of; ConfigError names `what`."""
    try:
        return digest_of(text.lower()) if text[:2].lower() == "0x" else Cid.parse(text).digest
    except DecodeError:
        raise ConfigError(f"{what}: expected 0x and 64 hex digits, or a CID, got {text[:80]!r}") from None


def printable(text: str) -> str:
    """Return a text of others on one line, without the control characters that a terminal would obey."""
    return "".join(char if char.isprintable() else " " for char in text)


def require_writable(path: Path | None, what: str) -> None:
    """Check, before hours of work, that its outcome can be written to a path; ConfigError names `what`."""
    if path is not None and (path.is_dir() or not path.absolute().parent.is_dir()):
        raise ConfigError(f"{what} {path}: expected a file in a folder that exists")


def require_empty(folder: Path, what: str = "") -> None:
    """Check that a folder can be made, or has nothing in it; ConfigError names it, behind the option `what`."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigError(
            f"{what} {folder}: is there already; expected a new name, or an empty folder".lstrip()
        )


def print_json(value: object) -> None:
    """Print JSON for scripts; bytes become hex digits."""
    print(json.dumps(value, indent=2, default=_text))


def print_fields(fields: Mapping[str, object]) -> None:
    """Print one field a line, the values aligned."""
    width = max(map(len, fields))
    for name, value in fields.items():
        print(f"{name:<{width}}  {_text(value)}")


def print_table(rows: Sequence[Mapping[str, object]], nothing: str) -> None:
    """Print rows under the names of all their fields, in order of appearance; `nothing` where there are none."""
    if not rows:
        print(nothing)
        return
    names = tuple(dict.fromkeys(name for row in rows for name in row))
    lines = [names, *(tuple(_text(row.get(name, _ABSENT)) for name in names) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        print("  ".join(f"{cell:<{width}}" for cell, width in zip(line, widths, strict=True)).rstrip())


def log_to_stderr() -> None:
    """Log to stderr, one line an event, in one format for structlog and for libraries that use logging.

    A traceback shows no local values, so no secret.
    """
    stamp = structlog.processors.TimeStamper(fmt="iso", utc=True)
    shared: list[Processor] = [
        structlog.stdlib.add_log_level,
        stamp,
        structlog.processors.format_exc_info,
    ]
    line = structlog.processors.KeyValueRenderer(key_order=["timestamp", "level", "event"])
    structlog.configure(
        processors=[*shared, line],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, line],
        )
    )
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)


def _text(value: object) -> str:
    return hex_of(value) if isinstance(value, bytes) else str(value)
