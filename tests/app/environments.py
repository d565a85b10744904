"""An environment of its own with a few of the packages that are installed here, and no other: without torch or web3."""

import os
import re
import venv
from importlib.metadata import distribution
from pathlib import Path


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
            target.parent.mkdir(parents=True, exist_ok=True)
            os.link(source, target)
    return folder / "bin" / "python"


def list_needed(packages: tuple[str, ...]) -> set[str]:
    """The packages with all that they need, but for extras."""
    needed, left = set[str](), list(packages)
    while left:
        name = left.pop()
        if name not in needed:
            needed.add(name)
            left += [
                re.split(r"[^A-Za-z0-9._-]", one)[0]
                for one in distribution(name).requires or ()
                if "extra" not in one
            ]
    return needed
