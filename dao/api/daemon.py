"""The API as a running service: settings to open port, with the chain coming and going as it will."""

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
from dao.api.dependencies import Dependencies, sites_of
from dao.api.index_follower import Index
from dao.api.live.sse import Live
from dao.api.live.sse_publisher import SsePublisher
from dao.api.manifest_sources import open_content
from dao.api.relay.relay_jobs import RelayJobs
from dao.api.relay.relayer import Budget, Relayer
from dao.api.settings import NAMES, ApiSettings
from dao.api.token_names import Names, keep_names, kept_names, read_names
from dao.chain.client import Chain
from dao.chain.sender import Sender
from dao.chain.signer import Signer
from dao.core.errors import ChainError, ConfigError
from dao.core.types import Domain, Wei
from dao.index.database import open_database
from dao.runtime.locks import chain_name, only_daemon
from dao.store.source import Source

_LEAVE_SECONDS = 5
_CONNECTIONS = 2000
_BACKLOG = 512
_AGAIN = 1.0  # seconds after a failure of the chain's node


@dataclass(frozen=True)
class RunningApi:
    """An API that serves; `url` is its address on this machine."""

    url: str
    services: Dependencies
    _done: "asyncio.Task[None]"

    async def ready(self) -> None:
        """Wait until the chain that there is now is indexed and, where it is to relay, the relayer is there."""
        services = self.services
        await services.linked.wait()
        await services.index.reached(services.link.chain().final().number)
        if services.settings.relay.enabled:
            await services.relaying.wait()

    async def wait(self) -> None:
        """Wait until it ends by itself; raises what ended it."""
        await self._done


class _Server(uvicorn.Server):
    """Leaves signals to whoever runs the loop."""

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
        index = await asyncio.to_thread(Index, open_database(settings.database()), deployment)
        stack.callback(index.close)
        domain = Domain(deployment.chain_id, deployment.coordinator)
        content = await stack.enter_async_context(open_content(settings, domain))
        port = listening.getsockname()[1]
        link = ChainConnection(settings.chain.rpc, deployment, settings.chain.confirmations)
        sessions = Sessions(sites_of(settings, port, deployment.chain_id))
        services = Dependencies(settings, link, sessions, index, Live())
        services.names = kept_names(settings.home / NAMES, deployment.token)
        _watch(services)
        server = _Server(
            uvicorn.Config(
                create_app(services),
                log_level="warning",
                access_log=False,
                proxy_headers=False,
                server_header=False,
                limit_concurrency=_CONNECTIONS,
                timeout_graceful_shutdown=_LEAVE_SECONDS,
                ws="none",
                lifespan="off",
            )
        )
        serving = asyncio.create_task(server.serve([listening]))
        linked = asyncio.create_task(follow(services, signer, content))
        done = asyncio.create_task(_first(serving, linked))
        try:
            yield RunningApi(f"http://{_host(settings)}:{port}", services, done)
        finally:
            services.live.end()
            server.should_exit = True
            linked.cancel()
            await asyncio.gather(serving, linked, done, return_exceptions=True)


async def follow(services: Dependencies, signer: Signer | None, content: Source) -> None:
    """Follow the chain, and relay where there is a signer, until cancelled."""
    teller, settings = SsePublisher(services), services.settings

    async def work(chain: Chain) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(services.index.run(chain, content, teller.changed, teller.moved))
            if signer is not None:
                group.create_task(_relaying(services, chain, signer))
            services.names = await _names(chain)
            keep_names(settings.home / NAMES, chain.deployment.token, services.names)
            services.linked.set()

    await services.link.run(work, teller.moved)


async def _names(chain: Chain) -> Names:
    while True:
        try:
            return await read_names(chain)
        except ChainError:  # the link tells of it
            await asyncio.sleep(_AGAIN)


async def _relaying(services: Dependencies, chain: Chain, signer: Signer) -> None:
    settings = services.settings
    budget = Budget(Wei(settings.relay.budget_per_day), settings.relay.per_account, settings.relay.max_gas)
    with contextlib.closing(RelayJobs(settings.home / "relay.db")) as ledger:
        async with Sender(chain, signer, settings.home / "transactions.db") as sender:
            relayer = Relayer(chain, sender, ledger, budget)
            with contextlib.suppress(ChainError):
                await relayer.refresh()
            services.relayer = relayer
            services.relaying.set()
            await relayer.run()


async def _first(*tasks: "asyncio.Task[None]") -> None:
    """Raise what ends one of the tasks."""
    ended, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in ended:
        task.result()


def _host(settings: ApiSettings) -> str:
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


def _watch(services: Dependencies) -> None:
    """What the metrics tell of a running service."""
    watch = services.metrics.watch
    watch("api_listeners", "Connections that listen to events.", lambda: len(services.live))
    watch("api_listeners_dropped", "Listeners let go for being too slow.", lambda: services.live.dropped)
    watch("api_sessions", "Sessions kept.", lambda: len(services.sessions))
    watch("chain_up", "Whether the chain's node answers.", lambda: float(services.link.up))
    watch("index_block", "The newest block indexed.", lambda: float(getattr(services.index.at, "number", 0)))
    watch(
        "index_lag_seconds",
        "Age of the newest block indexed.",
        lambda: time.time() - getattr(services.index.at, "timestamp", 0),
    )
    watch(
        "relayer_balance_wei",
        "Ether of the relayer.",
        lambda: float(services.relayer.balance if services.relayer else 0),
    )
    watch(
        "relayer_remaining_wei",
        "What is left of the relayer's budget of today.",
        lambda: float(services.relayer.remaining() if services.relayer else 0),
    )
