"""Sign-in with a wallet (EIP-4361): a nonce, a signed text, a session in a cookie that scripts cannot read."""

from typing import Annotated

from fastapi import APIRouter, Cookie, Depends, Request, Response
from pydantic import Field

from dao.api.auth.sessions import NONCE_SECONDS, Session, Site
from dao.api.dependencies import COOKIE, Changing, Given, SignedIn, same_origin
from dao.api.http.json_types import AddressText, Body, ReadAddress, ReadSignature, Shown
from dao.api.http.problems import responses
from dao.core.formats.address import checksummed
from dao.gov.siwe import MAX_MESSAGE

router = APIRouter(prefix="/auth", tags=["sign-in"])


class NonceBody(Body):
    """Who wants to sign in."""

    address: ReadAddress


class Invitation(Shown):
    """What the text to sign is made of; `message` is that text. Times in Unix seconds."""

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


class VerifyBody(Body):
    """The text, and its signature by personal_sign (EIP-191)."""

    message: str = Field(max_length=MAX_MESSAGE)
    signature: ReadSignature


class SessionShown(Shown):
    """Who is signed in; `csrf` goes into X-CSRF-Token of whatever changes something."""

    address: AddressText
    csrf: str
    expires_at: int


@router.post("/nonce", responses=responses(403, 413, 422, 429), dependencies=[Depends(same_origin)])
async def nonce(body: NonceBody, request: Request, services: Given) -> Invitation:
    """Ask for a nonce, good once and for five minutes."""
    said = services.sessions.invitation(body.address, _site(request, services))
    return Invitation(
        address=checksummed(body.address),
        nonce=said.nonce,
        issued_at=int(said.issued_at),
        expires_at=int(said.expires_at),
        nonce_expires_at=int(said.issued_at) + NONCE_SECONDS,
        domain=said.domain,
        uri=said.uri,
        chain_id=said.chain_id,
        statement=said.statement,
        message=said.text(),
    )


@router.post(
    "/verify", responses=responses(401, 403, 413, 422, 429, 503), dependencies=[Depends(same_origin)]
)
async def verify(body: VerifyBody, response: Response, services: Given) -> SessionShown:
    """Sign in: sets the cookie `session`."""
    token, session = services.sessions.sign_in(body.message, body.signature)
    response.set_cookie(
        COOKIE,
        token,
        max_age=int(session.expires_at - services.sessions.now()),
        path="/",
        secure=services.secure,
        httponly=True,
        samesite="strict",
    )
    return _shown(session)


@router.get("/session", responses=responses(401, 422, 429))
async def session(signed_in: SignedIn) -> SessionShown:
    """Who is signed in."""
    return _shown(signed_in)


@router.post("/logout", status_code=204, responses=responses(401, 403, 413, 422, 429))
async def logout(
    _: Changing,
    response: Response,
    services: Given,
    token: Annotated[str | None, Cookie(alias=COOKIE, include_in_schema=False)] = None,
) -> None:
    """Sign out."""
    services.sessions.end(token)
    response.delete_cookie(COOKIE, path="/", secure=services.secure, httponly=True, samesite="strict")


def _site(request: Request, services: Given) -> Site:
    """The site that a page is open at, where it is ours."""
    sites = services.sessions.sites
    host = request.headers.get("host")
    return next((site for site in sites if site.domain == host), sites[0])


def _shown(session: Session) -> SessionShown:
    return SessionShown.model_validate(
        {"address": session.address, "csrf": session.csrf, "expires_at": int(session.expires_at)}
    )
