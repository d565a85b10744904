"""An API that would have something else signed than what was asked for: nothing is signed, and it is said."""

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from bench.synthetic_events import NETWORK, address
from dao.chain.governance import Actions, Support
from dao.chain.signer import Signer
from dao.cli.api_client import ApiClient
from dao.cli.dao_member import PublishedProposal
from dao.cli.relayed_member import RelayedMember
from dao.core.types import Wei, hex_of
from dao.errors import Refused, Unreachable
from dao.gov.actions import compute_proposal_id
from dao.gov.typed_data import _list_types

URL = "https://dao.example"
SIGNER = Signer.ephemeral()
ACTIONS = Actions((NETWORK.token,), (Wei(0),), (b"\1\2\3\4",))
PROPOSAL = PublishedProposal(compute_proposal_id(ACTIONS, "# Title"), ACTIONS, "# Title")
ME = hex_of(SIGNER.address)


def ballot() -> Any:
    return {
        "types": _list_types("Ballot"),
        "primaryType": "Ballot",
        "domain": {
            "name": "DaoGovernor",
            "version": "1",
            "chainId": NETWORK.chain_id,
            "verifyingContract": hex_of(NETWORK.governor),
        },
        "message": {"proposalId": str(PROPOSAL.number), "support": 1, "voter": ME, "nonce": "0"},
    }


class Answers:
    """An API that answers what it is told to, and remembers what it was sent."""

    def __init__(self, **answers: Any) -> None:
        self.answers = {f"/api/v1/{path.replace('__', '/')}": answer for path, answer in answers.items()}
        self.sent: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.sent.append(request.url.path)
        answer = self.answers[request.url.path]
        return answer if isinstance(answer, httpx.Response) else httpx.Response(200, json=answer)

    def member(self) -> RelayedMember:
        http = httpx.AsyncClient(base_url=URL, transport=httpx.MockTransport(self))
        return RelayedMember(ApiClient(URL, http), NETWORK, SIGNER)


CHANGES: dict[str, Callable[[Any], object]] = {
    "against": lambda typed: typed["message"].update(support=0),
    "another proposal": lambda typed: typed["message"].update(proposalId="7"),
    "another voter": lambda typed: typed["message"].update(voter="0x" + "11" * 20),
    "another chain": lambda typed: typed["domain"].update(chainId=1),
    "another contract": lambda typed: typed["domain"].update(verifyingContract=hex_of(address("x"))),
    "another kind": lambda typed: typed.update(primaryType="Delegation"),
    "other types": lambda typed: typed["types"]["Ballot"].append({"name": "more", "type": "uint256"}),
    "one field more": lambda typed: typed["message"].update(more="1"),
    "a domain with a salt": lambda typed: typed["domain"].update(salt="0x"),
    "no message": lambda typed: typed.pop("message"),
}


@pytest.mark.parametrize("name", CHANGES)
async def test_vote__api_prepares_something_else__nothing_is_signed(name: str) -> None:
    typed = json.loads(json.dumps(ballot()))
    CHANGES[name](typed)
    api = Answers(prepare__vote={"typed_data": [typed]})
    with pytest.raises(Refused, match="another Ballot than asked for; nothing was signed"):
        await api.member().vote(PROPOSAL, Support.FOR, "")
    assert api.sent == ["/api/v1/prepare/vote"]


async def test_vote__what_was_asked_for__relayed_and_awaited() -> None:
    mined = {"id": "0x1", "status": "mined", "tx_hash": "0x2", "block": 3, "detail": "", "error": None}
    api = Answers(prepare__vote={"typed_data": [ballot()]}, relay__vote=mined)
    did = await api.member().vote(PROPOSAL, Support.FOR, "")
    assert did == {"transaction": "0x2", "block": 3, "paid_by": URL}


async def test_find__content_of_another_number__refused() -> None:
    call = {"target": hex_of(NETWORK.token), "value_wei": "0", "calldata": "0x01020304"}
    number = str(PROPOSAL.number)
    api = Answers(**{f"proposals__{number}": {"description": "# Title", "actions": [call]}})
    assert await api.member().find(number) == PROPOSAL
    api = Answers(**{f"proposals__{number}": {"description": "# Other", "actions": [call]}})
    with pytest.raises(Refused, match="not those of proposal"):
        await api.member().find(number)


@pytest.mark.parametrize(
    ("uri", "domain"),
    [("https://evil.example", "evil.example"), (URL, "evil.example"), (f"{URL}:1", "dao.example")],
)
async def test_sign_in__text_of_another_site__nothing_is_signed(uri: str, domain: str) -> None:
    from dao.gov.siwe import SignIn

    text = SignIn(domain, SIGNER.address, "Sign in.", uri, 1, 31337, "a" * 16, 0, 600).dump()
    api = Answers(auth__nonce={"message": text})
    with pytest.raises(Refused, match="nothing was signed"):
        await api.member()._api.sign_in(SIGNER)
    assert api.sent == ["/api/v1/auth/nonce"]


async def test_errors__of_the_api__one_line_that_says_what_to_do() -> None:
    problem = {"type": "relay-dry", "detail": "the budget \x1b[31mis used\nup"}
    times = {"starts_at": 0, "ends_at": 1, "eta": None}
    told = {"state": "succeeded", **times, "as_of": {"timestamp": 1}}
    shown = {f"proposals__{PROPOSAL.number}": told}
    api = Answers(relay__queue=httpx.Response(503, json=problem), **shown)
    with pytest.raises(Refused) as caught:
        await api.member().queue(PROPOSAL)
    assert str(caught.value) == (
        f"{URL}: the budget [31mis used up; without --api your account pays [relay-dry]"
    )
    for answer in (httpx.Response(200, text="<html>"), httpx.Response(502, text="")):
        api = Answers(relay__queue=answer, **shown)
        with pytest.raises((Refused, Unreachable)) as either:
            await api.member().queue(PROPOSAL)
        assert "\n" not in str(either.value)
