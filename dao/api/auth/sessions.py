"""Who has signed in: nonces that are good once, and sessions of which only hashes are kept."""

import hashlib
import hmac
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from dao.api.http.problems import Problem
from dao.chain.signer import recover
from dao.core.errors import DecodeError
from dao.core.types import Address
from dao.gov.siwe import SignIn, compute_text_digest, parse

NONCE_SECONDS = 300
SESSION_SECONDS = 12 * 3600
CLOCK_SECONDS = 60  # that a wallet's clock may be ahead
STATEMENT = "Sign in to take part in this DAO. This costs nothing and moves no tokens."
_SESSIONS = 10_000  # kept; whoever signed in longest ago is forgotten first
_USED = 100_000  # nonces used within NONCE_SECONDS; beyond, nobody signs in


@dataclass(frozen=True, slots=True)
class Site:
    """What a sign-in is for: `uri` is the page's origin, `domain` its host and port."""

    domain: str
    uri: str
    chain_id: int


@dataclass(frozen=True, slots=True)
class Session:
    """A signed-in account; `csrf` goes with every request that changes something. `expires_at` in Unix seconds."""

    address: Address
    csrf: str
    expires_at: float


class Sessions:
    """Sign-ins at the sites of one service, the first the one to name, in memory: after a restart everyone signs in again.

    A nonce is a random number, its end and their MAC with the account: handing them out fills no memory, and only
    those that were used are remembered, until their end.
    """

    def __init__(self, sites: tuple[Site, ...], clock: Callable[[], float] = time.time) -> None:
        self.sites = sites
        self._clock = clock
        self._key = secrets.token_bytes(32)
        self._used: OrderedDict[str, float] = OrderedDict()  # nonce → its end
        self._sessions: OrderedDict[bytes, Session] = OrderedDict()  # hash of the token → session

    def __len__(self) -> int:
        return len(self._sessions)

    def invitation(self, address: Address, site: Site) -> SignIn:
        """What an account is to sign to sign in at a site, with a new nonce."""
        now = int(self._clock())
        begin = f"{secrets.token_hex(8)}{now + NONCE_SECONDS:010x}"
        return SignIn(
            site.domain,
            address,
            STATEMENT,
            site.uri,
            1,
            site.chain_id,
            begin + self._mac(begin, address),
            now,
            now + SESSION_SECONDS,
        )

    def sign_in(self, message: str, signature: bytes) -> tuple[str, Session]:
        """Begin a session: its token and what it is. Problem 401 names what is wrong with the message."""
        said = parse(message)
        self._check(said)
        try:
            signer = recover(compute_text_digest(message), signature)
        except DecodeError as error:
            raise _refused("bad-signature", str(error)) from None
        if signer != said.address:
            raise _refused("bad-signature", "the signature is not by the account that the message names")
        self._use(said.nonce)
        token = secrets.token_urlsafe(32)
        session = Session(said.address, secrets.token_urlsafe(24), min(said.expires_at, self._end()))
        self._sessions[_hash(token)] = session
        if len(self._sessions) > _SESSIONS:
            self._sessions.popitem(last=False)
        return token, session

    def find(self, token: str | None) -> Session | None:
        """The session of a token, while it lasts."""
        session = self._sessions.get(_hash(token)) if token else None
        if session is not None and session.expires_at <= self._clock():
            self.end(token)
            return None
        return session

    def end(self, token: str | None) -> None:
        """End a session."""
        if token:
            self._sessions.pop(_hash(token), None)

    def _check(self, said: SignIn) -> None:
        now = self._clock()
        site = next((site for site in self.sites if site.domain == said.domain), self.sites[0])
        for name, found, expected in (
            ("domain", said.domain, site.domain),
            ("URI", said.uri, site.uri),
            ("Version", said.version, 1),
            ("Chain ID", said.chain_id, site.chain_id),
            ("statement", said.statement, STATEMENT),
        ):
            if found != expected:
                raise _refused("bad-message", f"{name}: expected {expected}, the message has {found}")
        if said.issued_at > now + CLOCK_SECONDS or said.issued_at < now - NONCE_SECONDS - CLOCK_SECONDS:
            raise _refused("bad-message", "Issued At: is not now; ask for a new nonce and use its time")
        if not now < said.expires_at:
            raise _refused("expired", "Expiration Time: is over; ask for a new nonce")
        begin, mac = said.nonce[:26], said.nonce[26:]
        if not hmac.compare_digest(mac, self._mac(begin, said.address)):
            raise _refused("bad-nonce", "Nonce: was not given to this account here; ask for one")
        if int(begin[16:], 16) <= now:
            raise _refused("expired", "Nonce: is too old; ask for a new one")
        if said.nonce in self._used:
            raise _refused("nonce-used", "Nonce: has been used; ask for a new one")

    def _use(self, nonce: str) -> None:
        now = self._clock()
        while self._used and next(iter(self._used.values())) <= now:
            self._used.popitem(last=False)
        if len(self._used) >= _USED:
            raise Problem(503, "busy", "too many sign-ins at once; try again", retry_after=NONCE_SECONDS)
        self._used[nonce] = now + NONCE_SECONDS

    def now(self) -> float:
        """The time, in Unix seconds."""
        return self._clock()

    def _end(self) -> float:
        return self._clock() + SESSION_SECONDS

    def _mac(self, begin: str, address: Address) -> str:
        return hmac.new(self._key, begin.encode() + address, hashlib.sha256).hexdigest()[:32]


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def _refused(kind: str, message: str) -> Problem:
    return Problem(401, kind, message)
