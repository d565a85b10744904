"""Assembles the API from its settings, serves it, and follows the chain while its node answers."""

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

import uvicorn

from dao.api.application import create_app
from dao.api.auth.sessions import Sessions
from dao.api.chain_connection import ChainConnection
from dao.api.dependencies import Dependencies, list_sites
from dao.api.http.connections import make_protocol
from dao.api.index_follower import IndexFollower
from dao.api.live.sse import EventHub
from dao.api.live.sse_publisher import SsePublisher
from dao.api.manifest_sources import open_content
from dao.api.relay.budget import Budget
from dao.api.relay.relay_jobs import RelayJobs
from dao.api.relay.relayer import Relayer
from dao.api.round_reports import RoundReports
from dao.api.settings import NAMES_FILE, ApiSettings
from dao.api.token_names import TokenNames, load_names, read_names, save_names
from dao.chain.client import Chain
from dao.chain.sender import Sender
from dao.chain.signer import Signer
from dao.core.types import Domain, TaskId, Wei
from dao.errors import ChainError, ConfigError
from dao.index.database import open_database
from dao.runtime.locks import chain_name, only_daemon
from dao.store.source import Source

_SHUTDOWN_SECONDS = 5  # for requests under way
_BACKLOG = 512
_RETRY = 1.0  # seconds after a failure of the chain's node


@dataclass(frozen=True)
class RunningApi:
    """A running API; `url` is its address on this machine."""

    url: str
    deps: Dependencies
    _done: "asyncio.Task[None]"

    async def ready(self) -> None:
        """Wait until the chain is indexed up to now and, where it is to relay, the relayer runs."""
        deps = self.deps
        await deps.chain_ready.wait()
        await deps.index.wait_for_block(deps.get_chain().final().number)
        if deps.settings.relay.enabled:
            await deps.relayer_ready.wait()

    async def wait(self) -> None:
        """Wait until it ends by itself, and raise the error that ended it."""
        await self._done


class _Server(uvicorn.Server):
    """Leaves signals to the command that runs the loop."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def open_api(settings: ApiSettings) -> AsyncIterator[RunningApi]:
    """Serve for the length of a block; ConfigError, KeyFileError, DatabaseError or LockedError where it cannot."""
    deployment, signer = settings.network(), settings.relayer()
    async with contextlib.AsyncExitStack() as stack:
        if signer is not None:
            chain = chain_name(deployment.chain_id, settings.chain.rpc)
            stack.enter_context(only_daemon(settings.home, signer.address, chain))
        listening = stack.enter_context(_listen(settings))
        index = await asyncio.to_thread(IndexFollower, open_database(settings.database()), deployment)
        stack.callback(index.close)
        domain = Domain(deployment.chain_id, deployment.coordinator)
        content = await stack.enter_async_context(open_content(settings, domain))
        port = listening.getsockname()[1]
        connection = ChainConnection(settings.chain.rpc, deployment, settings.chain.confirmations)
        sessions = Sessions(list_sites(settings, port, deployment.chain_id))
        deps = Dependencies(settings, connection, sessions, index, EventHub())
        streams = {TaskId(task): settings.at(path) for task, path in settings.content.status_streams.items()}
        deps.round_reports = RoundReports(streams)
        deps.token_names = load_names(settings.home / NAMES_FILE, deployment.token)
        protocol = make_protocol(frozenset(settings.api.trusted_proxies), deps.read_load)
        _add_metrics(deps)
        deps.metrics.watch_counter(
            "http_refused", "Requests and connections refused unread.", lambda: protocol.refused
        )
        server = _Server(
            uvicorn.Config(
                create_app(deps),
                log_level="warning",
                access_log=False,
                proxy_headers=False,
                server_header=False,
                http=protocol,
                timeout_graceful_shutdown=_SHUTDOWN_SECONDS,
                ws="none",
                lifespan="off",
            )
        )
        serving = asyncio.create_task(server.serve([listening]))
        following = asyncio.create_task(follow(deps, signer, content))
        done = asyncio.create_task(_wait_first(serving, following))
        try:
            yield RunningApi(f"http://{_format_host(settings)}:{port}", deps, done)
        finally:
            deps.event_hub.close()
            server.should_exit = True
            following.cancel()
            await asyncio.gather(serving, following, done, return_exceptions=True)


async def follow(deps: Dependencies, signer: Signer | None, content: Source) -> None:
    """Follow the chain, and relay where there is a signer, until cancelled."""
    publisher, settings = SsePublisher(deps), deps.settings

    async def work(chain: Chain) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(
                deps.index.run(chain, content, publisher.publish_change, publisher.schedule_status)
            )
            if signer is not None:
                group.create_task(_relay(deps, chain, signer))
            deps.token_names = await _read_names(chain)
            save_names(settings.home / NAMES_FILE, chain.deployment.token, deps.token_names)
            deps.chain_ready.set()

    reporting = asyncio.create_task(deps.round_reports.run(publisher.publish_change))
    try:
        await deps.chain_connection.run(work, publisher.schedule_status)
    finally:
        reporting.cancel()


async def _read_names(chain: Chain) -> TokenNames:
    while True:
        try:
            return await read_names(chain)
        except ChainError:  # the connection logs it
            await asyncio.sleep(_RETRY)


async def _relay(deps: Dependencies, chain: Chain, signer: Signer) -> None:
    settings = deps.settings
    limits = settings.relay
    budget = Budget(
        Wei(limits.budget_per_day),
        limits.max_gas,
        limits.per_account,
        limits.gas_per_account,
        limits.votes_part,
    )
    with contextlib.closing(RelayJobs(settings.home / "relay.db")) as jobs:
        async with Sender(chain, signer, settings.home / "transactions.db") as sender:
            relayer = Relayer(chain, sender, jobs, budget)
            with contextlib.suppress(ChainError):
                await relayer.refresh()
            deps.relayer = relayer
            deps.relayer_ready.set()
            try:
                await relayer.run()
            finally:
                deps.relayer = None  # its file closes: requests that are still answered cannot read it


async def _wait_first(*tasks: "asyncio.Task[None]") -> None:
    """Wait until one of the tasks ends, and raise its error."""
    ended, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in ended:
        task.result()


def _format_host(settings: ApiSettings) -> str:
    host, _ = settings.address()
    return f"[{host}]" if ":" in host else host


@contextmanager
def _listen(settings: ApiSettings) -> Iterator[socket.socket]:
    host, port = settings.address()
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio sends small answers at once (TCP_NODELAY) only where the protocol is named
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(_BACKLOG)
    except OSError as error:
        listening.close()
        raise ConfigError(
            f"api.listen {settings.api.listen}: {error.strerror}; choose another by --port"
        ) from None
    with listening:
        yield listening


def _add_metrics(deps: Dependencies) -> None:
    """Add the metrics of a running API."""
    watch = deps.metrics.watch
    count = deps.metrics.watch_counter
    watch("event_listeners", "Connections that listen to events.", lambda: len(deps.event_hub))
    count("event_listeners_dropped", "Listeners let go for being too slow.", lambda: deps.event_hub.dropped)
    watch("sessions", "Sessions that are open.", lambda: len(deps.sessions))
    watch("chain_up", "Whether the chain's node answers.", lambda: float(deps.chain_connection.up))
    watch("index_block", "The newest block indexed.", lambda: float(getattr(deps.index.at, "number", 0)))
    watch(
        "index_lag_seconds",
        "Age of the newest block indexed.",
        lambda: time.time() - getattr(deps.index.at, "timestamp", 0),
    )
    watch(
        "relayer_balance_wei",
        "Ether of the relayer.",
        lambda: float(deps.relayer.balance if deps.relayer else 0),
    )
    watch(
        "relayer_remaining_wei",
        "What is left of the relayer's budget of today.",
        lambda: float(deps.relayer.get_remaining() if deps.relayer else 0),
    )
    count(
        "relayer_gas",
        "Gas of what the relayer sent since it began.",
        lambda: deps.relayer.gas_used if deps.relayer else 0,
    )
