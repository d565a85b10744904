"""What is imported is declared in pyproject.toml, and what is declared is imported."""

import ast
import re
import sys
import tomllib
from functools import cache
from importlib.metadata import packages_distributions
from importlib.util import cache_from_source, find_spec
from pathlib import Path

import pytest

from tests.house.source_trees import parse

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
DISTRIBUTIONS = packages_distributions()
OURS = {"dao", "node", "aggregator", "bench", "tests"}
# for mypy alone, which brings it
TYPES = {"_typeshed"}
# of apps, whose dependencies stand in a pyproject.toml beside each
TEMPLATES = "dao/templates"
# imported in an app's own environment alone, where the app brings it
OF_APPS = {"flwr"}
APPS = sorted(path.parent for room in ("apps", TEMPLATES) for path in (ROOT / room).rglob("pyproject.toml"))
# names of packages that need not be installed here
IMPORTED_AS = {"sklearn": "scikit-learn", "joblib": "scikit-learn", "mlflow": "mlflow-skinny"}
# declared for a reason other than an import
NOT_IMPORTED = {
    "multiaddr": "a version with which ipfshttpclient works",
    "aiosqlite": "the driver that SQLAlchemy takes for SQLite",
    "psycopg": "the driver that SQLAlchemy takes for PostgreSQL",
}


def name_of(requirement: str) -> str:
    """The distribution that a requirement names, as indexes normalise it (PEP 503)."""
    name = re.split(r"[^A-Za-z0-9._-]", requirement)[0]
    return re.sub(r"[-_.]+", "-", name).lower()


DEPENDENCIES = {name_of(requirement) for requirement in PROJECT["dependencies"]}
EXTRAS = {
    extra: {name_of(requirement) for requirement in requirements}
    for extra, requirements in PROJECT["optional-dependencies"].items()
}


@cache
def imports_of(path: Path) -> frozenset[str]:
    """The top-level packages that a file imports, early or late, but for Python's own, ours and those that apps bring."""
    names: set[str] = set()
    for node in ast.walk(parse(path)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module)
    tops = frozenset(name.partition(".")[0] for name in names)
    return tops - sys.stdlib_module_names - OURS - TYPES - OF_APPS


def modules_under(*folders: str) -> list[Path]:
    """The files under folders, without those of apps that have packages of their own, and of templates."""
    paths = [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]
    return [path for path in paths if not {ROOT / TEMPLATES, *APPS} & {*path.parents}]


def imports_under(*folders: str) -> dict[str, Path]:
    """The packages that are imported under folders, each with one of the files that does."""
    return {name: path for path in modules_under(*folders) for name in imports_of(path)}


@pytest.mark.parametrize("app", APPS, ids=lambda app: app.name)
def test_imports__app_with_packages_of_its_own__are_declared_beside_it(app: Path) -> None:
    project = tomllib.loads((app / "pyproject.toml").read_text())["project"]
    declared = {*project["dependencies"], *project.get("optional-dependencies", {}).get("test", [])}
    own = {"app", *(path.name for path in app.iterdir())}
    imported = {name for path in app.rglob("*.py") for name in imports_of(path)} - own
    assert {IMPORTED_AS.get(name, name) for name in imported} <= {name_of(one) for one in declared}


@pytest.mark.parametrize(
    ("folders", "declared"),
    [
        (
            ["dao", "node", "aggregator"],
            DEPENDENCIES
            | EXTRAS["demo"]
            | EXTRAS["parquet"]
            | EXTRAS["ray"]
            | EXTRAS["tensorboard"]
            | EXTRAS["mlflow"],
        ),
        (["bench", "script"], DEPENDENCIES | EXTRAS["dev"] | EXTRAS["demo"]),
        (["tests"], DEPENDENCIES | EXTRAS["demo"] | EXTRAS["dev"]),
        (["apps"], DEPENDENCIES),
    ],
    ids=["packages", "bench", "tests", "apps"],
)
def test_imports__each__is_declared(folders: list[str], declared: set[str]) -> None:
    undeclared = {
        name: str(path.relative_to(ROOT))
        for name, path in imports_under(*folders).items()
        if not path.with_name(f"{name}.py").exists()  # an app's own modules
        and not declared & {name_of(each) for each in DISTRIBUTIONS.get(name, [IMPORTED_AS.get(name, name)])}
    }
    assert not undeclared


def test_imports__of_the_demonstration__nowhere_else() -> None:
    for path in modules_under("dao", "node", "aggregator"):
        assert path.parent == ROOT / "dao/demo" or not EXTRAS["demo"] & imports_of(path), path


def test_packages__as_they_were_set_up__are_compiled() -> None:
    found = find_spec("web3")
    assert found is not None
    modules = list(Path(str(found.origin)).parent.rglob("*.py"))
    assert modules
    assert not [path for path in modules if not Path(cache_from_source(path)).exists()], "run script/setup"


def test_dependencies__each__is_imported() -> None:
    imported = {
        name_of(each)
        for name in imports_under("dao", "node", "aggregator")
        for each in DISTRIBUTIONS.get(name, [name])
    }
    assert DEPENDENCIES - imported == set(NOT_IMPORTED)
