"""Packs a training app, a folder of text files, as one canonical content, whose digest the DAO votes for; and unpacks it.

An app is a folder with `app.py`, which defines

- `model()`: an object with `state_dict` and `load_state_dict` of float32 tensors, such as a torch `nn.Module`, or a
  mapping of names to numpy arrays, of which `train` returns new ones;
- `data(path)`: the data that `train` and `loss` take;
- `train(model, data, *, seed, round)`: trains in place; it may yield its progress and return or yield its metrics;
- `loss(model, batch)`: the mean loss, a scalar that torch can differentiate;
- `gradient(weights, batch)`, optional, where `model()` gives numpy arrays by name: that of `loss`;
- `metrics(model, data)`, optional: figures for people to read, such as the accuracy.

A folder with a pyproject.toml that has the table `[tool.flwr.app]`, and no `app.py`, is a Flower app: its ServerApp and its
ClientApp are what these functions are of others (`dao.app.flower_app`).

A file `schema.json` says what the data must look like (`dao.app.data_schema`). Hidden files, `__pycache__` and a folder
`data` beside `app.py` are not part of an app. Nor is `base/model.safetensors`, a model that the app adapts and does not train: the
task's card binds it by its digest (`dao.app.frozen_base`).
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from dao.app.data_schema import DataSchema, read_schema
from dao.app.environment import PROJECT_FILE
from dao.app.flower_project import read_flower_project
from dao.core.formats.canonical import read_canonical, write_canonical
from dao.core.types import Digest
from dao.errors import AppError, DaoError, DecodeError
from dao.store.cid import cid_of_bytes

FORMAT = "app/1"
MAX_BYTES = 4 << 20
MAX_FILES = 1000
MAX_PATH = 200  # letters
DATA_FOLDER = "data"  # what its author tries an app on
FROZEN_BASE = "base/model.safetensors"


def bundle(folder: Path) -> bytes:
    """Write a folder as content. AppError names the file that cannot be part of an app and says why."""
    files: dict[str, str] = {}
    size = 0
    for path in _walk(folder, DATA_FOLDER):
        name = path.relative_to(folder).as_posix()
        if name == FROZEN_BASE:
            continue
        size += path.stat().st_size
        if size > MAX_BYTES or len(files) == MAX_FILES:
            raise AppError(
                f"app {folder}: expected at most {MAX_FILES} files and {MAX_BYTES} bytes; keep data elsewhere"
            )
        files[name] = _text(path, name)
    try:
        content = write_canonical({"files": files, "format": FORMAT})
        read_schema(read_bundle(content))
    except DaoError as error:
        raise AppError(f"app {folder}: {error}") from None
    return content


def find_schema(content: bytes) -> DataSchema | None:
    """Return what a content's app says of its data; None where it says nothing, or nothing that is a schema.

    `bundle` refuses the latter; whoever made the content by other means is checked by running the app.
    """
    try:
        return read_schema(read_bundle(content))
    except DecodeError:
        return None


def read_bundle(content: bytes) -> dict[str, str]:
    """Return path and text of each file; DecodeError names what does not follow the format."""
    obj = read_canonical(content, "app", MAX_BYTES)
    files = obj.get("files")
    if obj.keys() != {"files", "format"} or obj["format"] != FORMAT or not isinstance(files, dict):
        raise DecodeError(f"app: expected the fields files and format, with format {FORMAT!r}")
    if len(files) > MAX_FILES:
        raise DecodeError(f"app: expected at most {MAX_FILES} files, got {len(files)}")
    names = {name.casefold() for name in files}
    if len(names) != len(files):
        raise DecodeError("app: expected file names that differ in more than case")
    for name, text in files.items():
        _check_name(name)
        if not isinstance(text, str) or "\0" in text:
            raise DecodeError(f"app file {name!r}: expected text")
        if any(str(parent).casefold() in names for parent in PurePosixPath(name).parents):
            raise DecodeError(f"app file {name!r}: a folder it is in is a file too")
    if "app.py" not in files and not is_flower_project(files.get(PROJECT_FILE, "")):
        raise DecodeError(f"app: expected app.py, or a Flower app's {PROJECT_FILE} with [tool.flwr.app]")
    return files


def is_flower_project(text: str) -> bool:
    """Whether a pyproject.toml is that of a Flower app; DecodeError for one that is no TOML, or names no components."""
    try:
        return read_flower_project(text) is not None
    except ValueError as error:
        raise DecodeError(f"app file {PROJECT_FILE!r}: {error}") from None


def is_app(folder: Path) -> bool:
    """Whether a folder is that of an app, of a Flower app too; errors as `is_flower_app`."""
    return (folder / "app.py").is_file() or is_flower_app(folder)


def is_flower_app(folder: Path) -> bool:
    """Whether a folder is that of a Flower app; DecodeError as above, AppError for a file that cannot be read."""
    path = folder / PROJECT_FILE
    if (folder / "app.py").is_file() or not path.is_file():
        return False
    return is_flower_project(_text(path, PROJECT_FILE))


def compute_app_digest(content: bytes) -> Digest:
    """Return the digest that a task's rules name a bundle by."""
    return cid_of_bytes(content).digest


def unpack(content: bytes, into: Path) -> Path:
    """Make the folder `into` hold exactly the files of a bundle, and return it; DecodeError for a bad bundle.

    A folder that holds this bundle already is left as it is; any other one is replaced as a whole.
    """
    files = read_bundle(content)
    if into.exists():
        try:
            if bundle(into) == content:
                return into
        except AppError:
            pass
    into.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(dir=into.parent, prefix=".app-"))
    try:
        for name, text in files.items():
            (fresh / name).parent.mkdir(parents=True, exist_ok=True)
            (fresh / name).write_text(text, encoding="utf-8", newline="")
        if into.exists():
            shutil.rmtree(into)
        fresh.rename(into)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return into


def _walk(folder: Path, *left_out: str) -> Iterator[Path]:
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        raise AppError(f"app {folder}: expected a readable folder: {error.strerror}") from None
    for entry in entries:
        if entry.name.startswith(".") or entry.name in ("__pycache__", *left_out):
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(Path(entry.path))
        elif entry.is_file(follow_symlinks=False):
            yield Path(entry.path)
        else:
            raise AppError(f"app file {entry.path}: is a link or device; expected a regular file")


def _text(path: Path, name: str) -> str:
    try:
        return path.read_bytes().decode()
    except UnicodeDecodeError:
        raise AppError(
            f"app file {name!r}: is not UTF-8 text; keep binary data out of the app's folder"
        ) from None


def _check_name(name: str) -> None:
    parts = name.split("/")
    if (
        len(name) > MAX_PATH
        or not name.isprintable()
        or any(letter in name for letter in '\\:*?"<>|')
        or (parts[0] == DATA_FOLDER and len(parts) > 1)
        or name == FROZEN_BASE
        or any(
            part in ("", "__pycache__") or part.startswith(".") or part.endswith((".", " ")) for part in parts
        )
    ):
        raise DecodeError(
            f"app file {name[:MAX_PATH]!r}: expected a relative path of at most {MAX_PATH} printable letters, "
            f"with / between its parts, none hidden, not within data and not {FROZEN_BASE}"
        )
