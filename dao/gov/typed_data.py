"""What members sign so that others can send it (EIP-712), and whether what they signed would count."""

from collections.abc import Sequence
from typing import Any

from dao.api.http.problems import Problem
from dao.chain.client import Chain
from dao.chain.contracts import Registry, Token
from dao.chain.governance import Actions, Governor, Support, VotingPower
from dao.chain.interface import encode, load
from dao.chain.signer import recover
from dao.core.errors import DecodeError, Reverted
from dao.core.keccak import keccak256
from dao.core.types import ZERO_ADDRESS, Address, Digest, Timestamp, Wei, hex_of
from dao.gov.schedule import NO_VOTES, VOTED, explain_refusal, read_times
from dao.gov.units import format_tokens

Typed = dict[str, Any]  # as eth_signTypedData_v4 takes it

_DOMAIN = [
    {"name": "name", "type": "string"},
    {"name": "version", "type": "string"},
    {"name": "chainId", "type": "uint256"},
    {"name": "verifyingContract", "type": "address"},
]
_TYPES = {
    "Delegation": (("delegatee", "address"), ("nonce", "uint256"), ("expiry", "uint256")),
    "Ballot": (
        ("proposalId", "uint256"),
        ("support", "uint8"),
        ("voter", "address"),
        ("nonce", "uint256"),
    ),
    "ExtendedBallot": (
        ("proposalId", "uint256"),
        ("support", "uint8"),
        ("voter", "address"),
        ("nonce", "uint256"),
        ("reason", "string"),
        ("params", "bytes"),
    ),
    "Propose": (
        ("proposer", "address"),
        ("actions", "bytes32"),
        ("description", "string"),
        ("nonce", "uint256"),
        ("deadline", "uint256"),
    ),
}


class Signing:
    """The messages of one network's contracts."""

    def __init__(self, chain: Chain) -> None:
        self._chain = chain
        self._names: dict[Address, tuple[str, str]] = {}

    async def delegation(self, contract: Address, delegatee: Address, nonce: int, expiry: int) -> Typed:
        """Delegate the votes at token or registry."""
        values = {"delegatee": hex_of(delegatee), "nonce": str(nonce), "expiry": str(expiry)}
        return await self._typed("Delegation", contract, "DaoToken", values)

    async def ballot(self, proposal: int, support: Support, voter: Address, nonce: int, reason: str) -> Typed:
        """Vote; with a reason it is another message."""
        values = {
            "proposalId": str(proposal),
            "support": int(support),
            "voter": hex_of(voter),
            "nonce": str(nonce),
        }
        kind = "ExtendedBallot" if reason else "Ballot"
        values |= {"reason": reason, "params": "0x"} if reason else {}
        return await self._typed(kind, self._chain.deployment.governor, "DaoGovernor", values)

    async def proposal(
        self, proposer: Address, actions: Actions, description: str, nonce: int, deadline: int
    ) -> Typed:
        """Propose; the actions stand in it by their hash."""
        values = {
            "proposer": hex_of(proposer),
            "actions": hex_of(actions_hash(actions)),
            "description": description,
            "nonce": str(nonce),
            "deadline": str(deadline),
        }
        return await self._typed("Propose", self._chain.deployment.governor, "DaoGovernor", values)

    async def _typed(self, kind: str, contract: Address, interface: str, values: Typed) -> Typed:
        """Write a message; the domain is what the contract itself says of it (ERC-5267)."""
        if contract not in self._names:
            function = load(interface).functions["eip712Domain"]
            found = await self._chain.call(contract, function, at=self._chain.head())
            self._names[contract] = (found[1], found[2])
        name, version = self._names[contract]
        return {
            "types": _types(kind),
            "primaryType": kind,
            "domain": {
                "name": name,
                "version": version,
                "chainId": self._chain.chain_id,
                "verifyingContract": hex_of(contract),
            },
            "message": values,
        }


def digest_of(typed: Typed) -> Digest:
    """What is signed for a message."""
    from eth_account.messages import encode_typed_data

    signable = encode_typed_data(full_message=_numbers(typed))
    return keccak256(b"\x19" + signable.version + signable.header + signable.body)


def is_of(typed: Typed, kind: str, chain_id: int, contract: Address, values: Typed) -> bool:
    """Whether a message that someone else prepared says this and nothing else, but for its nonce and how long it holds."""
    try:
        domain, message = typed["domain"], typed["message"]
        where = int(domain["chainId"]), domain["verifyingContract"].lower()
        names = {name for name, _ in _TYPES[kind]}
        said = {name: value for name, value in message.items() if name in values}
        return (
            typed["primaryType"] == kind
            and typed["types"] == _types(kind)
            and set(domain) == {field["name"] for field in _DOMAIN}
            and where == (chain_id, hex_of(contract))
            and set(message) == names
            and said == values
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        return False


def which(messages: Sequence[Typed], signature: bytes, signer: Address) -> int:
    """The index of the message that a signature is of; Problem 422 where it is of none: forged, or for another nonce."""
    for index, typed in enumerate(messages):
        try:
            if recover(digest_of(typed), signature) == signer:
                return index
        except DecodeError as error:
            raise Problem(422, "bad-signature", str(error)) from None
    raise Problem(
        422,
        "bad-signature",
        f"signature: expected {hex_of(signer)}'s over this very {messages[0]['primaryType']}, with the next nonce",
    )


def actions_hash(actions: Actions) -> Digest:
    """What stands for the actions in a signed proposal."""
    types = ("address[]", "uint256[]", "bytes[]")
    return keccak256(encode(types, (actions.targets, actions.values, actions.calldatas), "actions"))


async def check_tokens(chain: Chain, contract: str, account: Address) -> None:
    """Problem 403 where an account has no votes to delegate: the relayer pays for nobody who has nothing."""
    if contract == "token":
        has = await Token(chain).balance_of(account, chain.head()) > 0
    else:
        has = await Registry(chain).delegate_of(account, chain.head()) != ZERO_ADDRESS
    if not has:
        raise Problem(
            403, "no-votes", f"{hex_of(account)}: has no tokens at the {contract}, so no votes there"
        )


async def check_votes(chain: Chain, proposal: int, voter: Address) -> None:
    """Problem where a vote would not count: 404 no such proposal, 409 not the time or voted already, 403 no votes."""
    governor, at = Governor(chain), chain.head()
    try:
        times = await read_times(chain, proposal)
    except Reverted as error:
        raise Problem(404, "not-found", "there is no such proposal", error=error.error) from None
    why = explain_refusal("vote", times)
    if why is not None:
        raise Problem(409, "not-active", why)
    if await governor.has_voted(proposal, voter, at):
        raise Problem(409, "voted", VOTED)
    if await VotingPower(chain).past_votes_of(voter, Timestamp(times.starts_at), at) == 0:
        raise Problem(403, "no-votes", NO_VOTES)


async def check_threshold(chain: Chain, proposer: Address) -> None:
    """Problem 403 where an account has too few votes to propose, or none."""
    at = chain.head()
    needed = max(1, await Governor(chain).threshold(at))
    votes = await VotingPower(chain).past_votes_of(proposer, Timestamp(at.timestamp - 1), at)
    if votes < needed:
        has = (
            f"a proposal needs {format_tokens(Wei(needed))} of votes, this account has {format_tokens(votes)}"
        )
        raise Problem(403, "no-votes", f"{has}; votes count once they are delegated, to oneself or another")


def _types(kind: str) -> dict[str, list[dict[str, str]]]:
    return {
        "EIP712Domain": _DOMAIN,
        kind: [{"name": field, "type": type_} for field, type_ in _TYPES[kind]],
    }


def _numbers(typed: Typed) -> Typed:
    """The message with its numbers as numbers, which the library wants."""
    kinds = dict(_TYPES[typed["primaryType"]])
    message = {
        name: int(value) if kinds[name].startswith("uint") else value
        for name, value in typed["message"].items()
    }
    return {**typed, "message": message}
