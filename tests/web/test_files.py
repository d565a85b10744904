"""What the page is made of: small enough, nothing from elsewhere, and all of it in the wheel."""

import re
from pathlib import Path

from hatchling.builders.wheel import WheelBuilder

from bench.chromium import ROOT
from dao.api.http.static_files import FOLDER, load

LARGEST = 200_000  # bytes, compressed


def test_page__compressed__below_200_kilobytes() -> None:
    assets = load()
    assert sum(len(asset.packed or asset.plain) for name, asset in assets.items() if name != "/") < LARGEST


def test_modules__of_our_own__are_short() -> None:
    lines = {path: path.read_text().count("\n") for path in FOLDER.rglob("*.*") if "vendor" not in path.parts}
    assert {path for path, count in lines.items() if count > 400} == set()


def test_page__its_files__name_no_other_site() -> None:
    for path in FOLDER.rglob("*.*"):
        if "vendor" not in path.parts:
            found = re.findall(
                r"(?:https?:)?//(?!www\.w3\.org/2000/svg)[a-z0-9.-]+\.[a-z]{2,}", path.read_text()
            )
            assert not [url for url in found if "eips.ethereum.org" not in url], path


def test_chart_library__as_shipped__is_the_package() -> None:
    vendored, package = FOLDER / "vendor" / "uplot", ROOT / "node_modules" / "uplot"
    for name in ("uPlot.esm.js", "uPlot.min.css"):
        assert (vendored / name).read_bytes() == (package / "dist" / name).read_bytes()
    assert (vendored / "LICENSE").read_bytes() == (package / "LICENSE").read_bytes()


def test_wheel__its_files__hold_the_page() -> None:
    builder = WheelBuilder(str(ROOT))
    packed = {Path(file.distribution_path) for file in builder.recurse_included_files()}
    wanted = {path.relative_to(ROOT) for path in FOLDER.rglob("*.*") if path.is_file()}
    assert wanted - packed == set()
    assert len(wanted) > 30
