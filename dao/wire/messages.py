"""Reads and writes the messages of the wire strictly: every length and range is checked before use."""

from dataclasses import dataclass
from typing import TypeVar

from google.protobuf.message import DecodeError as BadProtobuf
from google.protobuf.message import Message

from dao.core.commits import Reveal, SignedCommit, SignedPass
from dao.core.formats.cid import Cid
from dao.core.types import Address, Digest, PassReason, RoundId, Signature, TaskId, Timestamp
from dao.errors import DecodeError
from dao.wire import superlink_pb2 as pb

MAX_BODY = 4096  # bytes of a call's own message
MAX_PROOF = 64  # digests
MAX_REASON = 500  # characters
SESSION_BYTES = TICKET_BYTES = 16

M = TypeVar("M", bound=Message)


@dataclass(frozen=True, slots=True)
class Welcome:
    """A Superlink's answer to Hello, before the first signed call."""

    session: bytes
    now: Timestamp  # on the Superlink's clock
    chain_id: int
    coordinator: Address
    superlink: Address


@dataclass(frozen=True, slots=True)
class Inclusion:
    """Where a commit is in the commits tree of its round, with the proof from the leaf up."""

    index: int
    count: int
    proof: tuple[Digest, ...]


@dataclass(frozen=True, slots=True)
class ComputedModel:
    """A round's new model, the step that leads to it from the round's base model, and the round's shard, by digest of their content."""

    digest: Digest
    step: Digest
    shard: Digest


@dataclass(frozen=True, slots=True)
class RevealRequest:
    """A reveal, and how its update comes: in this stream, or by IPFS."""

    task: TaskId
    round: RoundId
    reveal: Reveal
    size: int  # bytes of the whole update; 0 when it comes by IPFS
    by_ipfs: bool
    by_channel: bool = False  # they may go over a data channel
    node: Address | None = None  # whose it is, of a member that hands it over; None: the caller's own


@dataclass(frozen=True, slots=True)
class Ack:
    """Whether a reveal counts, and why not."""

    accepted: bool
    reason: str = ""
    receipt: Signature | None = None  # of the message Revealed, of an update that counts


@dataclass(frozen=True, slots=True)
class FetchRequest:
    """A request for a content from a byte on; `by_channel`: its bytes may come over a data channel."""

    digest: Digest
    offset: int
    by_channel: bool


@dataclass(frozen=True, slots=True)
class DataChannel:
    """Where large content goes beside gRPC: a TCP port of the same host, and the ticket to send there."""

    port: int
    ticket: bytes


@dataclass(frozen=True, slots=True)
class Content:
    """The first answer to Fetch: the bytes of the whole content, and the channel that they come over, if any."""

    size: int
    channel: DataChannel | None = None


def parse(kind: type[M], data: bytes, limit: int = MAX_BODY) -> M:
    """Read a protobuf message of at most `limit` bytes; DecodeError otherwise."""
    name = kind.DESCRIPTOR.name
    if len(data) > limit:
        raise DecodeError(f"{name}: {len(data)} bytes, expected at most {limit}")
    try:
        return kind.FromString(data)
    except BadProtobuf:
        raise DecodeError(f"{name}: {len(data)} bytes that are no such message") from None


def check_length(value: bytes, length: int, what: str) -> bytes:
    """Return the value; DecodeError names `what` when it has another length."""
    if len(value) != length:
        raise DecodeError(f"{what}: {len(value)} bytes, expected {length}")
    return value


def _above_zero(value: int, what: str) -> int:
    if value <= 0:
        raise DecodeError(f"{what}: {value}, expected more than 0")
    return value


def read_welcome(data: bytes) -> Welcome:
    """Read the answer to Hello."""
    message = parse(pb.Welcome, data)
    return Welcome(
        check_length(message.session, SESSION_BYTES, "Welcome.session"),
        Timestamp(message.now),
        message.chain_id,
        Address(check_length(message.coordinator, 20, "Welcome.coordinator")),
        Address(check_length(message.superlink, 20, "Welcome.superlink")),
    )


def write_commit(commit: SignedCommit) -> bytes:
    """Write the body of Commit."""
    return pb.CommitRequest(
        task=commit.task,
        round=commit.round,
        opening=commit.opening,
        commitment=commit.commitment,
        signature=commit.signature,
    ).SerializeToString()


def read_commit(node: Address, data: bytes) -> SignedCommit:
    """Read the body of Commit, which this node sent; its signature is yet to be checked."""
    message = parse(pb.CommitRequest, data)
    return SignedCommit(
        TaskId(message.task),
        RoundId(message.round),
        Digest(check_length(message.opening, 32, "CommitRequest.opening")),
        node,
        Digest(check_length(message.commitment, 32, "CommitRequest.commitment")),
        Signature(check_length(message.signature, 65, "CommitRequest.signature")),
    )


def write_pass(node_pass: SignedPass) -> bytes:
    """Write the body of Pass."""
    return pb.PassRequest(
        task=node_pass.task,
        round=node_pass.round,
        opening=node_pass.opening,
        signature=node_pass.signature,
        reason=node_pass.reason,
    ).SerializeToString()


def read_pass(node: Address, data: bytes) -> SignedPass:
    """Read the body of Pass, which this node sent; its signature is yet to be checked."""
    message = parse(pb.PassRequest, data)
    if message.reason not in list(PassReason):
        raise DecodeError(f"PassRequest.reason: expected one of {', '.join(PassReason)}")
    return SignedPass(
        TaskId(message.task),
        RoundId(message.round),
        Digest(check_length(message.opening, 32, "PassRequest.opening")),
        node,
        Signature(check_length(message.signature, 65, "PassRequest.signature")),
        PassReason(message.reason),
    )


def read_receipt(data: bytes) -> Signature:
    """Read the answer to Commit: the receipt's signature."""
    return Signature(check_length(parse(pb.Receipt, data).signature, 65, "Receipt.signature"))


def write_inclusion(inclusion: Inclusion | None) -> bytes:
    """Write the answer to Inclusion; None where commits are still open."""
    if inclusion is None:
        return pb.InclusionAnswer().SerializeToString()
    return pb.InclusionAnswer(
        ready=True, index=inclusion.index, count=inclusion.count, proof=inclusion.proof
    ).SerializeToString()


def read_inclusion(data: bytes) -> Inclusion | None:
    """Read the answer to Inclusion."""
    message = parse(pb.InclusionAnswer, data)
    if not message.ready:
        return None
    if len(message.proof) > MAX_PROOF or message.index >= message.count:
        raise DecodeError(
            f"InclusionAnswer: leaf {message.index} of {message.count}, {len(message.proof)} digests"
        )
    proof = tuple(Digest(check_length(digest, 32, "InclusionAnswer.proof")) for digest in message.proof)
    return Inclusion(message.index, message.count, proof)


def write_model(model: ComputedModel | None) -> bytes:
    """Write the answer to Model; None where it is not computed yet."""
    if model is None:
        return pb.ModelAnswer().SerializeToString()
    return pb.ModelAnswer(digest=model.digest, step=model.step, shard=model.shard).SerializeToString()


def read_model(data: bytes) -> ComputedModel | None:
    """Read the answer to Model."""
    message = parse(pb.ModelAnswer, data)
    if not message.digest:
        return None
    return ComputedModel(
        Digest(check_length(message.digest, 32, "ModelAnswer.digest")),
        Digest(check_length(message.step, 32, "ModelAnswer.step")),
        Digest(check_length(message.shard, 32, "ModelAnswer.shard")),
    )


def write_reveal(request: RevealRequest) -> bytes:
    """Write the first body of a Reveal."""
    return pb.RevealRequest(
        task=request.task,
        round=request.round,
        cid=bytes(request.reveal.cid),
        body_root=request.reveal.body_root,
        salt=request.reveal.salt,
        size=request.size,
        by_ipfs=request.by_ipfs,
        by_channel=request.by_channel,
        node=request.node or b"",
    ).SerializeToString()


def read_reveal(data: bytes) -> RevealRequest:
    """Read the first body of a Reveal."""
    message = parse(pb.RevealRequest, data)
    if message.by_ipfs == (message.size > 0):
        raise DecodeError(
            f"RevealRequest.size: {message.size}, expected 0 exactly where the update comes by IPFS"
        )
    reveal = Reveal(
        Cid.from_bytes(message.cid),
        Digest(check_length(message.body_root, 32, "RevealRequest.body_root")),
        Digest(check_length(message.salt, 32, "RevealRequest.salt")),
    )
    return RevealRequest(
        TaskId(message.task),
        RoundId(message.round),
        reveal,
        message.size,
        message.by_ipfs,
        message.by_channel,
        Address(check_length(message.node, 20, "RevealRequest.node")) if message.node else None,
    )


def write_ack(ack: Ack) -> bytes:
    """Write the answer to Reveal."""
    return pb.Ack(
        accepted=ack.accepted, reason=ack.reason[:MAX_REASON], receipt=ack.receipt or b""
    ).SerializeToString()


def read_ack(data: bytes) -> Ack:
    """Read the answer to Reveal."""
    message = parse(pb.Ack, data)
    receipt = Signature(check_length(message.receipt, 65, "Ack.receipt")) if message.accepted else None
    return Ack(message.accepted, message.reason[:MAX_REASON], receipt)


def write_fetch(request: FetchRequest) -> bytes:
    """Write the body of Fetch."""
    return pb.FetchRequest(
        digest=request.digest, offset=request.offset, by_channel=request.by_channel
    ).SerializeToString()


def read_fetch(data: bytes) -> FetchRequest:
    """Read the body of Fetch."""
    message = parse(pb.FetchRequest, data)
    digest = Digest(check_length(message.digest, 32, "FetchRequest.digest"))
    return FetchRequest(digest, message.offset, message.by_channel)


def write_channel(channel: DataChannel) -> bytes:
    """Write the channel that a reveal's content is to go over."""
    return _channel_message(channel).SerializeToString()


def read_channel(data: bytes) -> DataChannel:
    """Read the channel that a reveal's content is to go over."""
    return _read_channel(parse(pb.DataChannel, data))


def write_content(content: Content) -> bytes:
    """Write the first answer to Fetch."""
    channel = None if content.channel is None else _channel_message(content.channel)
    return pb.Content(size=content.size, channel=channel).SerializeToString()


def read_content(data: bytes) -> Content:
    """Read the first answer to Fetch."""
    message = parse(pb.Content, data)
    size = _above_zero(message.size, "Content.size")
    return Content(size, _read_channel(message.channel) if message.HasField("channel") else None)


def _channel_message(channel: DataChannel) -> pb.DataChannel:
    return pb.DataChannel(port=channel.port, ticket=channel.ticket)


def _read_channel(message: pb.DataChannel) -> DataChannel:
    if not 0 < message.port <= 65535:
        raise DecodeError(f"DataChannel.port: {message.port}, expected a port")
    return DataChannel(message.port, check_length(message.ticket, TICKET_BYTES, "DataChannel.ticket"))
