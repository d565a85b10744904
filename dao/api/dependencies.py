"""What the routes work with, and what they may ask of a request: its caller, its session, its right to change things."""

import asyncio
import hmac
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Any, TypeVar

from fastapi import Cookie, Depends, Header, Request

from dao.api.auth.sessions import Session, Sessions, Site
from dao.api.chain_connection import ChainConnection
from dao.api.http.problems import Problem
from dao.api.http.rate_limits import Limiter, Rate
from dao.api.index_follower import Index
from dao.api.live.sse import Live
from dao.api.metrics import Metrics
from dao.api.models.base import AsOf, Page
from dao.api.proposal_log import Proposals
from dao.api.relay.relayer import Relayer
from dao.api.settings import ApiSettings
from dao.api.token_names import Names
from dao.core.types import Address
from dao.index.reads import Reads, records

P = TypeVar("P", bound=Page)
T = TypeVar("T")
COOKIE = "session"
_BURST_SECONDS = 10  # of the rate, that may come at once


@dataclass
class Dependencies:
    """One running API. `relayer` is there once the chain is, where it is to relay at all; `names` from then on, too."""

    settings: ApiSettings
    link: ChainConnection
    sessions: Sessions
    index: Index
    live: Live
    names: Names | None = None
    proposals: Proposals = field(default_factory=Proposals)
    metrics: Metrics = field(default_factory=Metrics)
    relayer: Relayer | None = None
    linked: asyncio.Event = field(default_factory=asyncio.Event)
    relaying: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def stale(self) -> bool:
        """Whether what is shown may be behind the chain: its node is away, or the index has not got far enough."""
        return not self.link.up or self.index.is_behind(self.link.final)

    @property
    def version(self) -> str:
        """What answers stand on: another one, when anything that is shown may have changed."""
        relayed = self.relayer.version if self.relayer is not None else -1
        return f"{self.index.version} {relayed} {self.stale}"

    def as_of(self) -> AsOf:
        """The block that what is read from now on stands on; Problem 503 before the first."""
        return self.index.as_of(stale=self.stale)

    async def read(self, work: Callable[[Reads], T]) -> tuple[T, AsOf]:
        """Read something, and the block it stands on; Problem 503 before anything is indexed."""
        as_of = self.as_of()
        return await self.index.read(work), as_of

    async def page(
        self,
        kind: type[P],
        work: Callable[[Reads], records.RecordPage[Any]],
        show: Callable[[Any], object] = lambda item: item,
    ) -> P:
        """Read a page of a list, each item as `show` has it."""
        found, as_of = await self.read(work)
        return kind.model_validate({"items": [*map(show, found.items)], "next": found.next, "as_of": as_of})

    @property
    def secure(self) -> bool:
        """Whether people open the page by https."""
        return self.sessions.sites[0].uri.startswith("https://")

    def limiter(self, per_second: float) -> Limiter:
        """A limiter of one rate, with some of it at once."""
        return Limiter(Rate(per_second, _BURST_SECONDS * per_second))


def sites_of(settings: ApiSettings, port: int, chain_id: int) -> tuple[Site, ...]:
    """Where people open the page: the origins in the settings, else this machine's."""
    host, _ = settings.address()
    local = [f"http://{name}:{port}" for name in dict.fromkeys((host, "127.0.0.1", "localhost"))]
    return tuple(
        Site(origin.split("://", 1)[1], origin, chain_id) for origin in settings.api.origins or local
    )


async def services_of(request: Request) -> Dependencies:  # the framework gives what is not async to a thread
    """The running API that a request came to."""
    found: Dependencies = request.app.state.services
    return found


Given = Annotated[Dependencies, Depends(services_of)]


def caller(request: Request) -> str:
    """Who asks, as limits count."""
    found: str = request.state.caller
    return found


async def session(
    services: Given, token: Annotated[str | None, Cookie(alias=COOKIE, include_in_schema=False)] = None
) -> Session:
    """The session of a request; Problem 401 without one."""
    found = services.sessions.find(token)
    if found is None:
        raise Problem(401, "no-session", "sign in first; the session is missing or over")
    return found


SignedIn = Annotated[Session, Depends(session)]


async def same_origin(request: Request, services: Given) -> None:
    """Problem 403 for a request that another site's page sends."""
    origin = request.headers.get("origin")
    if origin is not None and origin not in {site.uri for site in services.sessions.sites}:
        raise Problem(
            403, "other-origin", "this API answers only its own page; see `origins` in its settings"
        )


async def changing(
    request: Request,
    services: Given,
    signed_in: SignedIn,
    token: Annotated[str, Header(alias="X-CSRF-Token")] = "",
) -> Session:
    """The session of a request that changes something; Problem 403 unless it comes with the session's CSRF token."""
    await same_origin(request, services)
    if not hmac.compare_digest(token.encode(), signed_in.csrf.encode()):
        raise Problem(403, "csrf", "expected the session's token in X-CSRF-Token")
    return signed_in


Changing = Annotated[Session, Depends(changing)]


def require(signed_in: Session, signer: Address) -> None:
    """Problem 403 where a session is not the signer's."""
    if signed_in.address != signer:
        raise Problem(
            403, "other-account", "the session is another account's; sign in with the one that signs"
        )
