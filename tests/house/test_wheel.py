"""What others get: the packages with their types, and nothing of ours beside them."""

from pathlib import Path

from hatchling.builders.wheel import WheelBuilder

ROOT = Path(__file__).parents[2]
PACKAGES = {"dao", "node", "aggregator"}


def test_wheel__its_files__are_of_three_packages_that_have_types() -> None:
    files = {Path(file.distribution_path) for file in WheelBuilder(str(ROOT)).recurse_included_files()}
    assert {file.parts[0] for file in files} == PACKAGES
    templates = {path.relative_to(ROOT) for path in (ROOT / "dao/templates").glob("*/*.*")}
    assert {Path("dao/templates/torch/app.py")} < templates <= files
    assert {Path(package, "py.typed") for package in PACKAGES} <= files
