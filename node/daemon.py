"""The process of a Supernode: opens everything it acts through, and runs its tasks until it is stopped."""

import asyncio
import gc
import sys
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any

import structlog

from dao.app.gradient_client import THREADS, GradientClient
from dao.app.sandbox import choose_maker
from dao.chain.block_clock import BlockClock
from dao.chain.contracts import Coordinator
from dao.chain.daemon_home import connect_chain, journal_file, lock_home, open_operator, outbox_file
from dao.chain.events import CommitsClosed, ForcedReveal
from dao.chain.final_reader import FinalReader
from dao.chain.forced_reveals import ForcedReveals
from dao.chain.sender import Sender
from dao.chain.signer import Signer
from dao.chain.task_origin import read_task_origin
from dao.content.assembly import ContentSources
from dao.core.commits import SignedCommit
from dao.core.formats.app_settings import Setting
from dao.core.types import Domain, TaskId, hex_of
from dao.errors import ConfigError, DaoError, Reverted
from dao.runtime.backoff import pauses
from dao.runtime.open_files import allow_open_files
from dao.runtime.signals import run_until_signal
from dao.store.disk import DiskStore
from dao.store.layered import LayeredStore
from dao.wire.grpc_options import Tls
from dao.wire.superlink_client import SuperlinkClient
from node.absence_watch import AbsenceWatch
from node.approvals import Approvals
from node.attester import Attester
from node.check.site_data import SiteData
from node.feedback_files import FeedbackFiles
from node.gradient_juror import GradientJuror
from node.journal import CommitEntry, SupernodeJournal
from node.model_keeper import ModelKeeper
from node.outcomes import Outcomes
from node.privacy.ledger import PrivacyLedger
from node.privacy.private_updates import PrivateUpdates
from node.public_shards import PublicShards
from node.readiness import SupernodeReadiness
from node.round_auditor import RoundAuditor
from node.round_ender import RoundEnder
from node.self_defence import SelfDefence
from node.settings import NodeSettings, TaskSettings
from node.state_notes import StateNotes
from node.submission import Submission
from node.supernode import Supernode, SupernodeDeps
from node.task_memory import find_node_shortage
from node.trainer import Trainer
from node.update_maker import UpdateMaker
from node.uses import UseLog

FORCE_LIMIT = 120.0  # seconds
GRADIENT_LIMIT = 3600.0  # seconds for one gradient of a result that is accused
LONGEST_PAUSE = 60.0  # seconds until a task that failed runs again
_log = structlog.get_logger()

TrainerOf = Callable[[TaskId, TaskSettings, Path, Mapping[str, Setting]], Trainer]


async def run_node(settings: NodeSettings, trainer_of: TrainerOf | None = None) -> None:
    """Run a Supernode until SIGTERM or SIGINT. DaoError where it cannot start: what is wrong, in one line.

    `trainer_of` (task, its settings, the app's folder) makes another trainer than the app's own.
    """
    tasks = settings.tasks()
    if not tasks:
        raise ConfigError(
            f"{settings.home}: takes part in no task; dao node join TASK --data PATH --superlink HOST:PORT"
        )
    signer = open_operator(settings)
    await asyncio.to_thread(choose_maker, settings.sandbox)
    allow_open_files()
    gc.freeze()  # what is imported stays: the garbage collector need not look at it
    with lock_home(settings, signer.address):
        async with AsyncExitStack() as stack:
            running = await _open(settings, signer, tasks, trainer_of or partial(_trainer, settings), stack)
            _log.info(
                "supernode", operator=hex_of(signer.address), tasks=list(tasks), chain=settings.chain.rpc
            )
            try:
                await run_until_signal(_run_together(running))
            finally:
                _log.info("stopped")


class Contents:
    """A node's content: its disk, and the Superlinks, IPFS node and gateways that it comes from."""

    def __init__(
        self, settings: NodeSettings, domain: Domain, signer: Signer | None, stack: AsyncExitStack
    ) -> None:
        self._settings, self._domain, self._signer, self._stack = settings, domain, signer, stack
        self.disk = DiskStore(settings.at(settings.content.folder), sync=settings.content.sync)
        self._sources = ContentSources(
            self.disk,
            stack,
            ipfs=settings.content.ipfs,
            gateways=settings.content.gateways,
            owner=hex_of(signer.address) if signer else "reader",
        )

    def open_task(
        self, task_settings: TaskSettings, is_awaited: bool = False
    ) -> tuple[LayeredStore, SuperlinkClient]:
        """Return the content of a task, and the client of its Superlink; ConfigError for a bad address.

        `is_awaited`: a person waits for the end, so that sources which do not answer are given up after seconds.
        """
        ca_file = task_settings.ca_file and self._settings.at(task_settings.ca_file)
        tls, limit = Tls(ca_file) if task_settings.tls else None, 3.0 if is_awaited else 10.0
        client = SuperlinkClient(task_settings.superlink, self._signer, self._domain, tls, limit=limit)
        self._stack.push_async_callback(client.close)
        return self._sources.store(client, attempts=1 if is_awaited else 3), client


async def _open(
    settings: NodeSettings,
    signer: Signer,
    tasks: dict[TaskId, TaskSettings],
    trainer_of: TrainerOf,
    stack: AsyncExitStack,
) -> list[Callable[[], Coroutine[Any, Any, None]]]:
    """Open the chain, the journal and the content; return what is to run at the same time."""
    chain = await stack.enter_async_context(connect_chain(settings))
    if shortage := await find_node_shortage(chain, settings, [*tasks]):
        _log.warning("memory", text=shortage)
    sender = await stack.enter_async_context(Sender(chain, signer, outbox_file(settings, signer.address)))
    journal = SupernodeJournal(journal_file(settings), chain.domain, signer.address)
    stack.callback(journal.close)
    contents = Contents(settings, chain.domain, signer, stack)
    clock, node, domain = BlockClock(chain), signer.address, chain.domain
    force = partial(_force, Coordinator(chain), sender)
    force_reveal = partial(_force_reveal, ForcedReveals(chain), sender)
    scratch, by_ipfs = settings.at(settings.scratch), settings.reveal == "ipfs"
    running: list[Callable[[], Coroutine[Any, Any, None]]] = [clock.run]
    for task, task_settings in tasks.items():
        store, client = contents.open_task(task_settings)
        reader = FinalReader(chain, task)
        approvals = Approvals(settings.home)
        readiness = SupernodeReadiness(
            task,
            reader,
            store,
            client,
            partial(trainer_of, task, task_settings),
            settings.home / "apps" / str(task),  # its own: the base beside the code is the card's
            approvals,
            SiteData(
                settings.at(task_settings.data),
                task,
                least_rows=task_settings.least_rows,
                bears_defects=not task_settings.check,
            ),
            StateNotes(settings.home, task),
            follows_card=task_settings.follow_card,
        )
        defence = SelfDefence(chain, sender, store, task, node, settings.prove, settings.prove_gas)
        models = ModelKeeper(task, reader, store)
        stack.push_async_callback(models.close)
        keep_bytes = settings.content.keep_bytes
        outcomes = Outcomes(task, node, reader, journal, store, models, keep_bytes, defence)
        stack.push_async_callback(outcomes.close)
        uses = UseLog(settings.home, task, partial(read_task_origin, chain, task))
        privacy = None
        if task_settings.privacy is not None:
            ledger = PrivacyLedger(settings.at(settings.ledger))
            stack.callback(ledger.close)
            privacy = PrivateUpdates(task_settings.privacy, ledger, domain, node, task)
        deps = SupernodeDeps(
            reader=reader,
            journal=journal,
            client=client,
            readiness=readiness,
            update_maker=UpdateMaker(
                *(task, signer, domain, reader, clock, journal, store, readiness, models, scratch, uses),
                PublicShards(task, reader, store, settings.public_bytes),
                privacy,
                # what lacks noise never joins what has it
                FeedbackFiles(
                    settings.home / "feedback" / str(task) / ("noised" if privacy else "as-trained")
                ),
            ),
            submission=Submission(
                task, domain, reader, clock, journal, store, client, force, by_ipfs, force_reveal
            ),
            models=models,
            outcomes=outcomes,
            uses=uses,
            attester=Attester(
                *(task, node, domain, chain, reader, clock, journal, store, models, client),
                attest=partial(_attest, ForcedReveals(chain), sender) if settings.prove else None,
            ),
        )
        juror = GradientJuror(
            chain=chain,
            sender=sender,
            source=store,
            journal=journal,
            approvals=approvals,
            task=task,
            evaluator_of=partial(_evaluator, settings, task_settings, THREADS),
            scratch=scratch,
            most_gas=settings.vote_gas,
            checkers=settings.gradient_checkers,
        )
        stack.push_async_callback(juror.close)
        running.append(partial(_keep_going, task, partial(_play, task, deps)))
        running.append(partial(_keep_going, task, outcomes.keep_concluded))
        running.append(partial(_keep_going, task, juror.run))
        if settings.end_gas:
            ender = RoundEnder(chain, sender, clock, task, node, settings.end_gas)
            watch = AbsenceWatch(chain, sender, reader, store, task, node, settings.end_gas)
            running += [partial(_keep_going, task, ender.run), partial(_keep_going, task, watch.run)]
        if settings.audit:
            auditor = RoundAuditor(
                *(task, chain, reader, clock, journal, store, defence, signer, approvals),
                partial(_evaluator, settings, task_settings, 1),
                settings.home,
                settings.audit,
            )
            running.append(partial(_keep_going, task, auditor.run))
    return running


def _evaluator(
    settings: NodeSettings, task_settings: TaskSettings, threads: int, app: Path, scratch: Path
) -> GradientClient:
    """Return what computes gradients of an app, in a process of its own, on `threads` unless the settings say how many."""
    return GradientClient(
        app,
        _get_interpreter(settings, task_settings) or Path(sys.executable),
        scratch,
        limit=GRADIENT_LIMIT,
        threads=settings.threads or threads,
        keeps_log=False,
        sandbox=settings.sandbox,
        yields=True,  # checks and votes have minutes; rounds wait for the training beside them
    )


def _trainer(
    settings: NodeSettings,
    task: TaskId,
    task_settings: TaskSettings,
    app: Path,
    app_settings: Mapping[str, Setting],
) -> Trainer:
    """Return the trainer of an app with its settings, and with this node's data for the task."""
    log = settings.home / f"app-{task}.log"
    return Trainer.of(
        app,
        settings.at(task_settings.data),
        log,
        python=_get_interpreter(settings, task_settings),
        threads=settings.threads,
        sandbox=settings.sandbox,
        settings=app_settings,
    )


def _get_interpreter(settings: NodeSettings, task_settings: TaskSettings) -> Path | None:
    """Return the interpreter of the app's environment; None: this one."""
    return None if task_settings.app_python is None else settings.at(task_settings.app_python)


async def _force(coordinator: Coordinator, sender: Sender, commit: SignedCommit) -> None:
    """Send a commit to the chain; a second time changes nothing."""
    call = coordinator.commit(commit.task, commit.round, commit.node, commit.commitment, commit.signature)
    try:
        await sender.send(call, key=f"commit:{hex_of(commit.commitment)}", limit=FORCE_LIMIT)
    except Reverted as error:
        if error.error != "AlreadyCommitted":
            raise


async def _force_reveal(reveals: ForcedReveals, sender: Sender, entry: CommitEntry) -> None:
    """Open a commit on chain; a second time changes nothing."""
    commit = entry.commit
    call = reveals.reveal(commit.task, commit.round, entry.reveal)
    try:
        await sender.send(call, key=f"reveal:{hex_of(commit.commitment)}", limit=FORCE_LIMIT)
    except Reverted as error:
        if error.error != "AlreadyRevealed":
            raise


async def _attest(
    reveals: ForcedReveals, sender: Sender, opened: ForcedReveal, closed: CommitsClosed
) -> None:
    """Attest on chain that another node's update is there; a second time changes nothing."""
    place = opened.task, opened.round, opened.node
    call = reveals.attest(*place, closed.root, closed.seed)
    key = f"attest:{opened.task}:{opened.round}:{hex_of(opened.node)}"
    try:
        await sender.send(call, key=key, limit=FORCE_LIMIT)
    except Reverted as error:
        if error.error != "AlreadyAttested":
            raise


async def _play(task: TaskId, deps: SupernodeDeps) -> None:
    await Supernode(task, deps).run()


async def _keep_going(task: TaskId, run: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a task; when it fails, log it and run the task again a little later."""
    for pause in pauses(longest=LONGEST_PAUSE):
        try:
            await run()
        except (DaoError, OSError) as error:
            _log.error("task interrupted", task=task, error=str(error), again_in=round(pause, 1))
        except Exception:  # noqa: BLE001
            # a fault of ours, or a trap of someone's: it must not end the other tasks
            _log.exception("task failed", task=task, again_in=round(pause, 1))
        except asyncio.CancelledError:
            if (this := asyncio.current_task()) is None or this.cancelling():
                raise
            _log.exception("task cut off", task=task, again_in=round(pause, 1))
        else:
            return
        await asyncio.sleep(pause)


async def _run_together(running: Sequence[Callable[[], Coroutine[Any, Any, None]]]) -> None:
    async with asyncio.TaskGroup() as group:
        for run in running:
            group.create_task(run())
