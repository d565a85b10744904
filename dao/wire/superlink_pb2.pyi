from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Signed(_message.Message):
    __slots__ = ("body", "method", "body_hash", "nonce", "expiry", "chain_id", "coordinator", "node", "signature")
    BODY_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    BODY_HASH_FIELD_NUMBER: _ClassVar[int]
    NONCE_FIELD_NUMBER: _ClassVar[int]
    EXPIRY_FIELD_NUMBER: _ClassVar[int]
    CHAIN_ID_FIELD_NUMBER: _ClassVar[int]
    COORDINATOR_FIELD_NUMBER: _ClassVar[int]
    NODE_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    body: bytes
    method: str
    body_hash: bytes
    nonce: bytes
    expiry: int
    chain_id: int
    coordinator: bytes
    node: bytes
    signature: bytes
    def __init__(self, body: _Optional[bytes] = ..., method: _Optional[str] = ..., body_hash: _Optional[bytes] = ..., nonce: _Optional[bytes] = ..., expiry: _Optional[int] = ..., chain_id: _Optional[int] = ..., coordinator: _Optional[bytes] = ..., node: _Optional[bytes] = ..., signature: _Optional[bytes] = ...) -> None: ...

class HelloRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Welcome(_message.Message):
    __slots__ = ("session", "now", "chain_id", "coordinator", "superlink")
    SESSION_FIELD_NUMBER: _ClassVar[int]
    NOW_FIELD_NUMBER: _ClassVar[int]
    CHAIN_ID_FIELD_NUMBER: _ClassVar[int]
    COORDINATOR_FIELD_NUMBER: _ClassVar[int]
    SUPERLINK_FIELD_NUMBER: _ClassVar[int]
    session: bytes
    now: int
    chain_id: int
    coordinator: bytes
    superlink: bytes
    def __init__(self, session: _Optional[bytes] = ..., now: _Optional[int] = ..., chain_id: _Optional[int] = ..., coordinator: _Optional[bytes] = ..., superlink: _Optional[bytes] = ...) -> None: ...

class CommitRequest(_message.Message):
    __slots__ = ("task", "round", "opening", "commitment", "signature")
    TASK_FIELD_NUMBER: _ClassVar[int]
    ROUND_FIELD_NUMBER: _ClassVar[int]
    OPENING_FIELD_NUMBER: _ClassVar[int]
    COMMITMENT_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    task: int
    round: int
    opening: bytes
    commitment: bytes
    signature: bytes
    def __init__(self, task: _Optional[int] = ..., round: _Optional[int] = ..., opening: _Optional[bytes] = ..., commitment: _Optional[bytes] = ..., signature: _Optional[bytes] = ...) -> None: ...

class Receipt(_message.Message):
    __slots__ = ("signature",)
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    signature: bytes
    def __init__(self, signature: _Optional[bytes] = ...) -> None: ...

class PassRequest(_message.Message):
    __slots__ = ("task", "round", "opening", "signature", "reason")
    TASK_FIELD_NUMBER: _ClassVar[int]
    ROUND_FIELD_NUMBER: _ClassVar[int]
    OPENING_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    task: int
    round: int
    opening: bytes
    signature: bytes
    reason: str
    def __init__(self, task: _Optional[int] = ..., round: _Optional[int] = ..., opening: _Optional[bytes] = ..., signature: _Optional[bytes] = ..., reason: _Optional[str] = ...) -> None: ...

class PassAnswer(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class WaitRequest(_message.Message):
    __slots__ = ("task", "round", "wait_ms")
    TASK_FIELD_NUMBER: _ClassVar[int]
    ROUND_FIELD_NUMBER: _ClassVar[int]
    WAIT_MS_FIELD_NUMBER: _ClassVar[int]
    task: int
    round: int
    wait_ms: int
    def __init__(self, task: _Optional[int] = ..., round: _Optional[int] = ..., wait_ms: _Optional[int] = ...) -> None: ...

class InclusionAnswer(_message.Message):
    __slots__ = ("ready", "index", "count", "proof")
    READY_FIELD_NUMBER: _ClassVar[int]
    INDEX_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    PROOF_FIELD_NUMBER: _ClassVar[int]
    ready: bool
    index: int
    count: int
    proof: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, ready: _Optional[bool] = ..., index: _Optional[int] = ..., count: _Optional[int] = ..., proof: _Optional[_Iterable[bytes]] = ...) -> None: ...

class ModelAnswer(_message.Message):
    __slots__ = ("digest", "step", "shard")
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    SHARD_FIELD_NUMBER: _ClassVar[int]
    digest: bytes
    step: bytes
    shard: bytes
    def __init__(self, digest: _Optional[bytes] = ..., step: _Optional[bytes] = ..., shard: _Optional[bytes] = ...) -> None: ...

class RevealRequest(_message.Message):
    __slots__ = ("task", "round", "cid", "body_root", "salt", "size", "by_ipfs", "by_channel", "node")
    TASK_FIELD_NUMBER: _ClassVar[int]
    ROUND_FIELD_NUMBER: _ClassVar[int]
    CID_FIELD_NUMBER: _ClassVar[int]
    BODY_ROOT_FIELD_NUMBER: _ClassVar[int]
    SALT_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    BY_IPFS_FIELD_NUMBER: _ClassVar[int]
    BY_CHANNEL_FIELD_NUMBER: _ClassVar[int]
    NODE_FIELD_NUMBER: _ClassVar[int]
    task: int
    round: int
    cid: bytes
    body_root: bytes
    salt: bytes
    size: int
    by_ipfs: bool
    by_channel: bool
    node: bytes
    def __init__(self, task: _Optional[int] = ..., round: _Optional[int] = ..., cid: _Optional[bytes] = ..., body_root: _Optional[bytes] = ..., salt: _Optional[bytes] = ..., size: _Optional[int] = ..., by_ipfs: _Optional[bool] = ..., by_channel: _Optional[bool] = ..., node: _Optional[bytes] = ...) -> None: ...

class Ack(_message.Message):
    __slots__ = ("accepted", "reason", "receipt")
    ACCEPTED_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    accepted: bool
    reason: str
    receipt: bytes
    def __init__(self, accepted: _Optional[bool] = ..., reason: _Optional[str] = ..., receipt: _Optional[bytes] = ...) -> None: ...

class FetchRequest(_message.Message):
    __slots__ = ("digest", "offset", "by_channel")
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    BY_CHANNEL_FIELD_NUMBER: _ClassVar[int]
    digest: bytes
    offset: int
    by_channel: bool
    def __init__(self, digest: _Optional[bytes] = ..., offset: _Optional[int] = ..., by_channel: _Optional[bool] = ...) -> None: ...

class DataChannel(_message.Message):
    __slots__ = ("port", "ticket")
    PORT_FIELD_NUMBER: _ClassVar[int]
    TICKET_FIELD_NUMBER: _ClassVar[int]
    port: int
    ticket: bytes
    def __init__(self, port: _Optional[int] = ..., ticket: _Optional[bytes] = ...) -> None: ...

class Content(_message.Message):
    __slots__ = ("size", "channel")
    SIZE_FIELD_NUMBER: _ClassVar[int]
    CHANNEL_FIELD_NUMBER: _ClassVar[int]
    size: int
    channel: DataChannel
    def __init__(self, size: _Optional[int] = ..., channel: _Optional[_Union[DataChannel, _Mapping]] = ...) -> None: ...
