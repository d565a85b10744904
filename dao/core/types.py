"""The words of the protocol as types: units, digests, and the records that the chain holds of a task and a round."""

import re
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import NewType

from dao.errors import DecodeError

TaskId = NewType("TaskId", int)
RoundId = NewType("RoundId", int)
BlockNumber = NewType("BlockNumber", int)
Timestamp = NewType("Timestamp", int)  # Unix seconds of a block
Wei = NewType("Wei", int)  # 10^-18 token
MicroScore = NewType("MicroScore", int)  # millionths of a loss; signed

Digest = NewType("Digest", bytes)  # 32 bytes
Address = NewType("Address", bytes)  # 20 bytes
Signature = NewType("Signature", bytes)  # 65 bytes: r, s, v

NO_ROUND = RoundId(0)  # the parent of a task's first round
ZERO_DIGEST = Digest(bytes(32))
ZERO_ADDRESS = Address(bytes(20))


class Status(StrEnum):
    """What became of a node's commit."""

    OK = "ok"
    LATE = "late"  # opened to the Superlink, but not there whole in the reveal period
    WITHHELD = "withheld"  # never opened
    INVALID = "invalid"  # revealed content that does not decode or is not what was committed
    CLIPPED = "clipped"  # counted with less weight
    GATED = "gated"  # weight 0
    UNAVAILABLE = "unavailable"  # opened on chain, and no source had the content


class PassReason(StrEnum):
    """Why a node sits a round out, for people: a fixed choice, so that no word of a site leaves it."""

    NOT_READY = "not ready"  # its app, data or model cannot be had
    FAILED = "training failed"
    NO_TIME = "no time"  # to train before commits close


class Phase(IntEnum):
    """A round's phase, numbered as in IRounds."""

    NONE = 0
    OPEN = 1
    CLOSED = 2
    POSTED = 3
    FROZEN = 4
    FINALIZED = 5
    ABORTED = 6
    VOID = 7


class Codec(StrEnum):
    """How an update is encoded."""

    INT8 = "int8"
    FLOAT32 = "float32"
    TOPK = "topk"

    @property
    def number(self) -> int:
        """Its number in a task's rules on chain."""
        return list(Codec).index(self)

    @classmethod
    def numbered(cls, number: int) -> "Codec":
        """Return the codec with this number; DecodeError when there is none."""
        if not 0 <= number < len(cls):
            raise DecodeError(f"codec {number}: expected 0 to {len(cls) - 1}; it needs a newer release")
        return list(cls)[number]


@dataclass(frozen=True, slots=True)
class Domain:
    """The EIP-712 domain of a coordinator."""

    chain_id: int
    coordinator: Address


@dataclass(frozen=True, slots=True)
class Rules:
    """A task's rules (ITasks.TaskRules); periods in seconds, amounts in wei."""

    superlink: Address
    commit_period: int
    reveal_period: int
    result_period: int
    challenge_period: int
    resolve_period: int
    quorum: int
    shards: int
    body_depth: int
    codec: Codec
    admitted_only: bool
    close_after: int  # seconds from which on commits may close once enough have committed
    close_share: int  # per cent of the eligible that are enough; 100: all
    max_in_flight: int  # rounds that may be undecided at a time
    min_stake: Wei
    max_stake: Wei
    round_budget: Wei
    superlink_bond: Wei
    challenge_bond: Wei
    chunks: int  # of the model
    scored_chunks: int  # the first ones, of trained parameters
    app_hash: Digest
    base_model: Digest
    base_model_root: Digest  # over the chunks of the base model
    validation_root: Digest
    card: Digest  # content digest of the card (dao.core.formats.card)


@dataclass(frozen=True, slots=True)
class TaskState:
    """What a task has come to (ITasks.Task)."""

    active: int
    last_round: RoundId
    head: RoundId
    in_flight: int
    closed: bool


@dataclass(frozen=True, slots=True)
class RoundState:
    """What a round has come to (IRounds.Round); a time that has not come is 0.

    `opening` is what the round's signatures bind (dao.core.commits.compute_opening). Until the result, the chain shows what commits were closed with (dao.core.commits.compute_closing_hash), and the result's
    hash from then on.
    """

    open_block: BlockNumber
    opened_at: Timestamp
    closed_at: Timestamp
    posted_at: Timestamp
    parent: RoundId
    eligible: int
    commits: int
    phase: Phase
    opening: Digest
    closing: Digest
    result_hash: Digest


@dataclass(frozen=True, slots=True)
class Member:
    """A Supernode that had joined when a round opened; `stake` at the end of the block before that."""

    owner: Address
    stake: Wei


@dataclass(frozen=True, slots=True)
class Result:
    """What a Superlink states of a round (IRounds.Result)."""

    commits_root: Digest
    seed: Digest
    statement: Digest  # the hash of the Statement
    model_digest: Digest
    manifest_digest: Digest
    accounts_root: Digest
    forced_hash: Digest
    inputs: int
    revealed: int
    weight_sum: int
    reward_total: Wei


@dataclass(frozen=True, slots=True)
class Statement:
    """The roots and sums that a result binds by their hash (IStatements.Statement); without a gradient its root is 0."""

    rows_root: Digest
    inputs_root: Digest
    aggregate_root: Digest
    model_root: Digest
    new_step_root: Digest  # of the step from the base model to the new one, an update
    gate_root: Digest
    gradient_root: Digest
    step_root: Digest
    gate_totals: Digest
    step_totals: Digest
    medians_hash: Digest
    used_shards: Digest
    gate_square: int  # |g0|^2, in 2^-96
    gradient_along: int  # <G, s> with s the last step, in 2^-96
    step_square: int  # |s|^2, in 2^-96
    along_median: int  # in 2^-80
    norm_median: int  # in 2^-32
    rows: int
    accounts: int


def hex_of(data: bytes) -> str:
    """Write bytes as they stand in JSON: `0x` and lowercase hex digits."""
    return "0x" + data.hex()


def bytes_of(text: str, length: int, what: str) -> bytes:
    """Read `length` bytes as `hex_of` writes them; DecodeError names `what`."""
    pattern = f"0x[0-9a-f]{{{2 * length}}}"
    if not re.fullmatch(pattern, text):
        case = "lowercase " if re.fullmatch(pattern, text.lower()) else ""
        raise DecodeError(f"{what}: expected 0x and {2 * length} {case}hex digits, got {text[:80]!r}")
    return bytes.fromhex(text[2:])


def digest_of(text: str, what: str = "digest") -> Digest:
    """Read a digest in JSON; DecodeError names `what`."""
    return Digest(bytes_of(text, 32, what))
