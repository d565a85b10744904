"""Files and folders as bytes: what a simulation sends to the machines of a cluster, and where these keep it."""

import hashlib
import io
import shutil
import tarfile
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Label:
    """Names a content: `key` by its digest, `name` as the app sees it, `is_folder` where it is a tar archive of one."""

    key: str
    name: str
    is_folder: bool


def pack(path: Path) -> tuple[Label, bytes]:
    """Return a file's or a folder's label and content. Blocks; OSError where it cannot be read."""
    if path.is_dir():
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w") as tar:
            tar.add(path, arcname=".")
        content = archive.getvalue()
    else:
        content = path.read_bytes()
    return Label(hashlib.sha256(content).hexdigest(), path.name, path.is_dir()), content


class Shelf:
    """The contents that a machine has of the last order, below one folder."""

    def __init__(self, folder: Path) -> None:
        """Keep contents below `folder`, which may be there."""
        self._folder = folder
        folder.mkdir(exist_ok=True)

    async def place(
        self, labels: Sequence[Label], contents: Mapping[str, Awaitable[bytes]]
    ) -> dict[Label, Path]:
        """Return where the contents are; fetch by key what is missing, and remove all that is not among them."""
        wanted = {label.key for label in labels}
        for old in self._folder.iterdir():
            if old.name not in wanted:
                shutil.rmtree(old)
        paths = {label: self._folder / label.key / label.name for label in labels}
        for label, path in paths.items():
            if not path.exists():
                _unpack(label, await contents[label.key], path)
        return paths


def _unpack(label: Label, content: bytes, path: Path) -> None:
    """Write a content; one that was only half written is not taken for whole."""
    path.parent.mkdir(exist_ok=True)
    part = path.with_name(".part")
    if label.is_folder:
        shutil.rmtree(part, ignore_errors=True)
        with tarfile.open(fileobj=io.BytesIO(content)) as tar:
            tar.extractall(part, filter="data")
    else:
        part.write_bytes(content)
    part.rename(path)
