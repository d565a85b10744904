"""An environment of its own with a few of the packages that are installed here, and no other, such as web3."""

import os
import subprocess
import sys
import venv
from importlib.metadata import distribution
from importlib.util import cache_from_source
from pathlib import Path

from packaging.requirements import Requirement


def make_environment(folder: Path, *packages: str) -> Path:
    """Make a virtual environment with packages and what they need, linked from this one; return its interpreter."""
    venv.create(folder, with_pip=False, symlinks=True)
    (site,) = folder.glob("lib/python3*/site-packages")
    for name in sorted(list_needed(packages)):
        found = distribution(name)
        for file in found.files or ():
            source, target = Path(str(found.locate_file(file))), site / file
            if ".." in file.parts or "__pycache__" in file.parts or not source.exists():
                continue
            _link(source, target)
            compiled = Path(
                cache_from_source(source)
            )  # an app's sandbox cannot write them: each start would compile anew
            if source.suffix == ".py" and compiled.exists():
                _link(compiled, Path(cache_from_source(target)))
    return folder / "bin" / "python"


def _link(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    os.link(source, target)


def install(python: Path, *packages: str) -> str:
    """Install packages of an index that are not installed here; return why that cannot be, "" where it could."""
    uv = Path(sys.executable).with_name("uv")
    asked = ["--compile-bytecode", "--only-binary", ":all:", "--python", str(python)]
    done = subprocess.run(
        [str(uv), "pip", "install", "--quiet", *asked, *packages],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    return done.stderr.strip() if done.returncode else ""


def list_needed(packages: tuple[str, ...]) -> set[str]:
    """The packages with all that they need on this machine, by the extras that are asked for."""
    done, left = set[tuple[str, str]](), [Requirement(name) for name in packages]
    while left:
        one = left.pop()
        for extra in ("", *one.extras):
            if (one.name, extra) not in done:
                done.add((one.name, extra))
                asked = map(Requirement, distribution(one.name).requires or ())
                left += [need for need in asked if not need.marker or need.marker.evaluate({"extra": extra})]
    return {name for name, _ in done}
