"""What the page is made of: small enough, nothing from elsewhere, and all of it in the wheel."""

import json
import re
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder

from bench.chromium import ROOT
from dao.api.http.static_files import FOLDER, load

LARGEST = 150_000  # bytes, compressed
JS = FOLDER / "js"
IMPORT = re.compile(r'from ?"(\.[^"]+)"')


def test_page__compressed__below_150_kilobytes() -> None:
    assets = load()
    assert sum(len(asset.packed or asset.plain) for name, asset in assets.items() if name != "/") < LARGEST


def test_modules__of_our_own__are_short() -> None:
    lines = {path: path.read_text().count("\n") for path in FOLDER.rglob("*.*") if "vendor" not in path.parts}
    assert {path for path, count in lines.items() if count > 400} == set()


def test_modules__their_first_line__is_a_sentence() -> None:
    first = {path: path.read_text().split("\n", 1)[0] for path in JS.rglob("*.js")}
    assert {path for path, line in first.items() if not re.fullmatch(r"/\*\* [A-Z].*\. \*/", line)} == set()


def test_page__its_files__name_no_other_site() -> None:
    for path in FOLDER.rglob("*.*"):
        if "vendor" not in path.parts:
            found = re.findall(
                r"(?:https?:)?//(?!www\.w3\.org/2000/svg)[a-z0-9.-]+\.[a-z]{2,}", path.read_text()
            )
            assert not [url for url in found if "eips.ethereum.org" not in url], path


@pytest.mark.parametrize(
    ("name", "files"),
    [
        ("htm", {"htm.mjs": "dist/htm.mjs"}),
        ("preact", {"preact.mjs": "dist/preact.mjs", "hooks.mjs": "hooks/dist/hooks.mjs"}),
        ("uplot", {"uPlot.esm.js": "dist/uPlot.esm.js", "uPlot.min.css": "dist/uPlot.min.css"}),
    ],
)
def test_library__as_shipped__is_the_package(name: str, files: dict[str, str]) -> None:
    vendored, package = FOLDER / "vendor" / name, ROOT / "node_modules" / name
    for copy, original in {**files, "LICENSE": "LICENSE"}.items():
        # a browser resolves a bare name only with an import map, which would be an inline script
        expected = (package / original).read_bytes().replace(b'from"preact"', b'from"./preact.mjs"')
        assert (vendored / copy).read_bytes() == expected, copy
    assert {path.name for path in vendored.iterdir()} == {*files, "LICENSE"}
    manifest = json.loads((package / "package.json").read_text())
    stated = f"| {name} {manifest['version']} | {manifest['license']} |"
    assert stated in (FOLDER / "vendor" / "README.md").read_text()


def test_modules__their_texts__stay_texts() -> None:
    forbidden = ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function")
    for path in JS.rglob("*.js"):
        assert [word for word in forbidden if word in path.read_text()] == [], path


def test_modules__that_are_imported__are_loaded_at_once() -> None:
    imported = {(JS / "main.js").resolve()}
    unread = set(imported)
    while unread:
        path = unread.pop()
        found = {(path.parent / name).resolve() for name in IMPORT.findall(path.read_text())}
        unread |= found - imported
        imported |= found
    listed = re.findall('rel="modulepreload" href="([^"]+)"', (FOLDER / "index.html").read_text())
    assert sorted(listed) == sorted(
        path.relative_to(FOLDER).as_posix() for path in imported if path.name != "main.js"
    )


def test_wheel__its_files__hold_the_page() -> None:
    builder = WheelBuilder(str(ROOT))
    packed = {Path(file.distribution_path) for file in builder.recurse_included_files()}
    wanted = {path.relative_to(ROOT) for path in FOLDER.rglob("*.*") if path.is_file()}
    assert wanted - packed == set()
    assert len(wanted) > 30
