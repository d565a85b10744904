"""The process of a Superlink: opens everything it acts through, plays its rounds, and serves until it is stopped."""

import asyncio
import gc
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import structlog

from aggregator.absentees import Absentees
from aggregator.accuser import NodeAccuser
from aggregator.answerer import Answerer
from aggregator.compute import RoundBase, RoundComputer
from aggregator.finalizer import TROUBLE, Finalizer
from aggregator.inputs import read_base
from aggregator.intake import Intake
from aggregator.journal import SuperlinkJournal
from aggregator.next_round import NextRound
from aggregator.publisher import Publisher
from aggregator.readiness import SuperlinkReadiness
from aggregator.retention import Retention, estimate_round, explain_retention
from aggregator.round_calls import RoundCalls
from aggregator.round_contents import RoundContents
from aggregator.settings import SuperlinkSettings
from aggregator.status_stream import StatusStream
from aggregator.superlink import Superlink, SuperlinkDeps
from dao.app import bundle as apps
from dao.app.gradient_client import GradientClient
from dao.app.memory_needs import MemoryNeed, compute_model_bytes, find_shortage
from dao.app.preflight import try_loss
from dao.app.sandbox import choose_maker
from dao.app.shards import Shards, read_shards
from dao.chain.blocks import BlockRef
from dao.chain.client import Chain
from dao.chain.contracts import Coordinator
from dao.chain.daemon_home import connect_chain, journal_file, lock_home, open_operator, outbox_file
from dao.chain.rounds import RoundReader
from dao.chain.sender import Sender
from dao.chain.signer import Signer
from dao.chain.task_follower import TaskFollower
from dao.content.assembly import ContentSources
from dao.content.cards import fetch_card
from dao.core.engine.backend import get_loops
from dao.core.formats.layout import Layout
from dao.core.types import Address, RoundId, Rules, TaskId, Timestamp, hex_of
from dao.errors import ConfigError, NotFound
from dao.runtime.open_files import allow_open_files
from dao.store.disk import DiskStore
from dao.store.layered import LayeredStore
from dao.wire.grpc_options import require_free
from dao.wire.superlink_service import Service, serve

SWEEP_PAUSE = 3600  # seconds of block time between two sweeps without news
JOURNALLED = 16  # decided rounds that stay in the journal: a reorg may give the newest back
_log = structlog.get_logger()


async def run_superlink(settings: SuperlinkSettings, *, leave: bool, say: Callable[[str], None]) -> None:
    """Play the rounds of the settings and then, unless it is to leave, serve their content until cancelled.

    `say` gets a line once it serves, and one when all rounds are final. DaoError where it cannot start: what is
    wrong, in one line.
    """
    allow_open_files()
    gc.freeze()  # what is imported stays: the garbage collector need not look at it
    task, _ = settings.served_task()
    async with open_superlink(settings, open_operator(settings)) as running:
        say(f"superlink of task {task} serving at {running.service.address}")
        await running.play(settings.rounds)
        say("all rounds are final")
        if not leave:
            await asyncio.Event().wait()


@dataclass(frozen=True)
class RunningSuperlink:
    """A Superlink that takes calls; `play` runs its rounds."""

    superlink: Superlink
    finalizer: Finalizer
    answerer: Answerer
    absentees: Absentees
    accuser: NodeAccuser
    service: Service
    sweep: Callable[[], Awaitable[int]]  # drops content that nobody needs
    follower: TaskFollower

    async def play(self, rounds: int | None) -> None:
        """Play rounds (None: until the task is over), then bring the posted ones to their end."""
        tasks = [
            asyncio.create_task(self.finalizer.run(), name="finalizer"),
            asyncio.create_task(self.answerer.run(), name="answers"),
            asyncio.create_task(self.absentees.run(), name="absentees"),
            asyncio.create_task(self.accuser.run(), name="accusations"),
            asyncio.create_task(self._play(rounds), name="rounds"),
            asyncio.create_task(self._keep_sweeping(), name="sweeps"),
        ]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task

    async def _play(self, rounds: int | None) -> None:
        await self.superlink.run(rounds)
        await self.finalizer.wait_idle()
        await self._try_sweep()

    async def _keep_sweeping(self) -> None:
        """Sweep at the start and after each change of a round."""
        while True:
            version = self.follower.version
            await self._try_sweep()
            if version == self.follower.version:
                await self.follower.wait(Timestamp(self.follower.now() + SWEEP_PAUSE))

    async def _try_sweep(self) -> None:
        try:
            await self.sweep()
        except TROUBLE as error:  # what is left lies there until the next sweep
            _log.warning("content not dropped", error=str(error))


@asynccontextmanager
async def open_superlink(
    settings: SuperlinkSettings, signer: Signer, evaluator: GradientClient | None = None
) -> AsyncIterator[RunningSuperlink]:
    """Open chain, content, shards, the app's process and the wire.

    `evaluator` takes the place of the app's own. ConfigError when the task is not this Superlink's, its shards are
    others, or it cannot listen; LockedError when it runs already.
    """
    home, stores, (task, shard_folder) = settings.home, settings.store_folders(), settings.served_task()
    home.mkdir(parents=True, exist_ok=True)
    status = StatusStream(home / "status.jsonl")
    async with AsyncExitStack() as stack:
        stack.enter_context(lock_home(settings, signer.address))
        await require_free(settings.listen)  # before all that takes long
        if evaluator is None:
            await asyncio.to_thread(choose_maker, settings.sandbox)
        chain = await stack.enter_async_context(connect_chain(settings))
        rules = await _read_rules(chain, task, signer)
        shards = await _read_shards(shard_folder, rules)
        store = _open_store(settings, stores, f"{hex_of(signer.address)}-{task}", stack)
        card = await fetch_card(store, rules.card)
        if evaluator is None:
            await _require_memory(task, rules, settings)
            folder, limit = await _fetch_app(store, rules, home), settings.evaluation_limit
            evaluator = GradientClient(
                folder,
                settings.app_interpreter(),
                home / "scratch",
                limit=limit,
                sandbox=settings.sandbox,
                settings=card.settings,
            )
            stack.push_async_callback(evaluator.stop)
        contents = RoundContents(home / "contents.db")
        stack.callback(contents.close)
        retention = Retention(task, contents, store, settings.content.kept, status.emit)
        retention.note_for_good(rules.app_hash)
        retention.note_for_good(rules.base_model)
        retention.note_for_good(rules.card)
        publisher = Publisher(store, retention)
        base = await _read_newest(chain, task, publisher, rules)
        await evaluator.configure(card.settings, await publisher.fetch_frozen_base(card))
        follower = await stack.enter_async_context(TaskFollower(chain, task))
        outbox = outbox_file(settings, signer.address)
        sender = await stack.enter_async_context(Sender(chain, signer, outbox))
        journal = SuperlinkJournal(journal_file(settings))
        stack.push_async_callback(journal.close)
        readiness = SuperlinkReadiness(chain, task, signer.address, follower, status.emit)
        finalizer = Finalizer(chain, task, sender, follower, status.emit)
        calls = RoundCalls(Coordinator(chain), task, sender, follower, finalizer, readiness, status.emit)
        accuser = NodeAccuser(chain, task, sender, journal, settings.accuse_gas, status.emit)
        deps = SuperlinkDeps(
            chain=chain,
            sender=sender,
            follower=follower,
            journal=journal,
            intake=Intake(
                *(chain.domain, task, signer, journal, store),
                *(follower.members, status.emit, retention.note_arriving, accuser.note),
            ),
            computer=RoundComputer(evaluator, publisher, home / "scratch", status.emit),
            publisher=publisher,
            shards=shards,
            readiness=readiness,
            calls=calls,
            next_round=NextRound(chain, task, signer.address, publisher, status.emit),
            finalizer=finalizer,
            report=status.emit,
        )
        service = await serve(
            deps.intake, settings.listen, chain.domain, signer.address, settings.certificate()
        )
        stack.push_async_callback(service.stop)
        # warms the app's process up, and finds out now whether app, model and shards fit; members fetch the app meanwhile, so that
        # the first round need not wait until it is imported at each of them, nor until the arithmetic is loaded here
        await asyncio.gather(
            try_loss(evaluator, base.path, shards.paths[0]), asyncio.to_thread(get_loops, rules.chunks)
        )
        growth = await _explain_growth(
            *(chain, task, rules, base.model.layout, shards),
            *(settings.content.kept, len(store.replicas)),
        )
        status.emit("keeping", text=growth)
        status.emit("serving", task=task, address=service.address)
        await deps.readiness.check()  # also where a round is in flight, whose end would show it
        sweep = partial(_sweep, retention, journal, finalizer, chain, task)
        superlink = Superlink(task, rules.base_model, deps)
        answerer = Answerer(
            chain, task, sender, store, home / "answers", settings.answer_gas, follower, status.emit
        )
        absentees = Absentees(chain, task, sender, store, settings.sleep_gas, follower, status.emit)
        yield RunningSuperlink(superlink, finalizer, answerer, absentees, accuser, service, sweep, follower)


async def _read_rules(chain: Chain, task: TaskId, signer: Signer) -> Rules:
    """Return the rules of the task's next round; ConfigError unless that or a round in flight is this Superlink's."""
    at, coordinator = chain.final(), Coordinator(chain)
    rules = await coordinator.rules_of(task, at)
    if rules.superlink != signer.address and not await _is_needed(chain, task, signer.address, at):
        raise ConfigError(
            f"task {task}: its Superlink is {hex_of(rules.superlink)}, this key is {hex_of(signer.address)}; "
            "use that one's keystore, or have the DAO replace it"
        )
    return rules


async def _require_memory(task: TaskId, rules: Rules, settings: SuperlinkSettings) -> None:
    """ConfigError where this machine can never work on a model of this size; a warning where it cannot now."""
    need = MemoryNeed(f"task {task}", (compute_model_bytes(rules.chunks),), aggregates=True)
    if shortage := await asyncio.to_thread(find_shortage, need, settings.sandbox):
        _log.warning("memory", text=shortage)


async def _is_needed(chain: Chain, task: TaskId, superlink: Address, at: BlockRef) -> bool:
    """Return whether a round in flight opened with this Superlink."""
    coordinator = Coordinator(chain)
    for round_id in await RoundReader(chain, task).read_undecided(at):
        if (await coordinator.rules_of_round(task, round_id, at)).superlink == superlink:
            return True
    return False


async def _sweep(
    retention: Retention, journal: SuperlinkJournal, finalizer: Finalizer, chain: Chain, task: TaskId
) -> int:
    """Drop content and journal of rounds of which nobody needs them any more; return how many rounds lost content."""
    undecided = await finalizer.list_undecided()
    state = await Coordinator(chain).task_of(task, chain.final())
    await journal.forget_before(task, RoundId(min([state.last_round, *undecided]) - JOURNALLED))
    return await retention.sweep(state.head, finalizer.read_phases)


async def _read_newest(chain: Chain, task: TaskId, publisher: Publisher, rules: Rules) -> RoundBase:
    """Read what the next round starts from: all content of earlier rounds that the work needs; NotFound names the rest."""
    head = (await Coordinator(chain).task_of(task, chain.final())).head
    try:
        return await read_base(chain, RoundReader(chain, task), publisher, rules.base_model, head)
    except NotFound as error:
        raise NotFound(
            f"task {task}: goes on from round {head}: {error}; name who has its content: a folder in `stores`, such as "
            "the `content` of a node, or an IPFS node"
        ) from None


async def _read_shards(folder: Path, rules: Rules) -> Shards:
    shards = await asyncio.to_thread(read_shards, folder)
    shards.select(rules)
    return shards


def _open_store(
    settings: SuperlinkSettings, folders: list[Path], owner: str, stack: AsyncExitStack
) -> LayeredStore:
    content = settings.content
    disk = DiskStore(settings.home / "store", sync=False)
    sources = ContentSources(
        disk, stack, folders=folders, ipfs=content.ipfs, gateways=content.gateways, owner=owner
    )
    return sources.store()


async def _explain_growth(
    chain: Chain, task: TaskId, rules: Rules, layout: Layout, shards: Shards, kept: int | None, replicas: int
) -> str:
    """Say how much a round of the task adds, and what of it is kept."""
    members = (await Coordinator(chain).task_of(task, chain.final())).active
    shard = max(path.stat().st_size for path in shards.paths)
    size = estimate_round(layout, rules.codec, members, shard)
    return explain_retention(size, shard, members, kept, replicas)


async def _fetch_app(store: LayeredStore, rules: Rules, home: Path) -> Path:
    path = await store.get(rules.app_hash, apps.MAX_BYTES)
    content = await asyncio.to_thread(path.read_bytes)
    return await asyncio.to_thread(apps.unpack, content, home / "apps" / rules.app_hash.hex())
