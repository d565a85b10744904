"""A member's acts as signatures that an API's relayer sends: nothing is signed but what was asked for."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

import httpx

from dao.chain.deployment import ADDRESSES, Deployment
from dao.chain.governance import Actions, Support
from dao.chain.signer import Signer
from dao.cli.chain_options import Paying
from dao.cli.member import Found, Outcome, plain, words_of
from dao.cli.paid_member import chosen
from dao.core.errors import ConfigError, Refused, RuleError, Unreachable
from dao.core.formats.address import address_of
from dao.core.types import Address, BlockNumber, Rules, TaskId, Wei, hex_of
from dao.gov import drafts
from dao.gov.action_json import kind_of
from dao.gov.actions import Action, ChangeRules, encode_actions
from dao.gov.drafts import Draft
from dao.gov.schedule import NO_VOTES, VOTED, Times, is_over, not_now
from dao.gov.siwe import compute_text_digest, parse_sign_in
from dao.gov.typed_data import compute_digest, hash_actions, is_exactly

BASE = "/api/v1"
LIMIT = 300.0  # seconds until what was relayed is in the chain
_TIMEOUT = 60.0  # of one request
_LOOK = 0.3  # seconds between looks at what became of it
_TRIES, _PAUSE = 5, 10  # where there were too many requests; at most so many seconds between two
_FULL = 70  # digits: as good as a whole number


class Api:
    """An API by HTTP; every error one line."""

    def __init__(self, url: str, http: httpx.AsyncClient) -> None:
        self.url = url
        self._http = http

    async def get(self, path: str, **query: Any) -> Any:
        """Read."""
        return await self._ask("GET", path, params={k: v for k, v in query.items() if v is not None})

    async def post(self, path: str, body: Any) -> Any:
        """Act."""
        return await self._ask("POST", path, json=body)

    async def everything(self, path: str, **query: Any) -> AsyncIterator[Any]:
        """All items of a list, page by page."""
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
        said = await self.post("/auth/nonce", {"address": hex_of(signer.address)})
        wanted = parse_sign_in(said["message"])
        if (wanted.uri.rstrip("/"), wanted.domain) != (self.url, urlsplit(self.url).netloc):
            raise Refused(
                f"{self.url}: wants a sign-in to {wanted.uri}; nothing was signed, use --api {wanted.uri}"
            )
        signature = signer.sign(compute_text_digest(said["message"]))
        session = await self.post(
            "/auth/verify", {"message": said["message"], "signature": hex_of(signature)}
        )
        self._http.headers["X-CSRF-Token"] = session["csrf"]

    async def _ask(self, method: str, path: str, **more: Any) -> Any:
        for _ in range(_TRIES):
            try:
                answer = await self._http.request(method, BASE + path, **more)
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                raise Unreachable(
                    f"{self.url}: does not answer ({type(error).__name__}); is an API there?"
                ) from None
            wait = answer.headers.get("Retry-After", "")
            if (
                answer.status_code != httpx.codes.TOO_MANY_REQUESTS
                or not wait.isdecimal()
                or int(wait) > _PAUSE
            ):
                break
            await asyncio.sleep(int(wait))
        try:
            told = answer.json() if answer.content else {}
        except ValueError:
            raise Refused(f"{self.url}: answers {answer.status_code} and no JSON; is an API there?") from None
        if answer.is_success:
            return told
        kind, detail = (str(told.get(name, "")) for name in ("type", "detail"))
        advice = "; without --api your account pays" if kind in ("relay-dry", "relay-off") else ""
        raise Refused(f"{self.url}: {plain(detail)[:500]}{advice} [{plain(kind)[:40]}]")


class RelayedMember:
    """The way of a relayer."""

    def __init__(self, api: Api, deployment: Deployment, signer: Signer) -> None:
        self.account = signer.address
        self.deployment = deployment
        self._api = api
        self._signer = signer
        self._form: dict[str, Any] = {}  # of the last draft

    async def find(self, text: str) -> Found:
        """See Way."""
        return await find(self._api, text)

    async def rules(self, task: TaskId) -> Rules:
        """See Way."""
        return await rules_of(self._api, task)

    async def holds(self, contract: str) -> bool:
        """See Way."""
        account = await self._api.get(f"/accounts/{hex_of(self.account)}")
        return int(account["balance_wei" if contract == "token" else "staked_wei"]) > 0

    async def delegate(self, contract: str, to: Address) -> Outcome:
        """See Way."""
        form = {"account": hex_of(self.account), "contract": contract, "delegatee": hex_of(to)}
        typed = await self._prepared("/prepare/delegate", form)
        where: Address = getattr(self.deployment, contract)
        signature = self._sign(typed, "Delegation", where, {"delegatee": hex_of(to)})
        said = typed["message"]
        body = {"contract": contract, "delegatee": hex_of(to), "nonce": said["nonce"]}
        return await self._relay("delegate", {**body, "expiry": int(said["expiry"]), "signature": signature})

    async def votes(self, found: Found) -> Wei:
        """See Way."""
        why = not_now("vote", await self._times(found))
        told = await self._api.get(f"/proposals/{found.number}/voters/{hex_of(self.account)}")
        votes = Wei(int(told["weight_wei"]))
        if why is None:
            why = NO_VOTES if not votes else VOTED if told["vote"] is not None else None
        if why is not None:
            raise RuleError(why)
        return votes

    async def vote(self, found: Found, support: Support, reason: str) -> Outcome:
        """See Way."""
        voter, number = hex_of(self.account), str(found.number)
        form = {"account": voter, "proposal": number, "support": int(support), "reason": reason}
        typed = await self._prepared("/prepare/vote", form)
        values = {"proposalId": number, "support": int(support), "voter": voter}
        values |= {"reason": reason, "params": "0x"} if reason else {}
        kind = "ExtendedBallot" if reason else "Ballot"
        signature = self._sign(typed, kind, self.deployment.governor, values)
        body = {"proposal": number, "support": int(support), "voter": voter, "reason": reason}
        body["nonce"] = typed["message"]["nonce"]
        return await self._relay("vote", {**body, "signature": signature})

    async def draft(self, title: str, text: str, actions: Sequence[Action]) -> Draft:
        """See Way. The words are this program's own."""
        encoded = encode_actions(actions, self.deployment)
        forms = [{"kind": kind_of(action), "fields": drafts.show_fields(action)} for action in actions]
        body = {"title": title, "description": text, "actions": forms}
        warnings = (await self._api.post("/drafts/preview", body))["warnings"]
        words = await words_of(encoded, self.deployment, self.rules)
        self._form = body
        return Draft(
            encoded, drafts.write_description(title, text), words, [plain(str(line)) for line in warnings]
        )

    async def propose(self, draft: Draft) -> Outcome:
        """See Way."""
        proposer = hex_of(self.account)
        told = await self._api.post("/prepare/propose", {**self._form, "account": proposer})
        values = {
            "proposer": proposer,
            "actions": hex_of(hash_actions(draft.actions)),
            "description": draft.description,
        }
        signature = self._sign(told["typed_data"][0], "Propose", self.deployment.governor, values)
        body = {
            "proposer": proposer,
            "nonce": told["typed_data"][0]["message"]["nonce"],
            "targets": [hex_of(target) for target in draft.actions.targets],
            "values": [str(value) for value in draft.actions.values],
            "calldatas": [hex_of(data) for data in draft.actions.calldatas],
            "description": draft.description,
            "deadline": int(told["typed_data"][0]["message"]["deadline"]),
        }
        return await self._relay("propose", {**body, "signature": signature})

    async def queue(self, found: Found) -> Outcome:
        """See Way."""
        return await self._at_its_time("queue", found)

    async def execute(self, found: Found) -> Outcome:
        """See Way."""
        return await self._at_its_time("execute", found)

    async def _at_its_time(self, act: str, found: Found) -> Outcome:
        """Have it relayed; RuleError where it is not the time for it."""
        times = await self._times(found)
        why = not_now(act, times)
        # a relayer answers what it has done before with that; too early may be over by the time the index tells of
        if why is not None and is_over(act, times.state):
            raise RuleError(why)
        try:
            return await self._relay(act, {"proposal": str(found.number)})
        except Refused:
            why = not_now(act, await self._times(found))
            if why is None:
                raise
            raise RuleError(why) from None

    async def _times(self, found: Found) -> Times:
        told = await self._api.get(f"/proposals/{found.number}")
        now = told["as_of"]["timestamp"]
        return Times(told["state"], told["starts_at"], told["ends_at"], told["eta"], now)

    async def _prepared(self, path: str, form: Any) -> Any:
        return (await self._api.post(path, form))["typed_data"][0]

    def _sign(self, typed: Any, kind: str, contract: Address, values: dict[str, Any]) -> str:
        """Sign what was asked for; Refused when the API has prepared anything else."""
        if not is_exactly(typed, kind, self.deployment.chain_id, contract, values):
            raise Refused(f"{self._api.url}: prepared another {kind} than asked for; nothing was signed")
        return hex_of(self._signer.sign(compute_digest(typed)))

    async def _relay(self, what: str, body: Any) -> Outcome:
        """Hand it over, and wait until it is in the chain."""
        told = await self._api.post(f"/relay/{what}", body)
        try:
            async with asyncio.timeout(LIMIT):
                while told["status"] == "pending":
                    await asyncio.sleep(_LOOK)
                    told = {**told, **await self._api.get(f"/relay/{told['id']}")}
        except TimeoutError:
            raise Unreachable(
                f"{self._api.url}: not in the chain after {LIMIT:.0f} s; it may come yet: GET {BASE}/relay/{told['id']}"
            ) from None
        if told["status"] != "mined":
            raise Refused(f"{self._api.url}: {plain(str(told['detail']))[:500]} [{told['error'] or what}]")
        return {"transaction": told["tx_hash"], "block": told["block"], "paid_by": self._api.url}


@asynccontextmanager
async def reading(url: str) -> AsyncIterator[Api]:
    """Reach an API; ConfigError for what is no address of one."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.netloc or parts.path.strip("/"):
        raise ConfigError(f"--api {url[:100]}: expected an address such as http://127.0.0.1:8460")
    base = f"{parts.scheme}://{parts.netloc}"
    try:
        async with httpx.AsyncClient(base_url=base, timeout=_TIMEOUT) as http:
            yield Api(base, http)
    except (LookupError, TypeError, ValueError) as error:
        raise Refused(
            f"{base}: answers otherwise than expected ({plain(repr(error))[:200]}); is it of another release?"
        ) from error


@asynccontextmanager
async def relayed(url: str, expected: Path | None, account: Paying) -> AsyncIterator[RelayedMember]:
    """Reach an API and sign in; Refused when its contracts are not those of the deployment that is expected."""
    async with reading(url) as api:
        deployment = deployment_of(await api.get("/network"))
        known = Deployment.load(expected) if expected is not None else deployment
        if known != replace(deployment, block=known.block):
            raise Refused(f"{api.url}: serves other contracts than {expected} names; nothing was signed")
        signer = account.signer(deployment.chain_id)
        await api.sign_in(signer)
        yield RelayedMember(api, deployment, signer)


async def rules_of(api: Api, task: TaskId) -> Rules:
    """The rules of a task's next round."""
    told = (await api.get(f"/tasks/{task}"))["rules"]
    action = drafts.read("change_rules", {"task": task, "rules": told})
    return cast("ChangeRules", action).rules


async def find(api: Api, text: str) -> Found:
    """A proposal that an API has, by its number or first digits; Refused when it is not the one of that number."""
    if not (text.isdecimal() and len(text) >= _FULL):
        numbers = [int(item["id"]) async for item in api.everything("/proposals")]
        text = str(numbers[chosen(numbers, text)])
    return found_in(api, int(text), await api.get(f"/proposals/{text}"))


def found_in(api: Api, number: int, told: Any) -> Found:
    """What an API says that a proposal does, which its number proves."""
    calls = told["actions"]
    actions = Actions(
        tuple(address_of(call["target"]) for call in calls),
        tuple(Wei(int(call["value_wei"])) for call in calls),
        tuple(_bytes(call["calldata"]) for call in calls),
    )
    found = Found(number, actions, told["description"])
    if not found.is_whole:
        raise Refused(
            f"{api.url}: text or actions are not those of proposal {number}; ask the chain, without --api"
        )
    return found


def deployment_of(network: Any) -> Deployment:
    """Where an API says that the contracts are."""
    where = (address_of(network["contracts"][name], name) for name in ADDRESSES)
    return Deployment(int(network["chain_id"]), BlockNumber(0), *where)


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))
