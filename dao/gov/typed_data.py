"""What members sign so that others can send it: delegations, ballots and proposals as typed data (EIP-712)."""

from typing import Any

from dao.chain.client import Chain
from dao.chain.governance import Actions, Support
from dao.chain.interface import encode, load
from dao.chain.signer import recover
from dao.core.engine.keccak import keccak256
from dao.core.types import Address, Digest, hex_of
from dao.errors import BadSignature, DecodeError

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


class TypedDataBuilder:
    """Builds the messages of one network's contracts."""

    def __init__(self, chain: Chain) -> None:
        self._chain = chain
        self._names: dict[Address, tuple[str, str]] = {}

    async def build_delegation(self, contract: Address, delegatee: Address, nonce: int, expiry: int) -> Typed:
        """Build the delegation of an account's votes at token or registry; `expiry` in Unix seconds."""
        values = {"delegatee": hex_of(delegatee), "nonce": str(nonce), "expiry": str(expiry)}
        return await self._build("Delegation", contract, "DaoToken", values)

    async def build_ballot(
        self, proposal: int, support: Support, voter: Address, nonce: int, reason: str
    ) -> Typed:
        """Build a vote: a Ballot, or an ExtendedBallot where there is a reason."""
        values = {
            "proposalId": str(proposal),
            "support": int(support),
            "voter": hex_of(voter),
            "nonce": str(nonce),
        }
        kind = "ExtendedBallot" if reason else "Ballot"
        values |= {"reason": reason, "params": "0x"} if reason else {}
        return await self._build(kind, self._chain.deployment.governor, "DaoGovernor", values)

    async def build_proposal(
        self, proposer: Address, actions: Actions, description: str, nonce: int, deadline: int
    ) -> Typed:
        """Build a proposal, whose actions stand in it by their hash; `deadline` in Unix seconds."""
        values = {
            "proposer": hex_of(proposer),
            "actions": hex_of(hash_actions(actions)),
            "description": description,
            "nonce": str(nonce),
            "deadline": str(deadline),
        }
        return await self._build("Propose", self._chain.deployment.governor, "DaoGovernor", values)

    async def _build(self, kind: str, contract: Address, interface: str, values: Typed) -> Typed:
        """Build a message; its domain is read from the contract (ERC-5267)."""
        if contract not in self._names:
            function = load(interface).functions["eip712Domain"]
            domain = await self._chain.call(contract, function, at=self._chain.head())
            self._names[contract] = (domain[1], domain[2])
        name, version = self._names[contract]
        return {
            "types": _list_types(kind),
            "primaryType": kind,
            "domain": {
                "name": name,
                "version": version,
                "chainId": self._chain.chain_id,
                "verifyingContract": hex_of(contract),
            },
            "message": values,
        }


def compute_digest(typed: Typed) -> Digest:
    """Compute the digest that is signed for a message (EIP-712)."""
    from eth_account.messages import encode_typed_data

    signable = encode_typed_data(full_message=_parse_numbers(typed))
    return keccak256(b"\x19" + signable.version + signable.header + signable.body)


def is_exactly(typed: Typed, kind: str, chain_id: int, contract: Address, values: Typed) -> bool:
    """Whether a message that another party prepared has these values and no others, but for its nonce and its end."""
    try:
        domain, message = typed["domain"], typed["message"]
        place = int(domain["chainId"]), domain["verifyingContract"].lower()
        names = {name for name, _ in _TYPES[kind]}
        stated = {name: value for name, value in message.items() if name in values}
        return (
            typed["primaryType"] == kind
            and typed["types"] == _list_types(kind)
            and set(domain) == {field["name"] for field in _DOMAIN}
            and place == (chain_id, hex_of(contract))
            and set(message) == names
            and stated == values
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        return False


def check_signature(typed: Typed, signature: bytes, signer: Address) -> None:
    """Raise BadSignature unless a signature is the signer's over this message: it is forged, or of another message."""
    try:
        recovered = recover(compute_digest(typed), signature)
    except DecodeError as error:
        raise BadSignature(str(error)) from None
    if recovered != signer:
        raise BadSignature(
            f"signature: expected {hex_of(signer)}'s over this very {typed['primaryType']}, with nonce "
            f"{typed['message']['nonce']}"
        )


def hash_actions(actions: Actions) -> Digest:
    """Hash the actions, as a signed proposal has them."""
    types = ("address[]", "uint256[]", "bytes[]")
    return keccak256(encode(types, (actions.targets, actions.values, actions.calldatas), "actions"))


def _list_types(kind: str) -> dict[str, list[dict[str, str]]]:
    return {
        "EIP712Domain": _DOMAIN,
        kind: [{"name": field, "type": type_} for field, type_ in _TYPES[kind]],
    }


def _parse_numbers(typed: Typed) -> Typed:
    """Parse the numbers of a message, as eth_account expects them."""
    kinds = dict(_TYPES[typed["primaryType"]])
    message = {
        name: int(value) if kinds[name].startswith("uint") else value
        for name, value in typed["message"].items()
    }
    return {**typed, "message": message}
