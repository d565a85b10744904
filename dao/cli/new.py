"""`dao new`: makes the folder of an app that runs at once."""

import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from dao.cli.output import require_empty
from dao.errors import ConfigError

TEMPLATES = Path(__file__).parents[1] / "templates"
_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_-]*[A-Za-z0-9])?")
_SHARED = "shared"  # files that templates have in common, unless one has its own
_PLACE = "NAME"  # what stands for the project's name in a template


class Template(StrEnum):
    """What an app is written with."""

    TORCH = "torch"
    LORA = "lora"
    SKLEARN = "sklearn"
    JAX = "jax"
    PRIVATE = "private"
    FLOWER = "flower"


def command(
    folder: Annotated[
        Path, typer.Argument(metavar="NAME", help="Folder to make; its last part is the name.")
    ],
    *,
    template: Annotated[Template, typer.Option(help="What the app is written with.")] = Template.TORCH,
) -> None:
    """Make the folder of an app that runs at once: code of some 40 lines, its dependencies, a test, a script that makes data.

    Its first simulation builds the environment that its pyproject.toml names, and makes the data.

    Example: dao new tumour --template torch
    """
    name = folder.absolute().name
    if not _NAME.fullmatch(name):
        raise ConfigError(f"{name!r}: expected a name of letters, digits, - and _, such as tumour")
    require_empty(folder)
    make_app(template, folder, name)
    print(f"made {folder}; now: cd {folder} && dao simulate")


def make_app(template: Template, folder: Path, name: str) -> None:
    """Write a template's files into a folder, with the project's name in them."""
    folder.mkdir(parents=True, exist_ok=True)
    for part in (_SHARED, template):
        for source in sorted((TEMPLATES / part).rglob("*")):
            target = folder / source.relative_to(TEMPLATES / part)
            if source.is_file() and "__pycache__" not in source.parts:
                target.parent.mkdir(parents=True, exist_ok=True)
                text = source.read_text(encoding="utf-8").replace(_PLACE, name)
                target.write_text(text, encoding="utf-8")
