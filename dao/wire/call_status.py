"""Maps errors to gRPC statuses with a message of one line, and back: how a refusal crosses the wire."""

from enum import Enum

import grpc

from dao.errors import (
    DaoError,
    DecodeError,
    Mismatch,
    NotFound,
    Refused,
    RuleError,
    TooLarge,
    Unreachable,
)

_MAX_WORDS = 500


class Why(Enum):
    """The kinds of refusal, each with its gRPC status."""

    UNSIGNED = grpc.StatusCode.UNAUTHENTICATED  # the signature does not cover this call
    FORBIDDEN = grpc.StatusCode.PERMISSION_DENIED  # signed, but by no member
    STALE = grpc.StatusCode.ABORTED  # signed for another session or time: say Hello, sign again
    BUSY = grpc.StatusCode.RESOURCE_EXHAUSTED  # too many calls or bytes: try later
    MALFORMED = grpc.StatusCode.INVALID_ARGUMENT
    AGAINST_RULES = grpc.StatusCode.FAILED_PRECONDITION
    ABSENT = grpc.StatusCode.NOT_FOUND
    LATE = grpc.StatusCode.DEADLINE_EXCEEDED  # the call took longer than it may
    GONE = grpc.StatusCode.CANCELLED  # the caller is gone
    FAILED = grpc.StatusCode.INTERNAL  # our own failure


class Refusal(Refused):
    """A call that the Superlink refuses; `why` says which kind of refusal it is."""

    def __init__(self, why: Why, message: str) -> None:
        super().__init__(message)
        self.why = why


_PUBLIC: dict[tuple[type[DaoError], ...], Why] = {  # errors whose message is for the caller
    (DecodeError,): Why.MALFORMED,
    (NotFound,): Why.ABSENT,
    (RuleError, Refused, Mismatch, TooLarge): Why.AGAINST_RULES,
}


def to_refusal(error: Exception) -> Refusal:
    """Return an error as the caller reads it; without its message where it is our own failure (Why.FAILED)."""
    if isinstance(error, Refusal):
        return error
    for kinds, why in _PUBLIC.items():
        if isinstance(error, kinds):
            return Refusal(why, str(error))
    if isinstance(error, TimeoutError):
        return Refusal(Why.LATE, "call: it took longer than it may; try again, or over a faster connection")
    if isinstance(error, grpc.aio.InternalError | ConnectionError):
        return Refusal(Why.GONE, "call: the connection broke")
    return Refusal(Why.FAILED, "the Superlink itself failed; its operator finds why in its log")


def is_broken(status: grpc.aio.AioRpcError) -> bool:
    """Return whether gRPC could not go on sending; it does not say why: the connection, or a refusal on its way."""
    return status.code() is grpc.StatusCode.INTERNAL and "from Core" in (status.details() or "")


def to_error(status: grpc.aio.AioRpcError, superlink: str) -> DaoError:
    """Return the error that a caller gets for a gRPC status."""
    words, code = " ".join((status.details() or "").split())[:_MAX_WORDS], status.code()
    if is_broken(status):
        code, words = grpc.StatusCode.UNAVAILABLE, "the connection broke"
    match code:
        case grpc.StatusCode.UNAVAILABLE | grpc.StatusCode.CANCELLED | grpc.StatusCode.DEADLINE_EXCEEDED:
            return Unreachable(
                f"Superlink {superlink}: no answer ({words or code.name}); check that it runs, the address and TLS"
            )
        case grpc.StatusCode.ABORTED:  # its words are for a caller that signs anew, which time did not allow
            return Unreachable(f"Superlink {superlink}: it has restarted, or a clock was set; try again")
        case grpc.StatusCode.NOT_FOUND:
            return NotFound(f"Superlink {superlink}: {words}")
    return Refused(f"Superlink {superlink}: {words or code.name}")
