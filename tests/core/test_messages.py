"""Signed messages, against eth_account's encoder of typed data."""

from typing import Any

import pytest
from eth_account.messages import encode_typed_data
from eth_utils.crypto import keccak
from hypothesis import given
from hypothesis import strategies as st

from dao.core.formats import signed_messages
from dao.core.types import Address, Digest, Domain, RoundId, TaskId, Timestamp
from dao.errors import RuleError

digests = st.binary(min_size=32, max_size=32).map(Digest)
addresses = st.binary(min_size=20, max_size=20).map(Address)
uint64s = st.integers(0, 2**64 - 1)
domains = st.builds(Domain, st.integers(1, 2**63), addresses)


def signed_hash(kind: str, domain: Domain, values: signed_messages.Values) -> bytes:
    message = encode_typed_data(full_message=signed_messages.build_typed_data(kind, domain, values))
    return keccak(b"\x19" + message.version + message.header + message.body)


@pytest.mark.parametrize("kind", ["Commit", "Receipt"])
@given(domain=domains, task=uint64s, round_=uint64s, opening=digests, node=addresses, commitment=digests)
def test_commit_and_receipt__any_values__equal_eth_account(
    kind: str, domain: Domain, task: int, round_: int, opening: Digest, node: Address, commitment: Digest
) -> None:
    compute = {
        "Commit": signed_messages.compute_commit_digest,
        "Receipt": signed_messages.compute_receipt_digest,
    }[kind]
    values: signed_messages.Values = {
        "task": task,
        "round": round_,
        "opening": opening,
        "node": node,
        "commitment": commitment,
    }
    digest = compute(domain, TaskId(task), RoundId(round_), opening, node, commitment)
    assert digest == signed_messages.compute_digest(kind, domain, values) == signed_hash(kind, domain, values)


@given(domains, uint64s, uint64s, digests, addresses)
def test_pass__any_values__equal_eth_account(
    domain: Domain, task: int, round_: int, opening: Digest, node: Address
) -> None:
    values: signed_messages.Values = {"task": task, "round": round_, "opening": opening, "node": node}
    digest = signed_messages.compute_pass_digest(domain, TaskId(task), RoundId(round_), opening, node)
    assert digest == signed_hash("Pass", domain, values)


@given(domains, st.text(), digests, digests, uint64s)
def test_request__any_values__equal_eth_account(
    domain: Domain, method: str, body_hash: Digest, nonce: Digest, expiry: int
) -> None:
    values: signed_messages.Values = {
        "method": method,
        "bodyHash": body_hash,
        "nonce": nonce,
        "expiry": expiry,
    }
    digest = signed_messages.compute_request_digest(domain, method, body_hash, nonce, Timestamp(expiry))
    assert digest == signed_hash("Request", domain, values)


@given(st.integers(1, 2**63), addresses, addresses, addresses)
def test_operator__any_values__equal_eth_account(
    chain_id: int, registry: Address, owner: Address, operator: Address
) -> None:
    values: signed_messages.Values = {"owner": owner, "operator": operator}
    digest = signed_messages.compute_operator_digest(chain_id, registry, owner, operator)
    assert digest == signed_hash("Operator", Domain(chain_id, registry), values)


NODE, OTHER = Address(b"\x01" * 20), Address(b"\x02" * 20)
COMMITMENT = Digest(b"\x03" * 32)


OPENING = Digest(b"\x05" * 32)
COMMIT = (Domain(1, NODE), TaskId(1), RoundId(1), OPENING, NODE, COMMITMENT)


def test_commit__one_axis_changed__another_digest() -> None:
    others = (
        *((0, Domain(2, NODE)), (0, Domain(1, OTHER)), (1, TaskId(2)), (2, RoundId(2))),
        *((3, Digest(b"\x06" * 32)), (4, OTHER), (5, Digest(b"\x04" * 32))),
    )
    digests = {
        signed_messages.compute_commit_digest(*COMMIT),
        signed_messages.compute_receipt_digest(*COMMIT),
    }
    digests.add(signed_messages.compute_pass_digest(*COMMIT[:-1]))
    for axis, other in others:
        changed: Any = [*COMMIT[:axis], other, *COMMIT[axis + 1 :]]
        digests.add(signed_messages.compute_commit_digest(*changed))
    assert len(digests) == 3 + len(others)


@pytest.mark.parametrize("task", [-1, 2**64])
def test_commit__task_outside_uint64__refused_by_name(task: int) -> None:
    with pytest.raises(RuleError, match=r"Commit\.task: expected 0 to 2\^64"):
        signed_messages.compute_commit_digest(COMMIT[0], TaskId(task), *COMMIT[2:])
