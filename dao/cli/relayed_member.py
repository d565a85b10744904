"""A member that signs and has an API's relayer send; it signs nothing but what it asked for."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from dao.chain.deployment import Deployment
from dao.chain.governance import Support
from dao.chain.signer import Signer
from dao.cli.api_client import BASE, ApiClient, find_proposal, open_api, read_deployment, read_rules
from dao.cli.chain_options import PayingAccount
from dao.cli.dao_member import Outcome, PublishedProposal
from dao.cli.output import printable
from dao.core.types import Address, Rules, TaskId, Wei, hex_of
from dao.errors import Refused, RuleError, Unreachable
from dao.gov import drafts
from dao.gov.action_json import get_kind
from dao.gov.actions import Action, encode_actions
from dao.gov.describe import describe_calls
from dao.gov.drafts import Draft
from dao.gov.schedule import NO_VOTES, VOTED, Times, explain_refusal, is_too_late
from dao.gov.typed_data import compute_digest, hash_actions, is_exactly

LIMIT = 300.0  # seconds until what was relayed is in the chain
_POLL = 0.3  # seconds between reads of a relayed transaction's status


class RelayedMember:
    """A DaoMember whose acts an API relays."""

    def __init__(self, api: ApiClient, deployment: Deployment, signer: Signer) -> None:
        self.account = signer.address
        self.deployment = deployment
        self._api = api
        self._signer = signer
        self._draft_form: dict[str, Any] = {}  # of the last draft

    async def find(self, text: str) -> PublishedProposal:
        """See DaoMember."""
        return await find_proposal(self._api, text)

    async def rules(self, task: TaskId) -> Rules:
        """See DaoMember."""
        return await read_rules(self._api, task)

    async def holds(self, contract: str) -> bool:
        """See DaoMember."""
        account = await self._api.get(f"/accounts/{hex_of(self.account)}")
        return int(account["balance_wei" if contract == "token" else "staked_wei"]) > 0

    async def delegate(self, contract: str, to: Address) -> Outcome:
        """See DaoMember."""
        form = {"account": hex_of(self.account), "contract": contract, "delegatee": hex_of(to)}
        typed = await self._prepare("/prepare/delegate", form)
        verifier: Address = getattr(self.deployment, contract)
        signature = self._sign(typed, "Delegation", verifier, {"delegatee": hex_of(to)})
        message = typed["message"]
        body = {"contract": contract, "delegatee": hex_of(to), "nonce": message["nonce"]}
        return await self._relay(
            "delegate", {**body, "expiry": int(message["expiry"]), "signature": signature}
        )

    async def votes(self, proposal: PublishedProposal) -> Wei:
        """See DaoMember."""
        why = explain_refusal("vote", await self._read_times(proposal))
        voter = await self._api.get(f"/proposals/{proposal.number}/voters/{hex_of(self.account)}")
        votes = Wei(int(voter["weight_wei"]))
        if why is None:
            why = NO_VOTES if not votes else VOTED if voter["vote"] is not None else None
        if why is not None:
            raise RuleError(why)
        return votes

    async def vote(self, proposal: PublishedProposal, support: Support, reason: str) -> Outcome:
        """See DaoMember."""
        voter, number = hex_of(self.account), str(proposal.number)
        form = {"account": voter, "proposal": number, "support": int(support), "reason": reason}
        typed = await self._prepare("/prepare/vote", form)
        values = {"proposalId": number, "support": int(support), "voter": voter}
        values |= {"reason": reason, "params": "0x"} if reason else {}
        kind = "ExtendedBallot" if reason else "Ballot"
        signature = self._sign(typed, kind, self.deployment.governor, values)
        body = {"proposal": number, "support": int(support), "voter": voter, "reason": reason}
        body["nonce"] = typed["message"]["nonce"]
        return await self._relay("vote", {**body, "signature": signature})

    async def draft(self, title: str, text: str, actions: Sequence[Action]) -> Draft:
        """See DaoMember. The words are this program's own."""
        encoded = encode_actions(actions, self.deployment)
        forms = [{"kind": get_kind(action), "fields": drafts.show_fields(action)} for action in actions]
        body = {"title": title, "description": text, "actions": forms}
        warnings = (await self._api.post("/drafts/preview", body))["warnings"]
        words = await describe_calls(encoded, self.deployment, self.rules)
        self._draft_form = body
        return Draft(
            encoded, drafts.write_description(title, text), words, [printable(str(line)) for line in warnings]
        )

    async def propose(self, draft: Draft) -> Outcome:
        """See DaoMember."""
        proposer = hex_of(self.account)
        prepared = await self._api.post("/prepare/propose", {**self._draft_form, "account": proposer})
        typed = prepared["typed_data"][0]
        values = {
            "proposer": proposer,
            "actions": hex_of(hash_actions(draft.actions)),
            "description": draft.description,
        }
        signature = self._sign(typed, "Propose", self.deployment.governor, values)
        body = {
            "proposer": proposer,
            "nonce": typed["message"]["nonce"],
            "targets": [hex_of(target) for target in draft.actions.targets],
            "values": [str(value) for value in draft.actions.values],
            "calldatas": [hex_of(data) for data in draft.actions.calldatas],
            "description": draft.description,
            "deadline": int(typed["message"]["deadline"]),
        }
        return await self._relay("propose", {**body, "signature": signature})

    async def queue(self, proposal: PublishedProposal) -> Outcome:
        """See DaoMember."""
        return await self._relay_in_time("queue", proposal)

    async def execute(self, proposal: PublishedProposal) -> Outcome:
        """See DaoMember."""
        return await self._relay_in_time("execute", proposal)

    async def _relay_in_time(self, act: str, proposal: PublishedProposal) -> Outcome:
        """Have it relayed; RuleError where it is not the time for it."""
        times = await self._read_times(proposal)
        why = explain_refusal(act, times)
        # for a repeated act a relayer answers with the first one's outcome; "too early" may be the index's delay
        if why is not None and is_too_late(act, times.state):
            raise RuleError(why)
        try:
            return await self._relay(act, {"proposal": str(proposal.number)})
        except Refused:
            why = explain_refusal(act, await self._read_times(proposal))
            if why is None:
                raise
            raise RuleError(why) from None

    async def _read_times(self, proposal: PublishedProposal) -> Times:
        answer = await self._api.get(f"/proposals/{proposal.number}")
        now = answer["as_of"]["timestamp"]
        return Times(answer["state"], answer["starts_at"], answer["ends_at"], answer["eta"], now)

    async def _prepare(self, path: str, form: Any) -> Any:
        return (await self._api.post(path, form))["typed_data"][0]

    def _sign(self, typed: Any, kind: str, contract: Address, values: dict[str, Any]) -> str:
        """Sign what was asked for; Refused when the API has prepared anything else."""
        if not is_exactly(typed, kind, self.deployment.chain_id, contract, values):
            raise Refused(f"{self._api.url}: prepared another {kind} than asked for; nothing was signed")
        return hex_of(self._signer.sign(compute_digest(typed)))

    async def _relay(self, what: str, body: Any) -> Outcome:
        """Hand it over, and wait until it is in the chain."""
        job = await self._api.post(f"/relay/{what}", body)
        try:
            async with asyncio.timeout(LIMIT):
                while job["status"] == "pending":
                    await asyncio.sleep(_POLL)
                    job = {**job, **await self._api.get(f"/relay/{job['id']}")}
        except TimeoutError:
            raise Unreachable(
                f"{self._api.url}: not in the chain after {LIMIT:.0f} s; it may come yet: GET {BASE}/relay/{job['id']}"
            ) from None
        if job["status"] != "mined":
            raise Refused(f"{self._api.url}: {printable(str(job['detail']))[:500]} [{job['error'] or what}]")
        return {"transaction": job["tx_hash"], "block": job["block"], "paid_by": self._api.url}


@asynccontextmanager
async def open_relayed_member(
    url: str, expected: Path | None, account: PayingAccount
) -> AsyncIterator[RelayedMember]:
    """Reach an API and sign in; Refused when its contracts are not those of the deployment that is expected."""
    async with open_api(url) as api:
        deployment = await read_deployment(api)
        named = Deployment.load(expected) if expected is not None else deployment
        if named != replace(deployment, block=named.block):
            raise Refused(f"{api.url}: serves other contracts than {expected} names; nothing was signed")
        signer = account.signer(deployment.chain_id)
        await api.sign_in(signer)
        yield RelayedMember(api, deployment, signer)
