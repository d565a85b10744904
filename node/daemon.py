"""The process of a Supernode: opens everything it acts through, runs its tasks, and ends cleanly when told to."""

import asyncio
import contextlib
import gc
import signal
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import AbstractContextManager, AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any

import structlog

from dao.chain.client import Chain
from dao.chain.contracts import Coordinator
from dao.chain.deployment import Deployment
from dao.chain.sender import Sender
from dao.chain.signer import Signer
from dao.content.assembly import ContentSources
from dao.core.errors import ConfigError, DaoError, Reverted
from dao.core.types import Address, Domain, TaskId, hex_of
from dao.runtime.backoff import pauses
from dao.runtime.config import PASSWORD_VARIABLE
from dao.runtime.locks import chain_name, only_daemon
from dao.runtime.open_files import allow_open_files
from dao.store.disk import DiskStore
from dao.store.layered import LayeredStore
from dao.wire.grpc_options import Tls
from dao.wire.superlink_client import SuperlinkClient
from node.journal import SignedCommit, SupernodeJournal
from node.outcomes import Outcomes
from node.settings import NodeSettings, TaskSettings
from node.supernode import Supernode, SupernodeDeps
from node.task_view import Clock, TaskView
from node.trainer import Trainer

FORCE_LIMIT = 120.0  # seconds
LONGEST_PAUSE = 60.0  # seconds until a task that failed is taken up again
_log = structlog.get_logger()

TrainerOf = Callable[[TaskId, TaskSettings, Path], Trainer]


async def run_node(settings: NodeSettings, trainer_of: TrainerOf | None = None) -> None:
    """Run a Supernode until SIGTERM or SIGINT. DaoError where it cannot begin: what is wrong, in one line.

    `trainer_of` (task, its settings, the app's folder) makes another trainer than the app's own.
    """
    tasks = settings.tasks()
    if not tasks:
        raise ConfigError(
            f"{settings.home}: takes part in no task; dao node join TASK --data PATH --superlink HOST:PORT"
        )
    signer = operator(settings)
    allow_open_files()
    gc.freeze()  # what is imported stays: no search for garbage need look at it
    with alone(settings, signer.address):
        async with AsyncExitStack() as stack:
            running = await _open(settings, signer, tasks, trainer_of or partial(_trainer, settings), stack)
            _log.info(
                "supernode", operator=hex_of(signer.address), tasks=list(tasks), chain=settings.chain.rpc
            )
            await _until_told(asyncio.create_task(_together(running)))


def operator(settings: NodeSettings) -> Signer:
    """Open the operator's keystore; KeyFileError says what is wrong with it."""
    return Signer.load(settings.at(settings.key.keystore), settings.password_file(), PASSWORD_VARIABLE)


def alone(settings: NodeSettings, account: Address) -> AbstractContextManager[None]:
    """Hold the locks of a node's folder and of an account on its chain; LockedError when another process does."""
    deployment = Deployment.load(settings.at(settings.chain.deployment))
    return only_daemon(settings.home, account, chain_name(deployment.chain_id, settings.chain.rpc))


def outbox(settings: NodeSettings, account: Address) -> Path:
    """Return the file of an account's transactions."""
    return settings.home / f"outbox-{hex_of(account)}.sqlite"


@contextlib.asynccontextmanager
async def connected(settings: NodeSettings) -> AsyncIterator[Chain]:
    """Connect to the chain of a node's settings."""
    deployment = Deployment.load(settings.at(settings.chain.deployment))
    async with await Chain.connect(settings.chain.rpc, deployment, settings.chain.confirmations) as chain:
        yield chain


class Contents:
    """Where a node's content is and comes from: its disk, Superlinks, its IPFS node, gateways."""

    def __init__(
        self, settings: NodeSettings, domain: Domain, signer: Signer | None, stack: AsyncExitStack
    ) -> None:
        self._settings, self._domain, self._signer, self._stack = settings, domain, signer, stack
        self.disk = DiskStore(settings.at(settings.content.folder), sync=settings.content.sync)
        self._sources = ContentSources(
            self.disk, stack, ipfs=settings.content.ipfs, gateways=settings.content.gateways
        )

    def of_task(self, given: TaskSettings, is_awaited: bool = False) -> tuple[LayeredStore, SuperlinkClient]:
        """Return the content of a task, and the link to its Superlink; ConfigError for a bad address.

        `is_awaited`: somebody sits there and waits, so that sources which are away are given up after seconds.
        """
        ca_file = given.ca_file and self._settings.at(given.ca_file)
        tls = Tls(ca_file) if given.tls else None
        link = SuperlinkClient(
            given.superlink, self._signer, self._domain, tls, limit=3.0 if is_awaited else 10.0
        )
        self._stack.push_async_callback(link.close)
        return self._sources.store(link, attempts=1 if is_awaited else 3), link


async def _open(
    settings: NodeSettings,
    signer: Signer,
    tasks: dict[TaskId, TaskSettings],
    trainer_of: TrainerOf,
    stack: AsyncExitStack,
) -> list[Callable[[], Coroutine[Any, Any, None]]]:
    """Open the chain, the journal and the content; return what is to run at the same time."""
    chain = await stack.enter_async_context(connected(settings))
    sender = await stack.enter_async_context(Sender(chain, signer, outbox(settings, signer.address)))
    journal = SupernodeJournal(settings.home / "journal.sqlite", chain.domain, signer.address)
    stack.callback(journal.close)
    contents = Contents(settings, chain.domain, signer, stack)
    clock = Clock(chain)
    running: list[Callable[[], Coroutine[Any, Any, None]]] = [clock.run]
    for task, given in tasks.items():
        store, link = contents.of_task(given)
        means = SupernodeDeps(
            signer=signer,
            domain=chain.domain,
            view=TaskView(chain, task),
            clock=clock,
            journal=journal,
            store=store,
            link=link,
            force=partial(_force, Coordinator(chain), sender),
            trainer_of=partial(trainer_of, task, given),
            apps=settings.home / "apps",
            scratch=settings.at(settings.scratch),
            by_ipfs=settings.reveal == "ipfs",
        )
        outcomes = Outcomes(
            task, signer.address, means.view, clock, journal, store, means.force, settings.content.keep_bytes
        )
        stack.push_async_callback(outcomes.close)
        running.append(partial(_keep_going, task, partial(Supernode, task, means, outcomes)))
    return running


def _trainer(settings: NodeSettings, task: TaskId, given: TaskSettings, app: Path) -> Trainer:
    """The trainer of an app, with this node's data for the task."""
    python = None if given.app_python is None else settings.at(given.app_python)
    log = settings.home / f"app-{task}.log"
    return Trainer.of(app, settings.at(given.data), log, python=python, threads=settings.threads)


async def _force(coordinator: Coordinator, sender: Sender, commit: SignedCommit) -> None:
    """Send a commit to the chain; a second time changes nothing."""
    call = coordinator.commit(commit.task, commit.round, sender.address, commit.commitment, commit.signature)
    try:
        await sender.send(call, key=f"commit:{commit.task}:{commit.round}", limit=FORCE_LIMIT)
    except Reverted as error:
        if error.error != "AlreadyCommitted":
            raise


async def _keep_going(task: TaskId, supernode: Callable[[], Supernode]) -> None:
    """Run a task; when it fails, say so and take it up again a little later."""
    for pause in pauses(longest=LONGEST_PAUSE):
        try:
            await supernode().run()
        except (DaoError, OSError) as error:
            _log.error("task interrupted", task=task, error=str(error), again_in=round(pause, 1))
        except Exception:  # noqa: BLE001
            # a fault of ours, or a trap of someone's: it must not end the other tasks
            _log.exception("task failed", task=task, again_in=round(pause, 1))
        except asyncio.CancelledError:
            if (me := asyncio.current_task()) is None or me.cancelling():
                raise
            _log.exception("task cut off", task=task, again_in=round(pause, 1))
        await asyncio.sleep(pause)


async def _together(running: Sequence[Callable[[], Coroutine[Any, Any, None]]]) -> None:
    async with asyncio.TaskGroup() as group:
        for run in running:
            group.create_task(run())


async def _until_told(work: asyncio.Task[None]) -> None:
    """Wait for work that does not end by itself, and cancel it at SIGTERM or SIGINT."""
    loop = asyncio.get_running_loop()
    told = asyncio.Event()

    def tell() -> None:
        told.set()
        work.cancel()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, tell)
    try:
        await work
    except asyncio.CancelledError:
        if not told.is_set():
            raise
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
        _log.info("stopped")
