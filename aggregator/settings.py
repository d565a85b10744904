"""Settings of a Superlink: those of its home folder, which flags and variables may override."""

import sys
from pathlib import Path
from typing import Literal

from pydantic import Field

from dao.app.sandbox import SandboxSettings
from dao.content.assembly import check_store_folder
from dao.core.types import TaskId
from dao.errors import ConfigError
from dao.runtime.config import ContentSettings, FromHome, HomeSettings, Listen, Section
from dao.wire.grpc_options import Certificate


class TlsSettings(Section):
    """The certificate chain and private key to serve TLS with, PEM files."""

    certificate: FromHome
    key: FromHome


class SuperlinkContentSettings(ContentSettings):
    """The sources of content, and how many decided rounds keep theirs."""

    keep_rounds: int | Literal["all"] = Field(default=20, ge=0)

    @property
    def kept(self) -> int | None:
        """Return the number, None for all."""
        return None if self.keep_rounds == "all" else self.keep_rounds


class SuperlinkSettings(HomeSettings):
    """A Superlink's settings; `load` reads them.

    Its content is in HOME/store, stays there for auditors as long as `content` says, and is synced to the disk after
    each round.
    """

    task: int | None = Field(default=None, ge=1)
    shards: FromHome | None = None  # folder of the task's validation shards
    listen: Listen = "127.0.0.1:8600"
    rounds: int | None = Field(default=None, ge=1)  # None: until the task is over
    stores: tuple[FromHome, ...] = ()  # folders of other disk stores to read from
    app_python: FromHome | None = None  # interpreter of the app's environment; None: this one
    evaluation_limit: float = Field(default=600.0, gt=0)  # seconds for one gradient
    sleep_gas: int = Field(
        default=1_000_000, ge=0
    )  # the most that putting a member to sleep may take; 0: none
    answer_gas: int = Field(default=6_000_000, ge=0)  # the most that an answer to a demand may take; 0: none
    accuse_gas: int = Field(
        default=1_000_000, ge=0
    )  # the most to show a node's two commits; 0: none is shown
    tls: TlsSettings | None = None
    sandbox: SandboxSettings = SandboxSettings()
    content: SuperlinkContentSettings = SuperlinkContentSettings()

    def served_task(self) -> tuple[TaskId, Path]:
        """Return the task and the folder of its shards; ConfigError unless both are set."""
        if self.task is None or self.shards is None:
            raise ConfigError(
                "superlink: which task, with which shards? Give --task and --shards, or set them in config.toml"
            )
        return TaskId(self.task), self.at(self.shards)

    def store_folders(self) -> list[Path]:
        """Return the folders of other stores to read from; ConfigError for one that is no store."""
        return [check_store_folder(self.at(folder), "--store") for folder in self.stores]

    def certificate(self) -> Certificate | None:
        """Return the files to serve TLS with; None: no TLS."""
        tls = self.tls
        return None if tls is None else Certificate(self.at(tls.certificate), self.at(tls.key))

    def app_interpreter(self) -> Path:
        """Return the interpreter of the app's environment."""
        return self.at(self.app_python) if self.app_python else Path(sys.executable)
