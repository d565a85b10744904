"""What routes depend on: the parts of the running API, and a request's caller, session and right to change things."""

import asyncio
import hmac
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Header, Request

from dao.api.auth.sessions import Session, Sessions, Site
from dao.api.chain_connection import ChainConnection
from dao.api.http.load import READS_AT_WORK, WRITES_AT_WORK, LoadShedder
from dao.api.http.problems import Problem
from dao.api.http.rate_limits import Rate, RateLimiter
from dao.api.index_follower import IndexFollower
from dao.api.live.sse import EventHub
from dao.api.metrics import Metrics
from dao.api.models.base import AsOf, Page
from dao.api.proposal_log import ProposalLog
from dao.api.relay.relayer import Relayer
from dao.api.round_reports import RoundReports
from dao.api.settings import ApiSettings
from dao.api.token_names import TokenNames
from dao.chain.client import Chain
from dao.core.types import Address
from dao.index.reads import Reads, records

P = TypeVar("P", bound=Page)
T = TypeVar("T")
_BURST_SECONDS = 10  # of the rate, that may come at once


@dataclass
class Dependencies:
    """The parts of one running API. `token_names` and, where it relays at all, `relayer` are None until the chain is reached."""

    settings: ApiSettings
    chain_connection: ChainConnection
    sessions: Sessions
    index: IndexFollower
    event_hub: EventHub
    token_names: TokenNames | None = None
    proposal_log: ProposalLog = field(default_factory=ProposalLog)
    metrics: Metrics = field(default_factory=Metrics)
    read_load: LoadShedder = field(default_factory=lambda: LoadShedder(READS_AT_WORK))
    write_load: LoadShedder = field(default_factory=lambda: LoadShedder(WRITES_AT_WORK))
    relayer: Relayer | None = None
    round_reports: RoundReports = field(default_factory=lambda: RoundReports({}))
    chain_ready: asyncio.Event = field(default_factory=asyncio.Event)
    relayer_ready: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def stale(self) -> bool:
        """Whether answers may be behind the chain: its node is away, or the index has not caught up."""
        return not self.chain_connection.up or self.index.is_behind(self.chain_connection.final)

    @property
    def version(self) -> str:
        """The version of everything that answers show: it changes when any of it may have changed."""
        relayed = self.relayer.version if self.relayer is not None else -1
        return f"{self.index.version} {relayed} {self.round_reports.version} {self.stale}"

    @property
    def secure(self) -> bool:
        """Whether people open the page by https."""
        return self.sessions.sites[0].uri.startswith("https://")

    @property
    def cookie(self) -> str:
        """The name of the session's cookie: with __Host- no other host, nor one without https, can set it."""
        return "__Host-session" if self.secure else "session"

    def get_chain(self) -> Chain:
        """Get the chain, to ask it now; Problem 503 while its node is away."""
        return self.chain_connection.get_chain()

    def get_status(self) -> dict[str, object]:
        """Get how far the index is, for `health` and for listeners."""
        at = self.index.at
        return {
            "status": "stale" if self.stale else "ok",
            "block": at and at.number,
            "indexed_block": at and at.number,
            "head_block": self.chain_connection.head,
            "timestamp": at and at.timestamp,
            "lag_seconds": at and max(0, int(time.time()) - at.timestamp),
            "stale": self.stale,
        }

    async def read(self, work: Callable[[Reads], T]) -> tuple[T, AsOf]:
        """Read from the index; the result, and the block that it stands on. Problem 503 before the first block."""
        as_of = self.index.get_as_of(stale=self.stale)
        return await self.index.read(work), as_of

    async def page(self, kind: type[P], work: Callable[[Reads], records.RecordPage[Any]]) -> P:
        """Read a page of a list."""
        return kind.of(*await self.read(work))

    def make_limiter(self, per_second: float) -> RateLimiter:
        """Make a limiter of one rate, which lets some of it come at once."""
        return RateLimiter(Rate(per_second, _BURST_SECONDS * per_second))


def list_sites(settings: ApiSettings, port: int, chain_id: int) -> tuple[Site, ...]:
    """List the sites at which people open the page: the origins in the settings, else this machine's."""
    host, _ = settings.address()
    local = [f"http://{name}:{port}" for name in dict.fromkeys((host, "127.0.0.1", "localhost"))]
    return tuple(
        Site(origin.split("://", 1)[1], origin, chain_id) for origin in settings.api.origins or local
    )


async def get_dependencies(request: Request) -> Dependencies:  # async: the framework runs others in a thread
    """Get the running API that a request came to."""
    deps: Dependencies = request.app.state.deps
    return deps


Deps = Annotated[Dependencies, Depends(get_dependencies)]


def get_caller(request: Request) -> str:
    """Get the caller as limits count it."""
    caller: str = request.state.caller
    return caller


async def get_session_token(request: Request, deps: Deps) -> str | None:
    """Get the session's token from a request's cookie."""
    return request.cookies.get(deps.cookie)


SessionToken = Annotated[str | None, Depends(get_session_token)]


async def get_session(deps: Deps, token: SessionToken) -> Session:
    """Get the session of a request; Problem 401 without one."""
    session = deps.sessions.find(token)
    if session is None:
        raise Problem(401, "no-session", "sign in first; the session is missing or over")
    return session


SignedInSession = Annotated[Session, Depends(get_session)]


async def check_origin(request: Request, deps: Deps) -> None:
    """Raise Problem 403 for a request that another site's page sends."""
    origin = request.headers.get("origin")
    if origin is not None and origin not in {site.uri for site in deps.sessions.sites}:
        raise Problem(
            403, "other-origin", "this API answers only its own page; see `origins` in its settings"
        )


async def get_changing_session(
    request: Request,
    deps: Deps,
    session: SignedInSession,
    token: Annotated[str, Header(alias="X-CSRF-Token")] = "",
) -> Session:
    """Get the session of a request that changes something; Problem 403 without the session's CSRF token."""
    await check_origin(request, deps)
    if not hmac.compare_digest(token.encode(), session.csrf.encode()):
        raise Problem(403, "csrf", "expected the session's token in X-CSRF-Token")
    return session


ChangingSession = Annotated[Session, Depends(get_changing_session)]


def check_account(session: Session, signer: Address) -> None:
    """Raise Problem 403 where a session is not the signer's."""
    if session.address != signer:
        raise Problem(
            403, "other-account", "the session is another account's; sign in with the one that signs"
        )
