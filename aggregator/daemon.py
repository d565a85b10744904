"""Puts a Superlink together from its settings, and runs it until it has nothing left to do or is told to stop."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from aggregator.compute import RoundComputer
from aggregator.finalizer import Finalizer
from aggregator.intake import Intake
from aggregator.journal import SuperlinkJournal
from aggregator.publisher import Publisher
from aggregator.readiness import Readiness
from aggregator.status import StatusStream
from aggregator.superlink import Superlink, SuperlinkDeps
from aggregator.task_watcher import TaskWatcher
from dao.app import bundle as apps
from dao.app.gradient_client import GradientClient
from dao.app.preflight import try_loss
from dao.app.shards import Shards, read_shards
from dao.chain.client import Chain
from dao.chain.contracts import Coordinator
from dao.chain.deployment import Deployment
from dao.chain.sender import Sender
from dao.chain.signer import Signer
from dao.chain.track import BlockRef
from dao.content.assembly import ContentSources
from dao.core.errors import ConfigError
from dao.core.round_machine import UNDECIDED
from dao.core.types import Address, RoundId, Rules, TaskId, hex_of
from dao.runtime.locks import chain_name, only_daemon
from dao.store.disk import DiskStore
from dao.store.layered import LayeredStore
from dao.wire.grpc_options import Certificate, require_free
from dao.wire.superlink_service import Service, serve


@dataclass(frozen=True)
class Settings:
    """What a Superlink's operator decides."""

    home: Path  # journal, status, store, scratch files
    task: TaskId
    url: str  # of the chain's node
    deployment: Deployment
    shards: Path  # folder of the task's validation shards
    python: Path  # interpreter of the app's environment
    listen: str = "127.0.0.1:0"  # host:port
    confirmations: int = 0
    stores: tuple[Path, ...] = ()  # folders of disk stores to read from
    ipfs: str | None = None  # API of an IPFS node, as /ip4/127.0.0.1/tcp/5001/http
    gateways: tuple[str, ...] = ()
    evaluation_limit: float = 600.0  # seconds for one gradient
    certificate: Certificate | None = None


@dataclass(frozen=True)
class RunningSuperlink:
    """A Superlink that takes calls; `play` runs its rounds."""

    superlink: Superlink
    caretaker: Finalizer
    service: Service

    async def play(self, rounds: int | None) -> None:
        """Play rounds (None: until the task is over), then see the posted ones to their end."""
        caring = asyncio.create_task(self.caretaker.run(), name="caretaker")
        playing = asyncio.create_task(self._play(rounds), name="rounds")
        try:
            done, _ = await asyncio.wait({caring, playing}, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in (caring, playing):
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task

    async def _play(self, rounds: int | None) -> None:
        await self.superlink.run(rounds)
        await self.caretaker.finished()


@asynccontextmanager
async def open_superlink(
    settings: Settings, signer: Signer, evaluator: GradientClient | None = None
) -> AsyncIterator[RunningSuperlink]:
    """Make everything ready: chain, content, shards, the app's process, the wire.

    `evaluator` takes the place of one of its own. ConfigError when the task is not this Superlink's, its shards are
    others, or it cannot listen; LockedError when it runs already.
    """
    home = settings.home
    home.mkdir(parents=True, exist_ok=True)
    status = StatusStream(home / "status.jsonl")
    async with AsyncExitStack() as stack:
        name = chain_name(settings.deployment.chain_id, settings.url)
        stack.enter_context(only_daemon(home, signer.address, name))
        await require_free(settings.listen)  # rather than after all that takes long
        chain = await stack.enter_async_context(
            await Chain.connect(settings.url, settings.deployment, settings.confirmations)
        )
        rules = await _rules(chain, settings.task, signer)
        shards = await _shards(settings.shards, rules)
        store = _store(settings, stack)
        if evaluator is None:
            folder = await _app(store, rules, home)
            evaluator = GradientClient(
                folder, settings.python, home / "scratch", limit=settings.evaluation_limit
            )
            stack.push_async_callback(evaluator.stop)
        # also warms the app's process up, and finds out now whether app, model and shards fit
        await try_loss(evaluator, await store.get(rules.base_model), shards.paths[0])
        watch = await stack.enter_async_context(TaskWatcher(chain, settings.task))
        sender = await stack.enter_async_context(Sender(chain, signer, home / "transactions.db"))
        journal = SuperlinkJournal(home / "journal.db")
        stack.push_async_callback(journal.close)
        intake = Intake(chain.domain, settings.task, signer, journal, store, watch.members, status.emit)
        publisher = Publisher(store)
        work = RoundComputer(evaluator, publisher, home / "scratch")
        shortage = Readiness(chain, settings.task, signer.address, watch, status.emit)
        tools = SuperlinkDeps(
            chain, sender, watch, journal, intake, work, publisher, shards, shortage, status.emit
        )
        service = await serve(intake, settings.listen, chain.domain, signer.address, settings.certificate)
        stack.push_async_callback(service.stop)
        status.emit("serving", task=settings.task, address=service.address)
        await shortage.look()  # also where a round is in flight, whose end would show it
        caretaker = Finalizer(chain, settings.task, sender, watch, journal, status.emit)
        yield RunningSuperlink(Superlink(settings.task, rules.base_model, tools), caretaker, service)


async def _rules(chain: Chain, task: TaskId, signer: Signer) -> Rules:
    """The rules of the task's next round; ConfigError when neither that nor a round in flight is this Superlink's."""
    at, coordinator = chain.final(), Coordinator(chain)
    rules = await coordinator.rules_of(task, at)
    if rules.superlink != signer.address and not await _is_needed(coordinator, task, signer.address, at):
        raise ConfigError(
            f"task {task}: its Superlink is {hex_of(rules.superlink)}, this key is {hex_of(signer.address)}; "
            "use that one's keystore, or have the DAO replace it"
        )
    return rules


async def _is_needed(coordinator: Coordinator, task: TaskId, superlink: Address, at: BlockRef) -> bool:
    """Whether a round in flight opened with this Superlink."""
    state = await coordinator.task_of(task, at)
    left, round_ = state.in_flight, state.last_round
    while left and round_:
        if (await coordinator.round_of(task, round_, at)).phase in UNDECIDED:
            if (await coordinator.rules_of_round(task, round_, at)).superlink == superlink:
                return True
            left -= 1
        round_ = RoundId(round_ - 1)
    return False


async def _shards(folder: Path, rules: Rules) -> Shards:
    shards = await asyncio.to_thread(read_shards, folder)
    if len(shards.paths) != rules.shards or shards.root != rules.validation_root:
        raise ConfigError(
            f"shards {folder}: {len(shards.paths)} files with root {hex_of(shards.root)}, the task has {rules.shards} "
            f"with root {hex_of(rules.validation_root)}; point to the folder that it was made with"
        )
    return shards


def _store(settings: Settings, stack: AsyncExitStack) -> LayeredStore:
    disk = DiskStore(settings.home / "store", sync=False)
    sources = ContentSources(
        disk, stack, folders=settings.stores, ipfs=settings.ipfs, gateways=settings.gateways
    )
    return sources.store()


async def _app(store: LayeredStore, rules: Rules, home: Path) -> Path:
    path = await store.get(rules.app_hash, apps.MAX_BYTES)
    content = await asyncio.to_thread(path.read_bytes)
    return await asyncio.to_thread(apps.unpack, content, home / "apps" / rules.app_hash.hex())
