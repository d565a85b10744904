"""What the page is made of: small enough, nothing from elsewhere, and all of it in the wheel."""

import json
import re
import subprocess
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder

from bench.chromium import ROOT
from bench.page_load import measure_page
from dao.api.http.page_bundle import BundleError, join_page
from dao.api.http.static_files import FOLDER, load
from dao.index.reducer import TOPIC_OF

LARGEST = 150_000  # bytes, compressed
JS = FOLDER / "js"


def test_page__compressed__below_150_kilobytes() -> None:
    assert measure_page(load()) < LARGEST


def test_modules__of_our_own__are_short() -> None:
    lines = {path: path.read_text().count("\n") for path in FOLDER.rglob("*.*") if "vendor" not in path.parts}
    assert {path for path, count in lines.items() if count > 400} == set()


def test_modules__their_first_line__is_a_sentence() -> None:
    first = {path: path.read_text().split("\n", 1)[0] for path in JS.rglob("*.js")}
    assert {path for path, line in first.items() if not re.fullmatch(r"/\*\* [A-Z].*\. \*/", line)} == set()


def test_history__every_event_of_a_round_or_proposal__is_told_in_words() -> None:
    told = re.findall(r"^  (\w+): \[", (JS / "components" / "history.js").read_text(), re.MULTILINE)
    assert set(told) == {kind for kind, topic in TOPIC_OF.items() if topic in ("round", "proposal")}


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


MODULES = {
    "index.html": '<link rel="stylesheet" href="a.css" />\n<script type="module" src="js/main.js"></script>',
    "a.css": "a {}",
    "js/main.js": 'import { one as two } from "./one.js";\nimport * as all from "./one.js";\nimport rest from "../rest.mjs";\n'
    "export const sum = two() + all.ONE + rest;\nglobalThis.sum = sum;\n",
    "js/one.js": "export const ONE = 1;\nexport function one() {\n  return ONE;\n}\n",
    "rest.mjs": 'import{ONE as n}from"./js/one.js";var t=n;if(t){t++}export{t as default};',
}


def test_join__modules__run_as_before() -> None:
    joined = join_page(MODULES, "static/x")
    assert joined["app.css"] == "a {}"
    assert 'href="static/x/app.css"' in joined["index.html"]
    assert "js/main.js" not in joined["index.html"]
    program = f"{joined['app.js']}\nconsole.log(globalThis.sum);"
    shown = subprocess.run(
        ["node", "--input-type=module", "--eval", program],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert shown.stdout == "4\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('import { sum } from "./main.js";', "js/one.js imports|imports itself by way of js/main.js"),
        ("export let count = 0;", "cannot be joined: export let count"),
        ('import "./side.js";', "cannot be joined: import"),
        ("var a={}export const b=1;", "cannot be joined"),
    ],
)
def test_join__what_it_does_not_know__is_refused(text: str, said: str) -> None:
    with pytest.raises(BundleError, match=said):
        join_page({**MODULES, "js/one.js": f"export const ONE = 1;\n{text}\n"}, "static/x")


def test_wheel__its_files__hold_the_page() -> None:
    builder = WheelBuilder(str(ROOT))
    packed = {Path(file.distribution_path) for file in builder.recurse_included_files()}
    wanted = {path.relative_to(ROOT) for path in FOLDER.rglob("*.*") if path.is_file()}
    assert wanted - packed == set()
    assert len(wanted) > 30
