"""Gives a file a second name, so that it is there as long as that one is."""

import os
import shutil
from pathlib import Path


def link_or_copy(source: Path | str, target: Path | str) -> None:
    """Have a file under another name, too, which must be free: linked where that can be, else copied. OSError. Blocks."""
    try:
        os.link(source, target)
    except FileExistsError:
        raise
    except OSError:  # another disk, or a file of another owner
        shutil.copy2(source, target)
