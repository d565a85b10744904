"""Why a call is refused, and how that crosses the wire: as a gRPC status with one line of words."""

from enum import Enum

import grpc

from dao.core.errors import (
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
    STALE = grpc.StatusCode.ABORTED  # signed for another session: sign again
    BUSY = grpc.StatusCode.RESOURCE_EXHAUSTED  # too many calls or bytes: try later
    MALFORMED = grpc.StatusCode.INVALID_ARGUMENT
    AGAINST_RULES = grpc.StatusCode.FAILED_PRECONDITION
    ABSENT = grpc.StatusCode.NOT_FOUND
    LATE = grpc.StatusCode.DEADLINE_EXCEEDED  # the call took longer than it may
    FAILED = grpc.StatusCode.INTERNAL  # our own failure


class Refusal(Refused):
    """A call that the Superlink refuses; `why` says which kind of refusal it is."""

    def __init__(self, why: Why, message: str) -> None:
        super().__init__(message)
        self.why = why


def refusal_of(error: Exception) -> Refusal | None:
    """Return what the caller is told of an error; None when it is our own failure, whose words stay here."""
    match error:
        case Refusal():
            return error
        case DecodeError():
            return Refusal(Why.MALFORMED, str(error))
        case NotFound():
            return Refusal(Why.ABSENT, str(error))
        case RuleError() | Refused() | Mismatch() | TooLarge():
            return Refusal(Why.AGAINST_RULES, str(error))
        case TimeoutError():
            return Refusal(
                Why.LATE, "call: it took longer than it may; try again, or over a faster connection"
            )
    return None


def error_of(status: grpc.aio.AioRpcError, superlink: str) -> DaoError:
    """Return the error that a caller gets for a gRPC status."""
    words, code = " ".join((status.details() or "").split())[:_MAX_WORDS], status.code()
    match code:
        case grpc.StatusCode.UNAVAILABLE | grpc.StatusCode.CANCELLED | grpc.StatusCode.DEADLINE_EXCEEDED:
            return Unreachable(
                f"Superlink {superlink}: no answer ({words or code.name}); check that it runs, the address and TLS"
            )
        case grpc.StatusCode.NOT_FOUND:
            return NotFound(f"Superlink {superlink}: {words}")
    return Refused(f"Superlink {superlink}: {words or code.name}")
