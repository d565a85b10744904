"""An app's environment, built by uv and by pip from an index in a folder."""

import json
import subprocess
import zipfile
from pathlib import Path

import pytest

from dao.app import environment
from dao.app.environment import find_interpreter, is_built, read_project
from dao.errors import AppError

READ = "import json, greeting, numpy; print(json.dumps([greeting.TEXT, numpy.TEXT]))"


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of wheels, the only index that uv and pip know, and a cache of its own."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    for name in ("numpy", "greeting"):
        with zipfile.ZipFile(folder / f"{name}-1.0-py3-none-any.whl", "w") as wheel:
            wheel.writestr(f"{name}.py", f"TEXT = {name!r}\n")
            info = f"{name}-1.0.dist-info"
            wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
            wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
            wheel.writestr(f"{info}/RECORD", "")
    for tool in ("UV", "PIP"):
        monkeypatch.setenv(f"{tool}_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return folder


def app(folder: Path, dependencies: object) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "pyproject.toml").write_text(f"[project]\ndependencies = {json.dumps(dependencies)}\n")
    return folder


def seen_by(python: Path) -> object:
    done = subprocess.run([python, "-I", "-c", READ], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("has_uv", [True, False])
def test_find_interpreter__dependencies__are_there_and_built_once(
    has_uv: bool, index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not has_uv:
        monkeypatch.setattr(environment, "_find_uv", lambda: None)
    one = app(tmp_path / "one", ["greeting>=1"])
    assert not is_built(one)
    python = find_interpreter(one)
    assert list(python.parents[1].glob("lib/*/site-packages/__pycache__/greeting.*")), (
        "each start compiles it"
    )
    assert seen_by(python) == ["greeting", "numpy"]
    for wheel in index.iterdir():
        wheel.unlink()
    assert is_built(one)
    assert find_interpreter(app(tmp_path / "two", ["greeting>=1"])) == python
    assert [path.name for path in environment.get_cache_folder().iterdir()] == [python.parents[1].name]


@pytest.mark.parametrize("has_uv", [True, False])
def test_find_interpreter__a_package_that_is_nowhere__is_named_and_nothing_stays(
    has_uv: bool, index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not has_uv:
        monkeypatch.setattr(environment, "_find_uv", lambda: None)
    with pytest.raises(AppError, match=r"environment cannot be built: .*greetings") as raised:
        find_interpreter(app(tmp_path / "app", ["greeting", "greetings"]))
    assert "\n" not in str(raised.value)
    assert list(environment.get_cache_folder().iterdir()) == []


def test_find_interpreter__an_app_that_names_none__runs_by_this_one(tmp_path: Path) -> None:
    import sys

    assert find_interpreter(tmp_path) == Path(sys.executable)
    assert find_interpreter(app(tmp_path, [])) == Path(sys.executable)


@pytest.mark.parametrize(
    "bad",
    [
        "--index-url=http://127.0.0.1/",
        "-r secrets.txt",
        "./package",
        "numpy @ http://127.0.0.1/numpy.whl",
        "numpy\n--pre",
        "",
        7,
    ],
)
def test_read_project__what_is_no_package_of_an_index__is_refused(bad: object, tmp_path: Path) -> None:
    with pytest.raises(AppError, match=r"pyproject.toml: dependency .*: expected a package of an index"):
        read_project(app(tmp_path, ["numpy", bad]))


@pytest.mark.parametrize("good", ["numpy", "torch>=2.6,<3", "jax[cpu] ~= 0.5", 'x==1; python_version<"3.12"'])
def test_read_project__packages_as_people_name_them__are_taken(good: str, tmp_path: Path) -> None:
    project = read_project(app(tmp_path, [good]))
    assert project is not None
    assert project.dependencies == (good,)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[project", "expected TOML"),
        ('[project]\ndependencies = "numpy"', "expected dependencies as a list"),
        ("project = 1", "expected dependencies as a list"),
        ("[tool]\ncommonweight = 1", "expected .tool.commonweight. as a table"),
        ("tool = 1", "expected .tool.commonweight. as a table"),
        ("deep = " + "[" * 5000, "expected fewer tables in one another"),
        (f"[project]\ndependencies = [{{a{'.a' * 5000} = 1}}]", "expected fewer tables in one another"),
        ("#" * (1 << 20) + "#", "expected at most 1048576 bytes"),
    ],
)
def test_read_project__what_is_malformed__is_one_clear_line(text: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(text)
    with pytest.raises(AppError, match=rf"pyproject.toml: {words}"):
        read_project(tmp_path)
