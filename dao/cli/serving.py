"""A Superlink as a process: its settings, its key, and its run until it is told to stop."""

import asyncio
import contextlib
import gc
import signal
import sys
from collections.abc import Awaitable
from pathlib import Path

from pydantic import Field

from aggregator.daemon import Settings, open_superlink
from dao.chain.deployment import Deployment
from dao.chain.signer import Signer
from dao.content.assembly import check_store_folder
from dao.core.errors import ConfigError
from dao.core.types import TaskId
from dao.runtime.config import (
    PASSWORD_VARIABLE,
    ContentSettings,
    FromHome,
    HomeSettings,
    Listen,
    Section,
)
from dao.runtime.open_files import allow_open_files
from dao.wire.grpc_options import Certificate


class TlsSettings(Section):
    """The certificate chain and private key to serve TLS with, PEM files."""

    certificate: FromHome
    key: FromHome


class SuperlinkSettings(HomeSettings):
    """A Superlink's settings; `load` reads them.

    What it holds of a task is in HOME/store, is kept for auditors, and is brought to the disk after each round.
    """

    task: int | None = Field(default=None, ge=1)
    shards: FromHome | None = None  # folder of the task's validation shards
    listen: Listen = "127.0.0.1:8600"
    rounds: int | None = Field(default=None, ge=1)  # None: until the task is over
    stores: tuple[FromHome, ...] = ()  # folders of other disk stores to read from
    app_python: FromHome | None = None  # interpreter of the app's environment; None: this one
    evaluation_limit: float = Field(default=600.0, gt=0)  # seconds for one gradient
    tls: TlsSettings | None = None
    content: ContentSettings = ContentSettings()


async def serve(settings: SuperlinkSettings, *, leave: bool) -> None:
    """Open the Superlink, play its rounds and, unless it is to leave then, serve until cancelled."""
    if settings.task is None or settings.shards is None:
        raise ConfigError(
            "superlink: which task, with which shards? Give --task and --shards, or set them in config.toml"
        )
    tls = settings.tls
    certificate = Certificate(settings.at(tls.certificate), settings.at(tls.key)) if tls else None
    given = Settings(
        home=settings.home,
        task=TaskId(settings.task),
        url=settings.chain.rpc,
        deployment=Deployment.load(settings.at(settings.chain.deployment)),
        shards=settings.at(settings.shards),
        python=settings.at(settings.app_python) if settings.app_python else Path(sys.executable),
        listen=settings.listen,
        confirmations=settings.chain.confirmations,
        stores=tuple(check_store_folder(settings.at(folder), "--store") for folder in settings.stores),
        ipfs=settings.content.ipfs,
        gateways=settings.content.gateways,
        evaluation_limit=settings.evaluation_limit,
        certificate=certificate,
    )
    async with open_superlink(given, operator(settings)) as running:
        print(f"superlink of task {given.task} serving at {running.service.address}", flush=True)
        await running.play(settings.rounds)
        print("all rounds are final", flush=True)
        if not leave:
            await asyncio.Event().wait()


async def until_told(work: Awaitable[None]) -> None:
    """Do work, and cancel it at SIGTERM or SIGINT."""
    allow_open_files()
    gc.freeze()  # what is imported stays: no search for garbage need look at it
    doing, loop = asyncio.ensure_future(work), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, doing.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await doing


def operator(settings: SuperlinkSettings) -> Signer:
    """Open the operator's keystore; KeyFileError says what is wrong with it."""
    return Signer.load(settings.at(settings.key.keystore), settings.password_file(), PASSWORD_VARIABLE)
