"""The messages of the wire as plain data, read strictly: every length and range is checked before use."""

from dataclasses import dataclass
from typing import TypeVar

from google.protobuf.message import DecodeError as BadProtobuf
from google.protobuf.message import Message

from dao.core.errors import DecodeError
from dao.core.formats.cid import Cid
from dao.core.types import Address, Digest, RoundId, TaskId, Timestamp
from dao.wire import superlink_pb2 as pb

MAX_BODY = 4096  # bytes of a call's own message
MAX_PROOF = 64  # digests
MAX_REASON = 500  # characters
SESSION_BYTES = TICKET_BYTES = 16

M = TypeVar("M", bound=Message)


@dataclass(frozen=True, slots=True)
class Welcome:
    """What a Superlink tells a caller before its first signed call."""

    session: bytes
    now: Timestamp  # on the Superlink's clock
    chain_id: int
    coordinator: Address
    superlink: Address


@dataclass(frozen=True, slots=True)
class CommitRequest:
    """A commit on its way to the Superlink."""

    task: TaskId
    round: RoundId
    commitment: Digest
    signature: bytes


@dataclass(frozen=True, slots=True)
class Inclusion:
    """Where a commit stands in the commits tree of its round, with the proof from the leaf up."""

    index: int
    count: int
    proof: tuple[Digest, ...]


@dataclass(frozen=True, slots=True)
class RevealHeader:
    """What opens a commit, and how the update itself comes: in this stream, or by IPFS."""

    task: TaskId
    round: RoundId
    cid: Cid
    body_root: Digest
    salt: Digest
    size: int  # bytes that follow; 0 when it comes by IPFS
    by_ipfs: bool
    by_door: bool = False  # they may go over a connection of their own


@dataclass(frozen=True, slots=True)
class Ack:
    """Whether a reveal counts, and else why not."""

    accepted: bool
    reason: str = ""


@dataclass(frozen=True, slots=True)
class FetchRequest:
    """Which content, from which byte on, and whether its bytes may come over a connection of their own."""

    digest: Digest
    offset: int
    by_door: bool


@dataclass(frozen=True, slots=True)
class Door:
    """Where large content goes without gRPC between: a TCP port of the same host, and what to show there."""

    port: int
    ticket: bytes


@dataclass(frozen=True, slots=True)
class Content:
    """What opens the answer to Fetch: the bytes of the whole content, and the door they come through, if any."""

    size: int
    door: Door | None = None


def parse(kind: type[M], data: bytes, limit: int = MAX_BODY) -> M:
    """Read a protobuf message of at most `limit` bytes; DecodeError otherwise."""
    name = kind.DESCRIPTOR.name
    if len(data) > limit:
        raise DecodeError(f"{name}: {len(data)} bytes, expected at most {limit}")
    try:
        return kind.FromString(data)
    except BadProtobuf:
        raise DecodeError(f"{name}: {len(data)} bytes that are no such message") from None


def of_length(value: bytes, length: int, what: str) -> bytes:
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
        of_length(message.session, SESSION_BYTES, "Welcome.session"),
        Timestamp(message.now),
        message.chain_id,
        Address(of_length(message.coordinator, 20, "Welcome.coordinator")),
        Address(of_length(message.superlink, 20, "Welcome.superlink")),
    )


def write_commit(commit: CommitRequest) -> bytes:
    """Write the body of Commit."""
    return pb.CommitRequest(
        task=commit.task, round=commit.round, commitment=commit.commitment, signature=commit.signature
    ).SerializeToString()


def read_commit(data: bytes) -> CommitRequest:
    """Read the body of Commit."""
    message = parse(pb.CommitRequest, data)
    return CommitRequest(
        TaskId(message.task),
        RoundId(message.round),
        Digest(of_length(message.commitment, 32, "CommitRequest.commitment")),
        of_length(message.signature, 65, "CommitRequest.signature"),
    )


def read_receipt(data: bytes) -> bytes:
    """Read the answer to Commit: the receipt's signature."""
    return of_length(parse(pb.Receipt, data).signature, 65, "Receipt.signature")


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
    proof = tuple(Digest(of_length(digest, 32, "InclusionAnswer.proof")) for digest in message.proof)
    return Inclusion(message.index, message.count, proof)


def write_model(digest: Digest | None) -> bytes:
    """Write the answer to Model; None where it is not computed yet."""
    return pb.ModelAnswer(digest=digest or b"").SerializeToString()


def read_model(data: bytes) -> Digest | None:
    """Read the answer to Model."""
    digest = parse(pb.ModelAnswer, data).digest
    return Digest(of_length(digest, 32, "ModelAnswer.digest")) if digest else None


def write_reveal(header: RevealHeader) -> bytes:
    """Write the body that opens a Reveal."""
    return pb.RevealRequest(
        task=header.task,
        round=header.round,
        cid=bytes(header.cid),
        body_root=header.body_root,
        salt=header.salt,
        size=header.size,
        by_ipfs=header.by_ipfs,
        by_door=header.by_door,
    ).SerializeToString()


def read_reveal(data: bytes) -> RevealHeader:
    """Read the body that opens a Reveal."""
    message = parse(pb.RevealRequest, data)
    if message.by_ipfs == (message.size > 0):
        raise DecodeError(
            f"RevealRequest.size: {message.size}, expected 0 exactly where the update comes by IPFS"
        )
    return RevealHeader(
        TaskId(message.task),
        RoundId(message.round),
        Cid.from_bytes(message.cid),
        Digest(of_length(message.body_root, 32, "RevealRequest.body_root")),
        Digest(of_length(message.salt, 32, "RevealRequest.salt")),
        message.size,
        message.by_ipfs,
        message.by_door,
    )


def write_ack(ack: Ack) -> bytes:
    """Write the answer to Reveal."""
    return pb.Ack(accepted=ack.accepted, reason=ack.reason[:MAX_REASON]).SerializeToString()


def read_ack(data: bytes) -> Ack:
    """Read the answer to Reveal."""
    message = parse(pb.Ack, data)
    return Ack(message.accepted, message.reason[:MAX_REASON])


def write_fetch(asked: FetchRequest) -> bytes:
    """Write the body of Fetch."""
    return pb.FetchRequest(
        digest=asked.digest, offset=asked.offset, by_door=asked.by_door
    ).SerializeToString()


def read_fetch(data: bytes) -> FetchRequest:
    """Read the body of Fetch."""
    message = parse(pb.FetchRequest, data)
    digest = Digest(of_length(message.digest, 32, "FetchRequest.digest"))
    return FetchRequest(digest, message.offset, message.by_door)


def write_door(door: Door) -> bytes:
    """Write the door that a reveal's content is to go through."""
    return _door(door).SerializeToString()


def read_door(data: bytes) -> Door:
    """Read it."""
    return _door_in(parse(pb.Door, data))


def write_content(content: Content) -> bytes:
    """Write what opens the answer to Fetch."""
    door = None if content.door is None else _door(content.door)
    return pb.Content(size=content.size, door=door).SerializeToString()


def read_content(data: bytes) -> Content:
    """Read what opens the answer to Fetch."""
    message = parse(pb.Content, data)
    size = _above_zero(message.size, "Content.size")
    return Content(size, _door_in(message.door) if message.HasField("door") else None)


def _door(door: Door) -> pb.Door:
    return pb.Door(port=door.port, ticket=door.ticket)


def _door_in(message: pb.Door) -> Door:
    if not 0 < message.port <= 65535:
        raise DecodeError(f"Door.port: {message.port}, expected a port")
    return Door(message.port, of_length(message.ticket, TICKET_BYTES, "Door.ticket"))
