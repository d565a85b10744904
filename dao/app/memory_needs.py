"""What models take of memory at those who work on them, known from their layouts before anything starts.

Each process of an app holds its model once. Files of models, updates and gradients are mapped, so the system takes their memory back where
it needs it, and programs go over a model in spans, which take the same for any. `script/bench overhead` measures both.
"""

from dataclasses import dataclass

from dao.app.sandbox import AUTO, SandboxSettings, choose_maker, get_memory_limit
from dao.core.constants import CHUNK
from dao.errors import ConfigError
from dao.runtime.memory import Memory, read_memory

PROGRAM = 300 << 20  # bytes of this program
TREES = 5  # a program that aggregates has the trees over a model, a fifth of its bytes at most
PROCESS = 400 << 20  # bytes of an app's process beside its model, with torch
SMALL = 64 << 20  # bytes of a model that is little beside these


@dataclass(frozen=True, slots=True)
class MemoryNeed:
    """What work on models takes at least; training takes more, as its app and optimizer have it."""

    name: str  # of the work, such as "task 1"
    models: tuple[int, ...]  # bytes of the model in each process of an app that runs at the same time
    aggregates: bool = False

    @property
    def largest(self) -> int:
        """Bytes of the largest process of an app."""
        return PROCESS + max(self.models)

    @property
    def total(self) -> int:
        """Bytes of all processes, and of this program."""
        trees = max(self.models) // TREES if self.aggregates else 0
        return PROGRAM + trees + sum(PROCESS + model for model in self.models)

    def describe(self) -> str:
        """Return in words what is needed."""
        count = len(self.models)
        processes = "a process of the app" if count == 1 else f"{count} processes of apps"
        return (
            f"{self.name}: a model of {_format(max(self.models))} in {processes} takes at least {_format(self.total)} "
            "of memory here, and training more"
        )


def compute_model_bytes(chunks: int) -> int:
    """Return the bytes of a model of so many chunks in float32, which is how it is trained or less."""
    return 4 * CHUNK * chunks


def find_shortage(need: MemoryNeed, sandbox: SandboxSettings = AUTO, memory: Memory | None = None) -> str:
    """Return in words what is missing now, "" where nothing is; ConfigError where it can never be had here. Blocks.

    `memory` is read where it is not given.
    """
    if max(need.models, default=0) < SMALL:
        return ""
    memory = memory or read_memory()
    if PROGRAM + need.largest > memory.total:
        raise ConfigError(
            f"{need.describe()}; this machine or container has {_format(memory.total)}: give it more, or take a smaller model"
        )
    limit = get_memory_limit(sandbox, memory)
    if need.largest > limit and choose_maker(sandbox) is not None:
        raise ConfigError(
            f"{need.describe()}, {_format(need.largest)} in one process; its sandbox has {_format(limit)}: raise "
            "memory_bytes in the table [sandbox] of config.toml, or take a smaller model"
        )
    if need.total > memory.total:  # they need not all run at a time
        return f"{need.describe()}; this machine or container has {_format(memory.total)}: the system may end one of them"
    if need.total > memory.available:
        return f"{need.describe()}; {_format(memory.available)} is free now: end other programs, or the system may end this one"
    return ""


def _format(count: int) -> str:
    return f"{count / 1e9:,.1f} GB"
