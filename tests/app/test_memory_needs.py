"""What a model takes of memory is known before anything starts."""

import pytest

from dao.app.memory_needs import PROCESS, PROGRAM, MemoryNeed, compute_model_bytes, find_shortage
from dao.app.sandbox import AUTO, SandboxSettings
from dao.errors import ConfigError
from dao.runtime.memory import Memory

GB = 10**9
NEED = MemoryNeed("task 1", (4 * GB,))


def test_compute_model_bytes__a_billion_values__is_four_gigabytes() -> None:
    assert compute_model_bytes(-(-GB // 256)) == 4 * GB


def test_find_shortage__room_for_all__none() -> None:
    assert NEED.total == PROGRAM + PROCESS + 4 * GB
    assert MemoryNeed("task 1", (4 * GB,), aggregates=True).total == NEED.total + 800 * 10**6
    assert find_shortage(NEED, AUTO, Memory(24 * GB, NEED.total)) == ""


def test_find_shortage__free_later_perhaps__is_said() -> None:
    assert find_shortage(NEED, AUTO, Memory(24 * GB, 3 * GB)) == (
        "task 1: a model of 4.0 GB in a process of the app takes at least 4.7 GB of memory here, and training more; "
        "3.0 GB is free now: end other programs, or the system may end this one"
    )


def test_find_shortage__each_fits_and_all_do_not__is_said() -> None:
    need = MemoryNeed("tasks 1, 2, 3", (4 * GB,) * 3)
    assert find_shortage(need, AUTO, Memory(13 * GB, 13 * GB)) == (
        "tasks 1, 2, 3: a model of 4.0 GB in 3 processes of apps takes at least 13.6 GB of memory here, and training more; "
        "this machine or container has 13.0 GB: the system may end one of them"
    )


def test_find_shortage__there_is_no_sandbox__has_no_limit() -> None:
    memory = Memory(55 * GB // 10, 5 * GB)
    assert find_shortage(NEED, SandboxSettings(mode="none"), memory) == ""


@pytest.mark.parametrize(
    ("need", "sandbox", "memory", "said"),
    [
        (NEED, AUTO, Memory(4 * GB, 4 * GB), "at least 4.7 GB .* this machine or container has 4.0 GB: give"),
        (
            NEED,
            AUTO,
            Memory(55 * GB // 10, GB),
            "4.4 GB in one process; its sandbox has 4.1 GB: raise memory_bytes",
        ),
        (
            NEED,
            SandboxSettings(memory_bytes=GB),
            Memory(24 * GB, GB),
            "its sandbox has 1.0 GB: raise memory_bytes",
        ),
    ],
    ids=["one", "three quarters are the app's", "a limit of its own"],
)
def test_find_shortage__can_never_fit__is_refused_with_figures(
    need: MemoryNeed, sandbox: SandboxSettings, memory: Memory, said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        find_shortage(need, sandbox, memory)


def test_find_shortage__a_small_model__is_let_be_on_any_machine() -> None:
    assert find_shortage(MemoryNeed("task 1", (1 << 20,)), AUTO, Memory(1 << 28, 1 << 20)) == ""
    assert find_shortage(MemoryNeed("tasks", ()), AUTO, Memory(1, 1)) == ""
