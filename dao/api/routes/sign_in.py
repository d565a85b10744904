"""Signs in with a wallet (EIP-4361): a nonce, a signed text, a session in a cookie that scripts cannot read."""

from fastapi import APIRouter, Depends, Request, Response
from pydantic import Field

from dao.api.auth.sessions import NONCE_SECONDS, Session, Site
from dao.api.dependencies import ChangingSession, Deps, SessionToken, SignedInSession, check_origin
from dao.api.http.json_types import AddressText, ReadAddress, ReadSignature, RequestModel, ResponseModel
from dao.api.http.problems import describe_problems
from dao.core.formats.address import checksummed
from dao.gov.siwe import MAX_MESSAGE

router = APIRouter(prefix="/auth", tags=["sign-in"])


class NonceBody(RequestModel):
    """The account that wants to sign in."""

    address: ReadAddress


class Invitation(ResponseModel):
    """The text to sign as `message`, and its fields. Times in Unix seconds."""

    address: AddressText
    nonce: str
    issued_at: int
    expires_at: int = Field(description="The end of the session, the text's Expiration Time.")
    nonce_expires_at: int
    domain: str
    uri: str
    chain_id: int
    statement: str
    message: str


class VerifyBody(RequestModel):
    """The text, and its signature by personal_sign (EIP-191)."""

    message: str = Field(max_length=MAX_MESSAGE)
    signature: ReadSignature


class SessionShown(ResponseModel):
    """The session; `csrf` goes into X-CSRF-Token of requests that change something."""

    address: AddressText
    csrf: str
    expires_at: int


@router.post(
    "/nonce",
    name="nonce",
    responses=describe_problems(403, 413, 422, 429),
    dependencies=[Depends(check_origin)],
)
async def create_nonce(body: NonceBody, request: Request, deps: Deps) -> Invitation:
    """Ask for a nonce, good once and for five minutes."""
    sign_in = deps.sessions.make_sign_in(body.address, _get_site(request, deps))
    return Invitation(
        address=checksummed(body.address),
        nonce=sign_in.nonce,
        issued_at=int(sign_in.issued_at),
        expires_at=int(sign_in.expires_at),
        nonce_expires_at=int(sign_in.issued_at) + NONCE_SECONDS,
        domain=sign_in.domain,
        uri=sign_in.uri,
        chain_id=sign_in.chain_id,
        statement=sign_in.statement,
        message=sign_in.dump(),
    )


@router.post(
    "/verify", responses=describe_problems(401, 403, 413, 422, 429, 503), dependencies=[Depends(check_origin)]
)
async def verify(body: VerifyBody, response: Response, deps: Deps, old: SessionToken) -> SessionShown:
    """Sign in: sets the session's cookie, and ends the session that it had before."""
    token, session = deps.sessions.sign_in(body.message, body.signature)
    deps.sessions.end(old)
    response.set_cookie(
        deps.cookie,
        token,
        max_age=int(session.expires_at - deps.sessions.get_time()),
        path="/",
        secure=deps.secure,
        httponly=True,
        samesite="strict",
    )
    return _show(session)


@router.get("/session", name="session", responses=describe_problems(401, 422, 429))
async def read_session(session: SignedInSession) -> SessionShown:
    """Read the session."""
    return _show(session)


@router.post("/logout", status_code=204, responses=describe_problems(401, 403, 413, 422, 429))
async def logout(
    _: ChangingSession,
    response: Response,
    deps: Deps,
    token: SessionToken,
) -> None:
    """Sign out."""
    deps.sessions.end(token)
    response.delete_cookie(deps.cookie, path="/", secure=deps.secure, httponly=True, samesite="strict")


def _get_site(request: Request, deps: Deps) -> Site:
    """Get the site at which the page is open, or the usual one."""
    sites = deps.sessions.sites
    host = request.headers.get("host")
    return next((site for site in sites if site.domain == host), sites[0])


def _show(session: Session) -> SessionShown:
    return SessionShown.model_validate(
        {"address": session.address, "csrf": session.csrf, "expires_at": int(session.expires_at)}
    )
