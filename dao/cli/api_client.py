"""A client of the DAO's API over HTTP, and what commands read from it: proposals, rules, the network's contracts."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast
from urllib.parse import urlsplit

import httpx

from dao.chain.deployment import ADDRESSES, Deployment
from dao.chain.governance import Actions
from dao.chain.signer import Signer
from dao.cli.chain_proposals import index_of
from dao.cli.dao_member import PublishedProposal
from dao.cli.output import printable
from dao.core.formats.address import address_of
from dao.core.types import BlockNumber, Rules, TaskId, Wei, hex_of
from dao.errors import ConfigError, Refused, Unreachable
from dao.gov import drafts
from dao.gov.actions import ChangeRules
from dao.gov.siwe import compute_text_digest, parse_sign_in

BASE = "/api/v1"
_TIMEOUT = 60.0  # seconds for one request
_TRIES, _LONGEST_PAUSE = 5, 10  # where there were too many requests; seconds between two of them
_DIGITS = 70  # with so many, a number is taken for a whole one


class ApiClient:
    """An API; every error is one line."""

    def __init__(self, url: str, http: httpx.AsyncClient) -> None:
        self.url = url
        self._http = http

    async def get(self, path: str, **query: Any) -> Any:
        """Send a GET request and return its JSON."""
        return await self._request("GET", path, params={k: v for k, v in query.items() if v is not None})

    async def post(self, path: str, body: Any) -> Any:
        """Send a POST request and return its JSON."""
        return await self._request("POST", path, json=body)

    async def list_all(self, path: str, **query: Any) -> AsyncIterator[Any]:
        """Yield all items of a list, page by page."""
        cursor: str | None = None
        while True:
            page = await self.get(path, limit=200, cursor=cursor, **query)
            for item in page["items"]:
                yield item
            cursor = page["next"]
            if cursor is None:
                return

    async def sign_in(self, signer: Signer) -> None:
        """Open a session; Refused when the API would have another site's text signed."""
        answer = await self.post("/auth/nonce", {"address": hex_of(signer.address)})
        request = parse_sign_in(answer["message"])
        if (request.uri.rstrip("/"), request.domain) != (self.url, urlsplit(self.url).netloc):
            raise Refused(
                f"{self.url}: wants a sign-in to {request.uri}; nothing was signed, use --api {request.uri}"
            )
        signature = signer.sign(compute_text_digest(answer["message"]))
        session = await self.post(
            "/auth/verify", {"message": answer["message"], "signature": hex_of(signature)}
        )
        self._http.headers["X-CSRF-Token"] = session["csrf"]

    async def _request(self, method: str, path: str, **content: Any) -> Any:
        for _ in range(_TRIES):
            try:
                response = await self._http.request(method, BASE + path, **content)
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                raise Unreachable(
                    f"{self.url}: does not answer ({type(error).__name__}); is an API there?"
                ) from None
            wait = response.headers.get("Retry-After", "")
            if (
                response.status_code != httpx.codes.TOO_MANY_REQUESTS
                or not wait.isdecimal()
                or int(wait) > _LONGEST_PAUSE
            ):
                break
            await asyncio.sleep(int(wait))
        try:
            body = response.json() if response.content else {}
        except ValueError:
            raise Refused(
                f"{self.url}: answers {response.status_code} and no JSON; is an API there?"
            ) from None
        if response.is_success:
            return body
        kind, detail = (str(body.get(name, "")) for name in ("type", "detail"))
        advice = "; without --api your account pays" if kind in ("relay-dry", "relay-off") else ""
        raise Refused(f"{self.url}: {printable(detail)[:500]}{advice} [{printable(kind)[:40]}]")


@asynccontextmanager
async def open_api(url: str) -> AsyncIterator[ApiClient]:
    """Open a client; ConfigError for a text that is no address of an API."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.netloc or parts.path.strip("/"):
        raise ConfigError(f"--api {url[:100]}: expected an address such as http://127.0.0.1:8460")
    base = f"{parts.scheme}://{parts.netloc}"
    try:
        async with httpx.AsyncClient(base_url=base, timeout=_TIMEOUT) as http:
            yield ApiClient(base, http)
    except (LookupError, TypeError, ValueError) as error:
        raise Refused(
            f"{base}: answers otherwise than expected ({printable(repr(error))[:200]}); is it of another release?"
        ) from error


async def read_rules(api: ApiClient, task: TaskId) -> Rules:
    """Return the rules of a task's next round."""
    rules = (await api.get(f"/tasks/{task}"))["rules"]
    action = drafts.read("change_rules", {"task": task, "rules": rules})
    return cast("ChangeRules", action).rules


async def read_deployment(api: ApiClient) -> Deployment:
    """Return the addresses that the API gives of the contracts."""
    network = await api.get("/network")
    addresses = (address_of(network["contracts"][name], name) for name in ADDRESSES)
    return Deployment(int(network["chain_id"]), BlockNumber(0), *addresses)


async def find_proposal(api: ApiClient, digits: str) -> PublishedProposal:
    """Find a proposal by its number or first digits; Refused when actions or text are not those of its number."""
    if not (digits.isdecimal() and len(digits) >= _DIGITS):
        numbers = [int(item["id"]) async for item in api.list_all("/proposals")]
        digits = str(numbers[index_of(numbers, digits)])
    answer = await api.get(f"/proposals/{digits}")
    calls = answer["actions"]
    actions = Actions(
        tuple(address_of(call["target"]) for call in calls),
        tuple(Wei(int(call["value_wei"])) for call in calls),
        tuple(bytes.fromhex(call["calldata"].removeprefix("0x")) for call in calls),
    )
    proposal = PublishedProposal(int(digits), actions, answer["description"])
    if not proposal.is_whole:
        raise Refused(
            f"{api.url}: text or actions are not those of proposal {digits}; ask the chain, without --api"
        )
    return proposal
