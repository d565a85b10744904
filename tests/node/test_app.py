import json
import os
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dao.app.bundle import MAX_BYTES, bundle, compute_app_digest, read_bundle, unpack
from dao.core.formats.canonical import write_canonical
from dao.errors import AppError, DaoError, DecodeError
from dao.store.cid import cid_of_bytes

PARTS = st.text("abcAB._- /\\é\0:", min_size=1, max_size=6)


def made(files: Mapping[str, object], **more: object) -> bytes:
    return write_canonical({"files": files, "format": "app/1", **more})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "app"
    (folder / "parts").mkdir(parents=True)
    (folder / "app.py").write_text("x = 'é'\r\n", newline="", encoding="utf-8")
    (folder / "parts" / "net.py").write_text("")
    return folder


def test_bundle__folder__is_canonical_and_comes_back_to_the_byte(folder: Path, tmp_path: Path) -> None:
    content = bundle(folder)
    assert json.loads(content) == {"files": {"app.py": "x = 'é'\r\n", "parts/net.py": ""}, "format": "app/1"}
    copy = unpack(content, tmp_path / "copies" / "one")
    assert (copy / "app.py").read_bytes() == (folder / "app.py").read_bytes()
    assert bundle(copy) == content
    assert compute_app_digest(content) == cid_of_bytes(content).digest


def test_bundle__hidden_files_and_caches__are_left_out(folder: Path) -> None:
    content = bundle(folder)
    (folder / ".git").mkdir()
    (folder / ".git" / "HEAD").write_bytes(b"\xff")
    (folder / "__pycache__").mkdir()
    (folder / "__pycache__" / "app.pyc").write_bytes(b"\xff")
    assert bundle(folder) == content


def test_bundle__link_out_of_the_folder__is_refused(folder: Path) -> None:
    (folder / "data.txt").symlink_to("/etc/hostname")
    with pytest.raises(AppError, match=r"data\.txt: is a link"):
        bundle(folder)


def test_bundle__linked_folder__is_refused(folder: Path, tmp_path: Path) -> None:
    (folder / "more").symlink_to(tmp_path)
    with pytest.raises(AppError, match="more: is a link"):
        bundle(folder)


def test_bundle__pipe__is_refused_without_reading_it(folder: Path) -> None:
    os.mkfifo(folder / "pipe")
    with pytest.raises(AppError, match="pipe: is a link or device"):
        bundle(folder)


def test_bundle__binary_file__is_refused_by_name(folder: Path) -> None:
    (folder / "weights.bin").write_bytes(b"\xff\xfe")
    with pytest.raises(AppError, match=r"'weights\.bin': is not UTF-8 text"):
        bundle(folder)


def test_bundle__too_large__is_refused(folder: Path) -> None:
    (folder / "big.txt").write_bytes(b"x" * MAX_BYTES)
    with pytest.raises(AppError, match="keep data elsewhere"):
        bundle(folder)


def test_bundle__too_many_files__is_refused(folder: Path) -> None:
    for number in range(1000):
        (folder / f"{number}.txt").write_text("")
    with pytest.raises(AppError, match="at most 1000 files"):
        bundle(folder)


def test_bundle__no_app_py__is_refused(tmp_path: Path) -> None:
    with pytest.raises(AppError, match=r"expected app\.py"):
        bundle(tmp_path)
    with pytest.raises(AppError, match="expected a readable folder"):
        bundle(tmp_path / "none")


@pytest.mark.parametrize(
    "name",
    [
        "/etc/x",
        "../x",
        "a/../x",
        "./x",
        "a//x",
        "a/",
        "",
        "a\\x",
        "C:x",
        ".x",
        "a\nb",
        "x\0",
        "a/__pycache__/x",
        "x.",
        "a" * 201,
    ],
)
def test_read_bundle__path_outside_or_odd__is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(DecodeError):
        unpack(made({"app.py": "", name: ""}), tmp_path / "into")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "content",
    [
        made({"app.py": "", "App.py": ""}),
        made({"app.py": "", "a": "", "A/b": ""}),
        made({"app.py": 1}),
        made({"app.py": "\0"}),
        made({"other.py": ""}),
        made({"app.py": ""}, more=1),
        made({"app.py": ""}, format="app/2"),
        json.dumps({"files": {"app.py": ""}, "format": "app/1"}).encode(),
        b"[]",
        b"",
        b"\xff",
    ],
)
def test_read_bundle__not_the_format__is_refused(content: bytes) -> None:
    with pytest.raises(DaoError):
        read_bundle(content)


@given(
    st.dictionaries(st.lists(PARTS, min_size=1, max_size=3).map("/".join), st.text(max_size=5), max_size=4)
)
def test_unpack__any_names__stay_inside_the_folder_or_are_refused(
    tmp_path_factory: pytest.TempPathFactory, files: dict[str, object]
) -> None:
    outer = tmp_path_factory.mktemp("outer")
    try:
        content = made({**files, "app.py": ""})
        folder = unpack(content, outer / "app")
    except DecodeError:
        assert list(outer.iterdir()) == []
        return
    assert list(outer.iterdir()) == [folder]
    assert bundle(folder) == content


def test_unpack__folder_was_changed__is_made_whole_again(folder: Path, tmp_path: Path) -> None:
    content = bundle(folder)
    copy = unpack(content, tmp_path / "copy")
    kept = (copy / "app.py").stat().st_ino
    unpack(content, copy)
    assert (copy / "app.py").stat().st_ino == kept
    (copy / "app.py").write_text("import evil")
    unpack(content, copy)
    assert bundle(copy) == content
