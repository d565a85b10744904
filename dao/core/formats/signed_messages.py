"""The messages that are signed, as EIP-712 digests (for our keys) and typed data (for wallets)."""

from collections.abc import Mapping
from functools import cache

from dao.core.constants import DOMAIN_NAME, DOMAIN_VERSION
from dao.core.engine.keccak import keccak256
from dao.core.formats.abi import check_uint, encode
from dao.core.types import Address, Digest, Domain, RoundId, TaskId, Timestamp, hex_of

Values = Mapping[str, int | bytes | str]

DOMAIN_TYPE = (
    ("name", "string"),
    ("version", "string"),
    ("chainId", "uint256"),
    ("verifyingContract", "address"),
)
_OPENING = (("task", "uint64"), ("round", "uint64"), ("opening", "bytes32"))
TYPES: Mapping[str, tuple[tuple[str, str], ...]] = {
    "Commit": (*_OPENING, ("node", "address"), ("commitment", "bytes32")),
    "Pass": (*_OPENING, ("node", "address")),
    "Receipt": (*_OPENING, ("node", "address"), ("commitment", "bytes32")),
    "Revealed": (*_OPENING, ("node", "address"), ("commitment", "bytes32"), ("bodyRoot", "bytes32")),
    "Request": (("method", "string"), ("bodyHash", "bytes32"), ("nonce", "bytes32"), ("expiry", "uint64")),
    "Operator": (("owner", "address"), ("operator", "address")),
}


def compute_commit_digest(
    domain: Domain, task: TaskId, round_id: RoundId, opening: Digest, node: Address, commitment: Digest
) -> Digest:
    """What an operator signs to commit."""
    return _compute_round_digest("Commit", domain, task, round_id, opening, node, commitment)


def compute_pass_digest(
    domain: Domain, task: TaskId, round_id: RoundId, opening: Digest, node: Address
) -> Digest:
    """What an operator signs to sit a round out."""
    return compute_digest("Pass", domain, {"task": task, "round": round_id, "opening": opening, "node": node})


def compute_receipt_digest(
    domain: Domain, task: TaskId, round_id: RoundId, opening: Digest, node: Address, commitment: Digest
) -> Digest:
    """What a Superlink signs when it has taken a commit."""
    return _compute_round_digest("Receipt", domain, task, round_id, opening, node, commitment)


def compute_revealed_digest(
    domain: Domain,
    task: TaskId,
    round_id: RoundId,
    opening: Digest,
    node: Address,
    commitment: Digest,
    body_root: Digest,
) -> Digest:
    """What a Superlink signs when it has the update that a commit is of, whole and valid."""
    values: Values = {
        "task": task,
        "round": round_id,
        "opening": opening,
        "node": node,
        "commitment": commitment,
        "bodyRoot": body_root,
    }
    return compute_digest("Revealed", domain, values)


def _compute_round_digest(
    kind: str,
    domain: Domain,
    task: TaskId,
    round_id: RoundId,
    opening: Digest,
    node: Address,
    commitment: Digest,
) -> Digest:
    values: Values = {
        "task": task,
        "round": round_id,
        "opening": opening,
        "node": node,
        "commitment": commitment,
    }
    return compute_digest(kind, domain, values)


def compute_request_digest(
    domain: Domain, method: str, body_hash: Digest, nonce: Digest, expiry: Timestamp
) -> Digest:
    """What an operator signs with every call: `body_hash` = sha256 of the body, `expiry` in Unix seconds."""
    return compute_digest(
        "Request", domain, {"method": method, "bodyHash": body_hash, "nonce": nonce, "expiry": expiry}
    )


def compute_operator_digest(chain_id: int, registry: Address, owner: Address, operator: Address) -> Digest:
    """What an operator signs to serve an owner, in the registry's domain."""
    return compute_digest("Operator", Domain(chain_id, registry), {"owner": owner, "operator": operator})


def compute_digest(kind: str, domain: Domain, values: Values) -> Digest:
    """Compute keccak256(0x1901, domain separator, struct hash) (EIP-712); RuleError for a value out of range."""
    words = [_encoded(kind, name, type_, values[name]) for name, type_ in TYPES[kind]]
    struct = keccak256(_type_hash(kind, TYPES[kind]) + encode(*words))
    return keccak256(b"\x19\x01" + _separator(domain) + struct)


def build_typed_data(kind: str, domain: Domain, values: Values) -> dict[str, object]:
    """Write a message as `eth_signTypedData_v4` takes it; `digest` of the same arguments is what is signed."""
    return {
        "types": {
            "EIP712Domain": [{"name": name, "type": type_} for name, type_ in DOMAIN_TYPE],
            kind: [{"name": name, "type": type_} for name, type_ in TYPES[kind]],
        },
        "primaryType": kind,
        "domain": {
            "name": DOMAIN_NAME,
            "version": DOMAIN_VERSION,
            "chainId": domain.chain_id,
            "verifyingContract": hex_of(domain.coordinator),
        },
        "message": {name: _shown(values[name]) for name, _ in TYPES[kind]},
    }


def _shown(value: int | bytes | str) -> int | str:
    return hex_of(value) if isinstance(value, bytes) else value


def _encoded(kind: str, name: str, type_: str, value: int | bytes | str) -> int | bytes:
    if isinstance(value, str):
        return keccak256(value.encode())
    return check_uint(value, int(type_[4:]), f"{kind}.{name}") if isinstance(value, int) else value


@cache
def _type_hash(kind: str, fields: tuple[tuple[str, str], ...]) -> Digest:
    members = ",".join(f"{type_} {name}" for name, type_ in fields)
    return keccak256(f"{kind}({members})".encode())


@cache
def _separator(domain: Domain) -> Digest:
    names = keccak256(DOMAIN_NAME.encode()), keccak256(DOMAIN_VERSION.encode())
    return keccak256(
        encode(_type_hash("EIP712Domain", DOMAIN_TYPE), *names, domain.chain_id, domain.coordinator)
    )
