import contextlib
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dao.core.commits import Reveal, SignedCommit, SignedPass
from dao.core.formats.cid import Cid, ContentCodec
from dao.core.types import Address, Digest, PassReason, RoundId, Signature, TaskId
from dao.errors import DecodeError
from dao.wire import messages
from dao.wire import superlink_pb2 as pb
from dao.wire.messages import Ack, Inclusion, RevealRequest

u64 = st.integers(0, 2**64 - 1)
digests = st.binary(min_size=32, max_size=32).map(Digest)
tasks, rounds = u64.map(TaskId), u64.map(RoundId)
reveals = st.builds(Reveal, st.builds(Cid, st.sampled_from(ContentCodec), digests), digests, digests)
NODE = Address(b"\x11" * 20)
read_commit = partial(messages.read_commit, NODE)
read_pass = partial(messages.read_pass, NODE)
READERS: list[Callable[[bytes], Any]] = [
    messages.read_welcome,
    read_commit,
    read_pass,
    messages.read_receipt,
    messages.read_inclusion,
    messages.read_reveal,
    messages.read_ack,
    messages.read_fetch,
    messages.read_content,
]


signatures = st.binary(min_size=65, max_size=65)


@given(st.builds(SignedCommit, tasks, rounds, digests, st.just(NODE), digests, signatures))
def test_commit__any__round_trips(commit: SignedCommit) -> None:
    assert read_commit(messages.write_commit(commit)) == commit


@given(st.builds(SignedPass, tasks, rounds, digests, st.just(NODE), signatures, st.sampled_from(PassReason)))
def test_pass__any__round_trips(passed: SignedPass) -> None:
    assert read_pass(messages.write_pass(passed)) == passed


@given(
    st.builds(RevealRequest, tasks, rounds, reveals, st.integers(1, 2**64 - 1), st.just(False))
    | st.builds(RevealRequest, tasks, rounds, reveals, st.just(0), st.just(True))
)
def test_reveal__any__round_trips(request_: RevealRequest) -> None:
    assert messages.read_reveal(messages.write_reveal(request_)) == request_


@given(st.integers(0, 1000), st.integers(1, 1000), st.lists(digests, max_size=20))
def test_inclusion__any__round_trips(index: int, more: int, proof: list[Digest]) -> None:
    inclusion = Inclusion(index, index + more, tuple(proof))
    assert messages.read_inclusion(messages.write_inclusion(inclusion)) == inclusion
    assert messages.read_inclusion(messages.write_inclusion(None)) is None


@given(st.text(max_size=100), st.binary(min_size=65, max_size=65))
def test_ack__any__round_trips(reason: str, receipt: bytes) -> None:
    for ack in (Ack(False, reason), Ack(True, reason, Signature(receipt))):
        assert messages.read_ack(messages.write_ack(ack)) == ack


def test_ack__accepted_without_a_receipt__refused() -> None:
    with pytest.raises(DecodeError, match=r"Ack\.receipt: 0 bytes, expected 65"):
        messages.read_ack(messages.write_ack(Ack(True)))


def test_ack__long_reason__cut() -> None:
    assert len(messages.read_ack(messages.write_ack(Ack(False, "x" * 10_000))).reason) == messages.MAX_REASON


@given(st.sampled_from(READERS), st.binary(max_size=200))
def test_readers__any_bytes__message_or_decode_error(read: Callable[[bytes], Any], data: bytes) -> None:
    with contextlib.suppress(DecodeError):
        read(data)


@pytest.mark.parametrize("read", READERS)
def test_readers__larger_than_the_cap__refused_unread(read: Callable[[bytes], Any]) -> None:
    with pytest.raises(DecodeError, match=f"expected at most {messages.MAX_BODY}"):
        read(bytes(messages.MAX_BODY + 1))


@pytest.mark.parametrize(
    ("read", "message", "words"),
    [
        (read_commit, pb.CommitRequest(opening=bytes(31)), "CommitRequest.opening: 31 bytes"),
        (
            read_commit,
            pb.CommitRequest(opening=bytes(32), commitment=bytes(31)),
            "CommitRequest.commitment: 31 bytes",
        ),
        (
            read_commit,
            pb.CommitRequest(opening=bytes(32), commitment=bytes(32)),
            "CommitRequest.signature: 0 bytes",
        ),
        (read_pass, pb.PassRequest(reason="no mood"), "expected one of not ready, training failed, no time"),
        (
            read_pass,
            pb.PassRequest(reason="no time", opening=bytes(32), signature=bytes(64)),
            "PassRequest.signature: 64 bytes",
        ),
        (messages.read_receipt, pb.Receipt(signature=bytes(64)), "Receipt.signature: 64 bytes"),
        (messages.read_inclusion, pb.InclusionAnswer(ready=True, index=3, count=3), "leaf 3 of 3"),
        (
            messages.read_inclusion,
            pb.InclusionAnswer(ready=True, count=1, proof=[bytes(32)] * 65),
            "65 digests",
        ),
        (
            messages.read_inclusion,
            pb.InclusionAnswer(ready=True, count=1, proof=[bytes(1)]),
            "proof: 1 bytes",
        ),
        (messages.read_reveal, pb.RevealRequest(size=1, cid=bytes(36)), "CID"),
        (messages.read_reveal, pb.RevealRequest(size=0), "RevealRequest.size: 0"),
        (messages.read_reveal, pb.RevealRequest(size=5, by_ipfs=True), "RevealRequest.size: 5"),
        (messages.read_fetch, pb.FetchRequest(digest=b"x"), "FetchRequest.digest: 1 bytes"),
        (messages.read_content, pb.Content(), "Content.size: 0"),
        (messages.read_welcome, pb.Welcome(), "Welcome.session: 0 bytes"),
    ],
)
def test_readers__field_out_of_range__named(read: Callable[[bytes], Any], message: Any, words: str) -> None:
    with pytest.raises(DecodeError, match=words):
        read(message.SerializeToString())
