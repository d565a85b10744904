"""What a control group leaves a process is less than what its machine has."""

from pathlib import Path

import psutil
import pytest

from dao.runtime.memory import read_memory

NAMES = {
    2: ("memory.max", "memory.current", "inactive_file"),
    1: ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
}
NO_LIMIT = {2: "max", 1: str((1 << 63) - 4096)}


def put_group(group: Path, version: int, limit: str, used: int, files: int) -> None:
    """Write what the system shows of a group."""
    group.mkdir(parents=True, exist_ok=True)
    for name, text in zip(NAMES[version][:2], (limit, str(used)), strict=True):
        (group / name).write_text(f"{text}\n")
    (group / "memory.stat").write_text(f"anon {used - files}\n{NAMES[version][2]} {files}\n")


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize(("inner", "outer"), [("104857600", None), (None, "104857600")])
def test_read_memory__a_group_with_a_limit__is_that_limit(
    version: int, inner: str | None, outer: str | None, tmp_path: Path
) -> None:
    """Of the process's own group, or of the one around it."""
    line = "0::/a/b" if version == 2 else "4:cpu,memory:/a/b"
    (tmp_path / "proc" / "self").mkdir(parents=True)
    (tmp_path / "proc" / "self" / "cgroup").write_text(f"9:cpu:/x\n{line}\n")
    top = tmp_path / "sys" / "fs" / "cgroup" / ("" if version == 2 else "memory")
    put_group(top / "a" / "b", version, inner or NO_LIMIT[version], 70 << 20, 30 << 20)
    put_group(top / "a", version, outer or NO_LIMIT[version], 70 << 20, 30 << 20)
    memory = read_memory(tmp_path)
    assert memory.total == 100 << 20
    assert memory.available == 60 << 20  # what files take can be had


def test_read_memory__a_container_sees_its_group_at_the_top__its_limit_counts(tmp_path: Path) -> None:
    (tmp_path / "proc" / "self").mkdir(parents=True)
    (tmp_path / "proc" / "self" / "cgroup").write_text("0::/outside/of/here\n")
    put_group(tmp_path / "sys" / "fs" / "cgroup", 2, "104857600", 120 << 20, 0)
    memory = read_memory(tmp_path)
    assert (memory.total, memory.available) == (100 << 20, 0)


def test_read_memory__no_groups__is_the_machines(tmp_path: Path) -> None:
    assert read_memory(tmp_path).total == psutil.virtual_memory().total
