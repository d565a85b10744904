"""The README's tree names every room and no other, and modules are small and say what they are for."""

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.house.source_trees import parse

ROOT = Path(__file__).parents[2]
MOST_LINES = 400
TREE = re.compile(r"^## What is where\n.*?^```\n(.*?)^```", re.MULTILINE | re.DOTALL)
FILES = subprocess.run(["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
TRACKED = [Path(name) for name in FILES.splitlines() if (ROOT / name).exists()]
PYTHON = [path for path in TRACKED if path.suffix == ".py" and "_pb2" not in path.name]
# of others' code, what stands in vendor/ is as it came
OTHER_CODE = [
    path for path in TRACKED if path.suffix in (".sol", ".js", ".mjs", ".css") and "vendor" not in path.parts
]
ROOMY = ("dao", "node", "aggregator", "bench", "contracts", "apps", "tests")
PARTS_OF_ROOMS = (
    "apps/flower/",
    "dao/chain/abi",
    "dao/index/migrations/",
    "dao/templates/",
    "dao/web/",
    "tests/byzantine/",
    "tests/faults/",
    "tests/sandbox/",
)
OF_PACKAGES = [path for path in PYTHON if path.parts[0] in ("dao", "node", "aggregator", "bench")]


def named_rooms() -> Iterator[Path]:
    """The folders of the README's tree; a line has a purpose, and may name several folders of that purpose."""
    match = TREE.search((ROOT / "README.md").read_text())
    assert match
    above: list[str] = []
    for line in match[1].splitlines():
        row = re.fullmatch(r" *((?:[\w.]+/ ?)+) +.+", line)
        assert row, line
        names = row[1].split()
        depth = (len(line) - len(line.lstrip())) // 2
        above = [*above[:depth], names[0]]
        yield from (Path(*above[:depth], name) for name in names)


def rooms() -> set[Path]:
    """Every top folder with files, and every folder below those that hold code."""
    folders = {folder for path in TRACKED for folder in path.parents} - {Path()}
    return {
        folder
        for folder in folders
        if len(folder.parts) == 1
        or (folder.parts[0] in ROOMY and not folder.as_posix().startswith(PARTS_OF_ROOMS))
    }


def test_readme__its_tree__names_every_room_and_nothing_else() -> None:
    assert set(named_rooms()) == rooms()


def test_dao__its_top__has_only_what_the_whole_house_shares() -> None:
    assert [path.name for path in PYTHON if path.parent == Path("dao")] == ["__init__.py", "errors.py"]


def test_core__its_protocol_alone__is_read_in_one_sitting() -> None:
    """What a second implementer must read: `dao/core` without its engine and its formats."""
    lines = [(ROOT / path).read_text().splitlines() for path in PYTHON if path.parent == Path("dao/core")]
    assert sum(map(len, lines)) <= 1500


def test_modules__each_in_any_language__is_small() -> None:
    lines = {str(path): len((ROOT / path).read_text().splitlines()) for path in [*PYTHON, *OTHER_CODE]}
    assert not {path: count for path, count in lines.items() if count > MOST_LINES}


def test_modules__each__says_in_a_sentence_what_it_is_for() -> None:
    """The first line is that sentence; what a reader should know besides comes after an empty line."""
    for path in OF_PACKAGES:
        text = ast.get_docstring(parse(ROOT / path)) or ""
        assert re.fullmatch(r"[^\n]+\.", text.partition("\n\n")[0]), path
