"""The Python environment that an app's pyproject.toml asks for: built once for the same dependencies, and kept.

It is built by uv where there is one, else by venv and pip, of wheels alone: nothing of a package runs outside of the
sandbox. Everything here blocks.
"""

import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dao.errors import AppError

PROJECT_FILE = "pyproject.toml"
LARGEST_PROJECT = 1 << 20  # bytes
MAX_DEPENDENCIES = 200
BUILD_LIMIT = 1800.0  # seconds, to fetch what may be gigabytes
ALWAYS = "numpy"  # what the child's end of an app's process imports
_FIRST_WORDS, _LAST_WORDS = 300, 300  # letters of a builder that an error quotes: either may have the package
# a name of an index, with extras, versions and a marker; never an option, a path or an address
_REQUIREMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(\[[A-Za-z0-9._, -]*\])?\s*([<>=!~(;][^@\n\r]*)?")


@dataclass(frozen=True)
class AppProject:
    """What an app's pyproject.toml says: the packages it needs, and the table `[tool.commonweight]` for its author."""

    dependencies: tuple[str, ...]
    settings: Mapping[str, Any]


def read_project(app: Path) -> AppProject | None:
    """Read the pyproject.toml of an app's folder, None where there is none; AppError says what is wrong with it."""
    path = app / PROJECT_FILE
    if not path.is_file():
        return None
    with path.open("rb") as file:
        content = file.read(LARGEST_PROJECT + 1)
    if len(content) > LARGEST_PROJECT:
        raise AppError(f"{path}: expected at most {LARGEST_PROJECT} bytes")
    try:
        return _find_project(path, tomllib.loads(content.decode()))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise AppError(f"{path}: expected TOML: {error}") from None
    except RecursionError:
        raise AppError(f"{path}: expected fewer tables in one another") from None


def _find_project(path: Path, document: Mapping[str, Any]) -> AppProject:
    project, tool = document.get("project", {}), document.get("tool", {})
    settings = tool.get("commonweight", {}) if isinstance(tool, dict) else None
    dependencies = project.get("dependencies", []) if isinstance(project, dict) else None
    if not isinstance(dependencies, list) or len(dependencies) > MAX_DEPENDENCIES:
        raise AppError(f"{path}: expected dependencies as a list of at most {MAX_DEPENDENCIES} packages")
    for one in dependencies:
        if not isinstance(one, str) or not _REQUIREMENT.fullmatch(one):
            raise AppError(
                f"{path}: dependency {str(one)[:80]!r}: expected a package of an index, such as numpy>=2"
            )
    if not isinstance(settings, dict):
        raise AppError(f"{path}: expected [tool.commonweight] as a table")
    return AppProject(tuple(dependencies), settings)


def find_interpreter(app: Path) -> Path:
    """Return the interpreter of the environment that an app asks for, which is built first where it is not yet there.

    An app without dependencies in a pyproject.toml runs by this interpreter. AppError names what could not be built.
    """
    project = read_project(app)
    if project is None or not project.dependencies:
        return Path(sys.executable)
    packages = sorted({ALWAYS, *project.dependencies})
    folder = get_cache_folder() / _name_environment(packages)
    if not folder.exists():
        _build(packages, folder)
    return folder / "bin" / "python"


def is_built(app: Path) -> bool:
    """Whether `find_interpreter` has nothing to build."""
    project = read_project(app)
    if project is None or not project.dependencies:
        return True
    return (get_cache_folder() / _name_environment(sorted({ALWAYS, *project.dependencies}))).exists()


def get_cache_folder() -> Path:
    """Return the folder that environments are kept in; it may be deleted at any time that none is in use."""
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(cache).expanduser() / "commonweight" / "environments"


def _name_environment(packages: Sequence[str]) -> str:
    """Name an environment by all that makes it: the packages as they are asked for, the interpreter, the machine."""
    parts = [*sys.version_info[:3], sys.implementation.name, platform.machine(), sys.base_prefix, packages]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


def _build(packages: Sequence[str], folder: Path) -> None:
    """Build beside the place, and move there what is whole: a build that was killed leaves nothing that is used."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".building-"))
    try:
        python = fresh / "bin" / "python"
        if uv := _find_uv():
            _run([uv, "venv", "--quiet", "--allow-existing", "--python", sys.executable, str(fresh)])
            # compiled, as pip does unasked: the app cannot from within its sandbox, and each start would do it anew
            install = [uv, "pip", "install", "--quiet", "--compile-bytecode", "--python", str(python)]
        else:
            _run([sys.executable, "-m", "venv", str(fresh)])
            install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        _run([*install, "--only-binary", ":all:", *packages])
        try:
            fresh.rename(folder)
        except OSError:
            if not folder.exists():  # another process was faster otherwise
                raise
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _find_uv() -> str | None:
    beside = Path(sys.executable).with_name("uv")
    return str(beside) if beside.exists() else shutil.which("uv")


def _run(command: Sequence[str]) -> None:
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=BUILD_LIMIT, check=False
        )
    except subprocess.TimeoutExpired:
        raise AppError(f"the app's environment: took longer than {BUILD_LIMIT:.0f} s to build") from None
    if done.returncode:
        words = " ".join(re.sub(r"[^\x20-\x7e]+", " ", done.stderr or done.stdout).split())
        if len(words) > _FIRST_WORDS + _LAST_WORDS:
            words = f"{words[:_FIRST_WORDS]} … {words[-_LAST_WORDS:]}"
        raise AppError(f"the app's environment cannot be built: {words}")
