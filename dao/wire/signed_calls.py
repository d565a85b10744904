"""Signs calls and verifies them: by which node, for which chain, contract, method and body, and only once."""

import hashlib
import hmac
import secrets
import time
from collections.abc import Callable
from itertools import takewhile
from typing import Protocol

from dao.chain.signer import recover
from dao.core.constants import MAX_AHEAD
from dao.core.formats.signed_messages import compute_request_digest
from dao.core.types import Address, Digest, Domain, Timestamp, hex_of
from dao.errors import DecodeError
from dao.wire import superlink_pb2 as pb
from dao.wire.call_status import Refusal, Why
from dao.wire.messages import MAX_BODY, SESSION_BYTES, check_length, parse

MAX_NONCES = 20_000  # of one node, not yet expired
_MAX_SIGNED = MAX_BODY + 512


class CallSigner(Protocol):
    """An account that can sign, as dao.chain.signer has it."""

    @property
    def address(self) -> Address: ...

    def sign(self, digest: Digest) -> bytes:
        """Sign 32 bytes: r, s, v (27 or 28); 65 bytes."""
        ...


def sign_call(
    signer: CallSigner, domain: Domain, session: bytes, method: str, body: bytes, expiry: Timestamp
) -> bytes:
    """Return a Signed message for one call of `method` in a Superlink's session."""
    body_hash = Digest(hashlib.sha256(body).digest())
    nonce = Digest(session + secrets.token_bytes(32 - SESSION_BYTES))
    return pb.Signed(
        body=body,
        method=method,
        body_hash=body_hash,
        nonce=nonce,
        expiry=expiry,
        chain_id=domain.chain_id,
        coordinator=domain.coordinator,
        node=signer.address,
        signature=signer.sign(compute_request_digest(domain, method, body_hash, nonce, expiry)),
    ).SerializeToString()


def wrap_unsigned(body: bytes) -> bytes:
    """Return a Signed message without a signature, for a call that anyone may make."""
    return pb.Signed(body=body).SerializeToString()


def make_steady_clock() -> Callable[[], float]:
    """Return a clock of Unix seconds that goes on evenly from now, whatever is done to the machine's clock.

    Set forward and back again, that one would make calls good whose nonces were forgotten as expired.
    """
    ahead = time.time() - time.monotonic()
    return lambda: ahead + time.monotonic()


class RequestVerifier:
    """Lets a call through once, if a member signed it for this Superlink, this run of it, and this method.

    `now` gives Unix seconds, and should never go back. Each refusal says what does not fit.
    """

    def __init__(
        self, domain: Domain, session: bytes, is_member: Callable[[Address], bool], now: Callable[[], float]
    ) -> None:
        self._domain, self._session, self._is_member, self._now = domain, session, is_member, now
        self._nonces: dict[Address, dict[bytes, int]] = {}  # expiry by nonce, in order of arrival
        self._swept = now()

    def open(self, method: str, data: bytes) -> tuple[Address, bytes]:
        """Return the calling node and the call's body; Refusal or DecodeError when it may not pass."""
        signed = parse(pb.Signed, data, _MAX_SIGNED)
        node = Address(check_length(signed.node, 20, "Signed.node"))
        self._check_address(method, signed)
        self._check_time(signed)
        if not self._is_member(node):
            raise Refusal(
                Why.FORBIDDEN,
                f"node {hex_of(node)}: no Supernode of this Superlink's tasks; register, then join",
            )
        self._check_nonce(node, signed)
        self._check_signature(method, node, signed)
        self._nonces.setdefault(node, {})[signed.nonce] = signed.expiry
        return node, signed.body

    def open_unsigned(self, data: bytes) -> bytes | None:
        """Return the body of an unsigned call; None for a signed one."""
        signed = parse(pb.Signed, data, _MAX_SIGNED)
        return None if signed.signature else signed.body

    def _check_address(self, method: str, signed: pb.Signed) -> None:
        domain = self._domain
        check_length(signed.nonce, 32, "Signed.nonce")
        if signed.nonce[:SESSION_BYTES] != self._session:
            raise Refusal(
                Why.STALE,
                "session: the call is signed for another run of a Superlink; say Hello and sign again",
            )
        if signed.chain_id != domain.chain_id:
            raise _unsigned(f"chain {signed.chain_id}: this Superlink serves chain {domain.chain_id}")
        if signed.coordinator != domain.coordinator:
            theirs = hex_of(signed.coordinator[:32])
            raise _unsigned(f"coordinator {theirs}: this Superlink serves {hex_of(domain.coordinator)}")
        if signed.method != method:
            raise _unsigned(
                f"method {signed.method[:80]!r}: the call is signed for it, but was made to {method}"
            )
        if signed.body_hash != hashlib.sha256(signed.body).digest():
            raise _unsigned("body: it is not the one that was signed")

    def _check_time(self, signed: pb.Signed) -> None:
        """Refuse a call as STALE where the time is wrong: a node that slept has a clock that stood still."""
        now = self._now()
        if signed.expiry <= now:
            words = f"the call has expired, it is {now:.0f}"
        elif signed.expiry > now + MAX_AHEAD:
            words = f"expected at most {MAX_AHEAD} s after {now:.0f}"
        else:
            return
        raise Refusal(Why.STALE, f"expiry {signed.expiry}: {words}; say Hello and sign again")

    def _check_nonce(self, node: Address, signed: pb.Signed) -> None:
        self._sweep()
        seen = self._nonces.get(node, {})
        if signed.nonce in seen:
            raise _unsigned("nonce: the call was made before; each call needs a nonce of its own")
        if len(seen) >= MAX_NONCES:
            raise Refusal(
                Why.BUSY, f"node {hex_of(node)}: {len(seen)} calls have not expired; wait {MAX_AHEAD} s"
            )

    def _check_signature(self, method: str, node: Address, signed: pb.Signed) -> None:
        digest = compute_request_digest(
            self._domain, method, Digest(signed.body_hash), Digest(signed.nonce), Timestamp(signed.expiry)
        )
        try:
            signer = recover(digest, signed.signature)
        except DecodeError as error:
            raise _unsigned(str(error)) from None
        if not hmac.compare_digest(signer, node):
            raise _unsigned(f"signature: not made by node {hex_of(node)} over this call")

    def _sweep(self) -> None:
        """Forget nonces that have expired, once a second at most.

        They are about in the order of their expiry: one that lasts longer holds up the ones behind it, not for long.
        """
        now = self._now()
        if now < self._swept + 1:
            return
        self._swept = now
        for node, seen in list(self._nonces.items()):
            for nonce in [nonce for nonce, _ in takewhile(lambda entry: entry[1] <= now, seen.items())]:
                del seen[nonce]
            if not seen:
                del self._nonces[node]


def _unsigned(message: str) -> Refusal:
    return Refusal(Why.UNSIGNED, message)
