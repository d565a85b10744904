"""Settings of a Supernode: those of its home folder, and a small file for each task that it is in."""

import tomllib
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, ValidationError, model_validator

from dao.app.sandbox import SandboxSettings
from dao.core.types import TaskId
from dao.errors import ConfigError
from dao.runtime.config import ContentSettings, FromHome, HomeSettings, Section, one_line
from node.public_shards import PUBLIC_BYTES

TASKS = "tasks"  # folder of files NUMBER.toml
LARGEST = 59  # of a value of an update, by any codec
DEVIATIONS = 8  # as many standard deviations never come up
LEFT = ".left"  # instead of .toml for a task that the node has left: rewards may still wait there


class PrivacySettings(Section):
    """What a task's updates may tell: the daemon clips and noises them, and passes beyond the budget."""

    clip: float = Field(gt=0, allow_inf_nan=False)  # most L2 norm of an update
    noise: float = Field(gt=0, allow_inf_nan=False)  # standard deviation in each value, in clips
    epsilon_budget: float = Field(gt=0, allow_inf_nan=False)  # of all tasks of the ledger together
    delta: float = Field(default=1e-6, gt=0, lt=0.1)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.clip * (1 + DEVIATIONS * self.noise) > LARGEST:
            raise ValueError(
                f"clip {self.clip:g} with noise {self.noise:g}: expected clip * (1 + {DEVIATIONS} * noise) to be at most {LARGEST}, "
                "which updates can hold; lower one"
            )
        return self


class TaskSettings(Section):
    """This node's data for one task, and the task's Superlink."""

    data: FromHome  # what the app's `data` reads
    superlink: str  # host:port
    tls: bool = False
    ca_file: FromHome | None = None  # PEM file of those trusted for TLS; None: the usual ones
    app_python: FromHome | None = None  # interpreter of the app's environment; None: this one
    least_rows: int = Field(default=0, ge=0)  # fewer rows to train on, and the node passes
    privacy: PrivacySettings | None = None  # None: updates leave as they were trained
    check: bool = True  # data with a defect by the app's schema are not trained on
    follow_card: bool = False  # a card that members changed needs no approval: its settings, and its purpose


class NodeContentSettings(ContentSettings):
    """The sources of content, the folder that stores it, and its limit."""

    folder: FromHome = Path("content")
    keep_bytes: int = Field(default=20 << 30, ge=1 << 20)
    sync: bool = True  # survive a power failure


class NodeSettings(HomeSettings):
    """A Supernode's settings; `load` reads them."""

    content: NodeContentSettings = NodeContentSettings()
    reveal: Literal["stream", "ipfs"] = "stream"
    # of earlier rounds' shards, on which apps train beside the node's own data; 0: none
    public_bytes: int = Field(default=PUBLIC_BYTES, ge=0)
    prove: bool = True  # what a result has wrong of this node goes to the chain, for the operator's gas
    prove_gas: int = Field(default=6_000_000, ge=1)  # the most that one transaction of it may take
    audit: float = Field(default=0.0, ge=0, le=1)  # share of rounds that the node audits whole
    # the most that a transaction of a vote on gradients may take; 0: it votes on none, and pays the fine of a juror that does not
    vote_gas: int = Field(default=2_000_000, ge=0)
    # about so many members of a round check the gradients of a result that nobody accused; 0: this node checks none
    gradient_checkers: int = Field(default=1, ge=0)
    # the most that a transaction may take which ends what nobody else ends, or puts an absent member to sleep; 0: none is sent
    end_gas: int = Field(default=1_000_000, ge=0)
    threads: int | None = Field(default=None, ge=1)  # of the app's numeric libraries; None: as they choose
    sandbox: SandboxSettings = SandboxSettings()
    ledger: FromHome = Path("privacy.db")  # of noised updates; nodes of one site may share it
    scratch: FromHome = Path("scratch")  # a folder in memory (tmpfs) makes rounds of large models faster

    def tasks(self) -> dict[TaskId, TaskSettings]:
        """Read the tasks' files; ConfigError names the file and what is wrong in it."""
        return self._tasks(".toml")

    def known_tasks(self) -> dict[TaskId, TaskSettings]:
        """Read the files as `tasks` does, and those of tasks that the node has left."""
        return self._tasks(LEFT) | self.tasks()

    def task_file(self, task: TaskId) -> Path:
        """Return the path of a task's file."""
        return self.home / TASKS / f"{task}.toml"

    def _tasks(self, ending: str) -> dict[TaskId, TaskSettings]:
        return {
            TaskId(int(path.stem)): _read_task(path)
            for path in sorted((self.home / TASKS).glob(f"*{ending}"))
            if path.stem.isdecimal()
        }


def _read_task(path: Path) -> TaskSettings:
    try:
        return TaskSettings(**tomllib.loads(path.read_text(encoding="utf-8")))
    except ValidationError as error:
        raise ConfigError(f"{path}: {one_line(error)}") from None
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: expected TOML: {error}") from None


def write_task(settings: NodeSettings, task: TaskId, task_settings: TaskSettings) -> None:
    """Write a task's file; ConfigError for a setting that is no printable text."""
    path = settings.task_file(task)
    path.parent.mkdir(parents=True, exist_ok=True)
    flat = [(name, value) for name, value in task_settings if not isinstance(value, Section)]
    lines = [f"{name} = {_toml(value)}" for name, value in flat if value is not None]
    for name, table in task_settings:
        if isinstance(table, Section):
            lines += ["", f"[{name}]", *(f"{key} = {_toml(value)}" for key, value in table)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    path.with_suffix(LEFT).unlink(missing_ok=True)


def put_aside(settings: NodeSettings, task: TaskId) -> None:
    """Rename the file of a task that the node has left, so that only `known_tasks` finds it."""
    path = settings.task_file(task)
    if path.exists():
        path.replace(path.with_suffix(LEFT))


def _toml(value: object) -> str:
    """A boolean, number or text as TOML has it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return repr(value)
    text = str(value)
    if not text.isprintable():
        raise ConfigError(f"{text!r}: expected printable letters")
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
