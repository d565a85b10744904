import contextlib
import hashlib
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dao.chain.signer import Signer
from dao.core.constants import MAX_AHEAD
from dao.core.formats.signed_messages import compute_request_digest
from dao.core.types import Address, Digest, Domain, Timestamp
from dao.errors import DaoError, DecodeError
from dao.wire import grpc_options
from dao.wire import superlink_pb2 as pb
from dao.wire.call_status import Refusal, Why
from dao.wire.messages import MAX_BODY
from dao.wire.signed_calls import MAX_NONCES, RequestVerifier, sign_call, wrap_unsigned

DOMAIN = Domain(31337, Address(b"\x11" * 20))
SESSION = b"\x55" * 16
NOW = 1_800_000_000
SIGNER = Signer.ephemeral()


class Clock:
    def __init__(self) -> None:
        self.now = float(NOW)

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def verifier(clock: Clock) -> RequestVerifier:
    return RequestVerifier(DOMAIN, SESSION, lambda node: node == SIGNER.address, clock)


def call(
    body: bytes = b"body", signer: Signer = SIGNER, expiry: int = NOW + 60, domain: Domain = DOMAIN
) -> bytes:
    return sign_call(signer, domain, SESSION, grpc_options.COMMIT, body, Timestamp(expiry))


def changed(data: bytes, **fields: Any) -> bytes:
    signed = pb.Signed.FromString(data)
    for name, value in fields.items():
        setattr(signed, name, value)
    return signed.SerializeToString()


def test_gate__signed_by_a_member__opens_with_node_and_body(verifier: RequestVerifier) -> None:
    assert verifier.open(grpc_options.COMMIT, call()) == (SIGNER.address, b"body")
    assert verifier.open(grpc_options.COMMIT, call(b"")) == (SIGNER.address, b"")


def test_gate__replayed__refused(verifier: RequestVerifier) -> None:
    data = call()
    verifier.open(grpc_options.COMMIT, data)
    with pytest.raises(Refusal, match="nonce: the call was made before"):
        verifier.open(grpc_options.COMMIT, data)


def test_gate__replayed_after_its_expiry__refused_as_expired(verifier: RequestVerifier, clock: Clock) -> None:
    data = call()
    verifier.open(grpc_options.COMMIT, data)
    clock.now += 60
    verifier.open(grpc_options.COMMIT, call(expiry=NOW + 100))  # the first nonce is forgotten
    with pytest.raises(Refusal, match="expired"):
        verifier.open(grpc_options.COMMIT, data)


def test_gate__to_another_method__refused(verifier: RequestVerifier) -> None:
    with pytest.raises(
        Refusal, match=r"method '/commonweight.Superlink/Commit': .* was made to /commonweight.Content"
    ):
        verifier.open(grpc_options.REVEAL, call())


@pytest.mark.parametrize(
    ("fields", "words", "why"),
    [
        ({"body": b"other"}, "body: it is not the one that was signed", Why.UNSIGNED),
        (
            {"body": b"other", "body_hash": hashlib.sha256(b"other").digest()},
            "signature: not made by node",
            Why.UNSIGNED,
        ),
        ({"method": grpc_options.FETCH}, "method '/commonweight.Content/Fetch'", Why.UNSIGNED),
        ({"expiry": NOW}, "the call has expired, .*; say Hello and sign again", Why.STALE),
        ({"expiry": NOW + MAX_AHEAD + 1}, "expected at most 300 s .*; say Hello", Why.STALE),
        ({"expiry": NOW + 61}, "signature: not made by", Why.UNSIGNED),
        ({"nonce": SESSION + bytes(16)}, "signature: not made by", Why.UNSIGNED),
        ({"nonce": bytes(32)}, "session: the call is signed for another run", Why.STALE),
        ({"chain_id": 1}, "chain 1: this Superlink serves chain 31337", Why.UNSIGNED),
        ({"coordinator": bytes(20)}, "coordinator 0x0000.*: this Superlink serves 0x1111", Why.UNSIGNED),
        ({"node": bytes(20)}, "node 0x0000.*: no Supernode of this Superlink", Why.FORBIDDEN),
        ({"signature": bytes(65)}, "signature: ", Why.UNSIGNED),
        ({"signature": b""}, "signature: expected 65 bytes", Why.UNSIGNED),
    ],
)
def test_gate__one_thing_changed__refused_by_name(
    verifier: RequestVerifier, fields: dict[str, Any], words: str, why: Why
) -> None:
    with pytest.raises(Refusal, match=words) as refused:
        verifier.open(grpc_options.COMMIT, changed(call(), **fields))
    assert refused.value.why is why


@pytest.mark.parametrize(
    "domain", [replace(DOMAIN, chain_id=1), replace(DOMAIN, coordinator=Address(bytes(20)))]
)
def test_gate__signed_for_another_domain_and_relabelled__refused(
    verifier: RequestVerifier, domain: Domain
) -> None:
    data = changed(call(domain=domain), chain_id=DOMAIN.chain_id, coordinator=DOMAIN.coordinator)
    with pytest.raises(Refusal, match="signature: not made by node"):
        verifier.open(grpc_options.COMMIT, data)


def test_gate__signed_by_another_for_a_member__refused_and_the_nonce_still_good(
    verifier: RequestVerifier,
) -> None:
    data = call()
    stranger = Signer.ephemeral()
    with pytest.raises(Refusal, match="signature: not made by node"):
        verifier.open(grpc_options.COMMIT, changed(data, signature=stranger.sign(Digest(bytes(32)))))
    assert verifier.open(grpc_options.COMMIT, data)
    with pytest.raises(Refusal, match="no Supernode"):
        verifier.open(grpc_options.COMMIT, call(signer=stranger))


def test_gate__other_half_of_the_curve__refused(verifier: RequestVerifier) -> None:
    data = call()
    signature = pb.Signed.FromString(data).signature
    order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
    other = (order - int.from_bytes(signature[32:64], "big")).to_bytes(32, "big")
    flipped = signature[:32] + other + bytes([55 - signature[64]])
    with pytest.raises(Refusal, match="lower half"):
        verifier.open(grpc_options.COMMIT, changed(data, signature=flipped))


def test_gate__many_calls_of_one_node__bounded_until_they_expire(clock: Clock) -> None:
    other = Signer.ephemeral()
    verifier = RequestVerifier(DOMAIN, SESSION, lambda _: True, clock)
    verifier._nonces[SIGNER.address] = {n.to_bytes(32, "big"): NOW + 60 for n in range(MAX_NONCES)}
    with pytest.raises(Refusal, match="have not expired; wait") as refused:
        verifier.open(grpc_options.COMMIT, call())
    assert refused.value.why is Why.BUSY
    assert verifier.open(grpc_options.COMMIT, call(signer=other))
    clock.now += 61
    assert verifier.open(grpc_options.COMMIT, call(expiry=NOW + 100))
    assert sum(map(len, verifier._nonces.values())) == 1


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\xff" * 10, "Signed: 10 bytes that are no such message"),
        (bytes(1 << 20), "Signed: 1048576 bytes, expected at most"),
        (call(bytes(MAX_BODY + 512)), "Signed: .* expected at most"),
        (b"", "Signed.node: 0 bytes, expected 20"),
        (changed(call(), node=bytes(21)), "Signed.node: 21 bytes"),
        (changed(call(), nonce=bytes(31)), "Signed.nonce: 31 bytes"),
    ],
)
def test_gate__malformed__decode_error(verifier: RequestVerifier, data: bytes, words: str) -> None:
    with pytest.raises(DecodeError, match=words):
        verifier.open(grpc_options.COMMIT, data)


@given(st.binary(max_size=300))
def test_gate__any_bytes__refused(data: bytes) -> None:
    verifier = RequestVerifier(DOMAIN, SESSION, lambda _: True, Clock())
    with pytest.raises(DaoError):
        verifier.open(grpc_options.COMMIT, data)


@given(st.integers(0, 10_000), st.integers(1, 255))
def test_gate__any_byte_changed__never_opens_with_another_body(index: int, flip: int) -> None:
    data = bytearray(call())
    data[index % len(data)] ^= flip
    verifier = RequestVerifier(DOMAIN, SESSION, lambda _: True, Clock())
    with contextlib.suppress(DaoError):
        assert verifier.open(grpc_options.COMMIT, bytes(data)) == (
            SIGNER.address,
            b"body",
        )  # an unknown field, say


def test_gate__unsigned__only_where_allowed(verifier: RequestVerifier) -> None:
    assert verifier.open_unsigned(wrap_unsigned(b"body")) == b"body"
    assert verifier.open_unsigned(call()) is None
    with pytest.raises(DecodeError, match="node"):
        verifier.open(grpc_options.COMMIT, wrap_unsigned(b"body"))


def test_sign_call__twice__nonces_differ() -> None:
    first, second = (pb.Signed.FromString(call()) for _ in range(2))
    assert first.nonce != second.nonce
    assert first.nonce.startswith(SESSION)
    signed = compute_request_digest(
        DOMAIN, grpc_options.COMMIT, Digest(first.body_hash), Digest(first.nonce), Timestamp(first.expiry)
    )
    assert SIGNER.sign(signed) == first.signature
