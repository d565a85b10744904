"""Names what a command does once, until it has said so: repeated after an interruption, it takes up the same again."""

import secrets
from pathlib import Path

from dao.errors import ConfigError


class Unfinished:
    """A file in `folder` that names one doing of `what` from its start to its end; done on purpose again, it is another."""

    def __init__(self, folder: Path, what: str) -> None:
        self._path = folder / f"unfinished-{what}"

    def begin(self) -> str:
        """Return the name of the doing that was interrupted, or of a new one, which is on disk then."""
        try:
            if not self._path.exists():
                new = self._path.with_suffix(".new")
                new.write_text(secrets.token_hex(16))
                new.replace(self._path)
            return self._path.read_text()
        except OSError as error:
            raise ConfigError(
                f"{self._path}: cannot be written ({error.strerror}); check the folder"
            ) from None

    def end(self) -> None:
        """Forget it: its outcome was told."""
        self._path.unlink(missing_ok=True)
