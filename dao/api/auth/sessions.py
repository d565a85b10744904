"""Sign-ins and their sessions: nonces that are valid once, and tokens of which only hashes are stored."""

import hashlib
import hmac
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from dao.api.http.problems import Problem
from dao.chain.signer import recover
from dao.core.types import Address
from dao.errors import DecodeError
from dao.gov.siwe import SignIn, compute_text_digest, parse_sign_in

NONCE_SECONDS = 300
SESSION_SECONDS = 12 * 3600
CLOCK_SECONDS = 60  # that a wallet's clock may be ahead
STATEMENT = "Sign in to take part in this DAO. This costs nothing and moves no tokens."
_MAX_SESSIONS = 10_000  # beyond, the oldest one ends
_MAX_USED = 100_000  # nonces used within NONCE_SECONDS; beyond, nobody signs in


@dataclass(frozen=True, slots=True)
class Site:
    """A site to sign in to: `uri` is the page's origin, `domain` its host and port."""

    domain: str
    uri: str
    chain_id: int


@dataclass(frozen=True, slots=True)
class Session:
    """A signed-in account; each request that changes something carries `csrf`. `expires_at` in Unix seconds."""

    address: Address
    csrf: str
    expires_at: float


class Sessions:
    """Sign-ins at the sites of one API, the first of which is its usual one. In memory: a restart signs everyone out.

    A nonce is a random number, its end and their MAC with the account: issuing them takes no memory, and only used
    ones are stored, until their end.
    """

    def __init__(self, sites: tuple[Site, ...], clock: Callable[[], float] = time.time) -> None:
        self.sites = sites
        self._clock = clock
        self._key = secrets.token_bytes(32)
        self._used: OrderedDict[str, float] = OrderedDict()  # nonce → its end
        self._sessions: OrderedDict[bytes, Session] = OrderedDict()  # hash of the token → session

    def __len__(self) -> int:
        return len(self._sessions)

    def make_sign_in(self, address: Address, site: Site) -> SignIn:
        """Make the text that an account signs to sign in at a site, with a new nonce."""
        now = int(self._clock())
        begin = f"{secrets.token_hex(8)}{now + NONCE_SECONDS:010x}"
        return SignIn(
            site.domain,
            address,
            STATEMENT,
            site.uri,
            1,
            site.chain_id,
            begin + self._compute_mac(begin, address),
            now,
            now + SESSION_SECONDS,
        )

    def sign_in(self, text: str, signature: bytes) -> tuple[str, Session]:
        """Begin a session; its token, and the session. Problem 401 names what is wrong with the message."""
        message = parse_sign_in(text)
        self._check(message)
        try:
            signer = recover(compute_text_digest(text), signature)
        except DecodeError as error:
            raise _make_problem("bad-signature", str(error)) from None
        if signer != message.address:
            raise _make_problem("bad-signature", "the signature is not by the account that the message names")
        self._use(message.nonce)
        token = secrets.token_urlsafe(32)
        session = Session(
            message.address,
            secrets.token_urlsafe(24),
            min(message.expires_at, self.get_time() + SESSION_SECONDS),
        )
        self._sessions[_hash(token)] = session
        if len(self._sessions) > _MAX_SESSIONS:
            self._sessions.popitem(last=False)
        return token, session

    def find(self, token: str | None) -> Session | None:
        """Find the session of a token, until it expires."""
        session = self._sessions.get(_hash(token)) if token else None
        if session is not None and session.expires_at <= self._clock():
            self.end(token)
            return None
        return session

    def end(self, token: str | None) -> None:
        """End a session."""
        if token:
            self._sessions.pop(_hash(token), None)

    def _check(self, message: SignIn) -> None:
        now = self._clock()
        site = next((site for site in self.sites if site.domain == message.domain), self.sites[0])
        for name, value, expected in (
            ("domain", message.domain, site.domain),
            ("URI", message.uri, site.uri),
            ("Version", message.version, 1),
            ("Chain ID", message.chain_id, site.chain_id),
            ("statement", message.statement, STATEMENT),
        ):
            if value != expected:
                raise _make_problem("bad-message", f"{name}: expected {expected}, the message has {value}")
        if message.issued_at > now + CLOCK_SECONDS or message.issued_at < now - NONCE_SECONDS - CLOCK_SECONDS:
            raise _make_problem("bad-message", "Issued At: is not now; ask for a new nonce and use its time")
        if not now < message.expires_at:
            raise _make_problem("expired", "Expiration Time: is over; ask for a new nonce")
        begin, mac = message.nonce[:26], message.nonce[26:]
        if not hmac.compare_digest(mac, self._compute_mac(begin, message.address)):
            raise _make_problem("bad-nonce", "Nonce: was not given to this account here; ask for one")
        if int(begin[16:], 16) <= now:
            raise _make_problem("expired", "Nonce: is too old; ask for a new one")
        if message.nonce in self._used:
            raise _make_problem("nonce-used", "Nonce: has been used; ask for a new one")

    def _use(self, nonce: str) -> None:
        now = self._clock()
        while self._used and next(iter(self._used.values())) <= now:
            self._used.popitem(last=False)
        if len(self._used) >= _MAX_USED:
            raise Problem(503, "busy", "too many sign-ins at once; try again", retry_after=NONCE_SECONDS)
        self._used[nonce] = now + NONCE_SECONDS

    def get_time(self) -> float:
        """Get the time, in Unix seconds."""
        return self._clock()

    def _compute_mac(self, begin: str, address: Address) -> str:
        return hmac.new(self._key, begin.encode() + address, hashlib.sha256).hexdigest()[:32]


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def _make_problem(kind: str, message: str) -> Problem:
    return Problem(401, kind, message)
