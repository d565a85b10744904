"""`dao new`: each template is an app of 55 lines at most that its own test accepts."""

import importlib.util
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from dao.app.bundle import bundle, read_bundle
from dao.app.environment import find_interpreter, read_project
from dao.cli.new import TEMPLATES, Template
from dao.errors import AppError
from tests.cli.command import Dao

MODULES = {"lora": "peft"}  # what a template needs, where that is not its name


def get_interpreter(template: str, dependencies: tuple[str, ...], folder: Path) -> str:
    """This interpreter, or that of an environment with the packages of a template that are not here."""
    if importlib.util.find_spec(MODULES.get(template, template)):
        return sys.executable
    folder.mkdir()
    packages = ", ".join(f'"{one}"' for one in (*dependencies, "pytest"))
    (folder / "pyproject.toml").write_text(f"[project]\ndependencies = [{packages}]\n")
    try:
        return str(find_interpreter(folder))
    except AppError as error:
        pytest.skip(f"no index of packages can be reached: {error}")


@pytest.mark.timeout(600)
@pytest.mark.parametrize("template", Template)
def test_new__each_template__is_small_and_passes_its_own_test(template: str, tmp_path: Path) -> None:
    folder = tmp_path / "tumour-2"
    said = Dao(tmp_path).run("new", folder, "--template", template).stdout
    assert said == f"made {folder}; now: cd {folder} && dao simulate\n"
    assert len((folder / "app.py").read_text().splitlines()) <= 55
    assert "NAME" not in "".join(path.read_text() for path in folder.iterdir())
    project = read_project(folder)
    assert project is not None
    assert (folder / project.settings["make-data"]).exists()
    python = get_interpreter(template, project.dependencies, tmp_path / "environment")
    done = subprocess.run(
        [python, "-m", "pytest", "-q", "-p", "no:asyncio", "-p", "no:cacheprovider", str(folder)],
        cwd=folder,
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done
    # its data are on the disk, and no part of the app
    assert (folder / project.settings["data"]).exists()
    assert not [
        name for name in read_bundle(bundle(folder)) if name.startswith("data") or "safetensors" in name
    ]


def test_new__templates__are_those_that_are_offered() -> None:
    assert {path.name for path in TEMPLATES.iterdir()} - {"shared"} == set(Template)


def test_new__what_is_there_or_no_name__one_clear_line(tmp_path: Path) -> None:
    dao = Dao(tmp_path)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "notes").touch()
    (tmp_path / "empty").mkdir()
    full = dao.refused("new", tmp_path / "full")
    assert full == f"{tmp_path / 'full'}: is there already; expected a new name, or an empty folder"
    assert dao.refused("new", tmp_path / "a b").startswith("'a b': expected a name of letters, digits, - and")
    dao.run("new", tmp_path / "none", "--template", "cobol", code=2)
    dao.run("new", tmp_path / "empty")


def test_version__is_that_of_the_package(tmp_path: Path) -> None:
    assert Dao(tmp_path).run("--version").stdout == f"dao {version('commonweight')}\n"
