"""Errors as application/problem+json (RFC 9457): one shape for every error that a caller may meet."""

import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from dao.core.types import hex_of
from dao.errors import (
    AlreadyVoted,
    BadSignature,
    ChainError,
    DaoError,
    DecodeError,
    NotActive,
    NotFound,
    NoVotes,
    Reverted,
    RuleError,
    UnknownProposal,
)
from dao.index.database import DatabaseError

MEDIA_TYPE = "application/problem+json"
BLANK = "about:blank"
_PARTS = ("body", "path", "query", "header", "cookie")
_SHOWN = 5  # mistakes in one request that are named

_PROBLEMS: tuple[tuple[type[DaoError], int, str], ...] = (  # the first that fits
    (BadSignature, 422, "bad-signature"),
    (NoVotes, 403, "no-votes"),
    (NotActive, 409, "not-active"),
    (AlreadyVoted, 409, "voted"),
    (DecodeError, 422, "invalid"),
    (RuleError, 422, "invalid"),
    (NotFound, 404, "not-found"),
)

_log = logging.getLogger(__name__)


class ProblemBody(BaseModel):
    """An error: `type` is a word that programs can rely on, `detail` is for people."""

    type: str = Field(examples=["relay-dry"])
    title: str
    status: int
    detail: str
    error: str | None = Field(default=None, description="The contract's own name of the error.")
    args: dict[str, str] | None = Field(default=None, description="The error's arguments, by name.")


class Problem(DaoError):  # noqa: N818  (RFC 9457 calls it so)
    """An error with its HTTP status; `kind` is the problem's type, `retry_after` in seconds."""

    def __init__(
        self, status: int, kind: str, message: str, *, retry_after: float | None = None, **extra: object
    ) -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind
        self.retry_after = retry_after
        self.extra = extra


def make_response(problem: Problem) -> Response:
    """Make the response that shows a problem."""
    title = HTTPStatus(problem.status).phrase
    body = {"type": problem.kind, "title": title, "status": problem.status, "detail": str(problem)}
    headers = {"Cache-Control": "no-store"}
    if problem.retry_after is not None:
        headers["Retry-After"] = str(max(1, round(problem.retry_after + 0.5)))
    return JSONResponse(body | problem.extra, problem.status, headers, MEDIA_TYPE)


def get_problem(error: DaoError) -> Problem:
    """Translate an error of the project into a problem."""
    match error:
        case Problem():
            return error
        case UnknownProposal():
            return Problem(404, "not-found", str(error), error=error.error)
        case Reverted():
            return Problem(422, "reverted", str(error), error=error.error or None, args=name_arguments(error))
        case ChainError() | DatabaseError():
            _log.warning("%s", error)
            away = isinstance(error, DatabaseError)
            kind = "database-unreachable" if away else "chain-unreachable"
            words = "the index cannot be read now" if away else "the chain's node does not answer"
            return Problem(503, kind, f"{words}; try again soon", retry_after=5)
    for kind_of_error, status, kind in _PROBLEMS:
        if isinstance(error, kind_of_error):
            return Problem(status, kind, str(error))
    _log.error("%s: %s", type(error).__name__, error)
    return Problem(500, "internal", "the request failed; the operator's log says why")


def name_arguments(error: Reverted) -> dict[str, str]:
    """Name the arguments of a contract's error, by number where the error is unknown."""
    from dao.chain.interface import refusals

    abi = next((abi for abi in refusals().values() if abi.name == error.error), None)
    names = abi.names if abi else tuple(f"argument{n}" for n in range(len(error.arguments)))
    return {
        name: hex_of(value) if isinstance(value, bytes) else str(value)
        for name, value in zip(names, error.arguments, strict=False)
    }


def install_handlers(app: FastAPI) -> None:
    """Have the app answer every error as a problem: the one place where errors become problems."""

    @app.exception_handler(DaoError)
    async def handle_own_error(_: Request, error: DaoError) -> Response:
        return make_response(get_problem(error))

    @app.exception_handler(RequestValidationError)
    async def handle_invalid_request(_: Request, error: RequestValidationError) -> Response:
        return make_response(Problem(422, "invalid", describe_mistakes(error.errors())))

    @app.exception_handler(HTTPException)
    async def handle_http_error(_: Request, error: HTTPException) -> Response:
        if error.status_code == HTTPStatus.BAD_REQUEST:  # a body that is not even text
            return make_response(Problem(422, "invalid", "the request's body: expected JSON in UTF-8"))
        response = make_response(Problem(error.status_code, BLANK, str(error.detail)))
        response.headers.update(error.headers or {})
        return response

    @app.exception_handler(Exception)
    async def handle_bug(_: Request, __: Exception) -> Response:
        # the framework logs the traceback
        return make_response(Problem(500, "internal", "the request failed; the operator's log says why"))


def describe_mistakes(errors: Any) -> str:
    """Name each wrong field and its expected value, without repeating what was sent."""
    lines = [f"{_name_field(error['loc'])}: {_strip(error['msg'])}" for error in list(errors)[:_SHOWN]]
    return "; ".join(lines) or "the request is not as the API's description has it"


def _name_field(path: Sequence[object]) -> str:
    """Name a field, without the part of the request that it stands in."""
    inside = path[1:] if len(path) > 1 and path[0] in _PARTS else path
    return ".".join(map(str, inside))


def _strip(message: str) -> str:
    return message.removeprefix("Value error, ")


def describe_problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Describe the problems that a route may answer with, for OpenAPI."""
    content: Mapping[str, Any] = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemBody"}}}
    return {status: {"description": HTTPStatus(status).phrase, "content": content} for status in statuses}


def describe_read(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Describe the responses to a read beside its body, for OpenAPI."""
    tag = {"ETag": {"description": "For If-None-Match.", "schema": {"type": "string"}}}
    same = {
        "description": "Nothing that is read has changed since the ETag in If-None-Match.",
        "headers": tag,
    }
    return {200: {"headers": tag}, 304: same, **describe_problems(*statuses, 422, 429, 503)}
