"""keccak, ABI encoding, commitments and hashes of results, against eth_abi and eth_utils."""

from dataclasses import astuple, fields

import pytest
from eth_abi.abi import encode as abi_encode
from eth_utils.crypto import keccak
from hypothesis import given
from hypothesis import strategies as st

from dao.core.commits import SignedCommit, compute_commitment, compute_forced_hash
from dao.core.engine.keccak import keccak256
from dao.core.formats.abi import check_uint, encode
from dao.core.statement import compute_result_hash, compute_statement_hash
from dao.core.types import ZERO_DIGEST, Address, Digest, Result, RoundId, Statement, TaskId, Wei
from dao.errors import RuleError

digests = st.binary(min_size=32, max_size=32).map(Digest)
addresses = st.binary(min_size=20, max_size=20).map(Address)
commits = st.builds(
    SignedCommit, st.just(TaskId(1)), st.just(RoundId(1)), digests, addresses, digests, st.just(bytes(65))
)
words = st.integers(0, 2**256 - 1)


@given(st.binary(max_size=500))
def test_keccak256__any_bytes__as_ethereum(data: bytes) -> None:
    assert keccak256(data) == keccak(data)


@given(st.lists(st.one_of(digests, addresses, words)))
def test_encode__static_values__equals_eth_abi(values: list[int | bytes]) -> None:
    types = [
        ("uint256" if v >= 0 else "int256")
        if isinstance(v, int)
        else "address"
        if len(v) == 20
        else "bytes32"
        for v in values
    ]
    shown = ["0x" + v.hex() if isinstance(v, bytes) and len(v) == 20 else v for v in values]
    assert encode(*values) == abi_encode(types, shown)


@pytest.mark.parametrize("value", [-(2**255) - 1, 2**256])
def test_encode__number_outside_a_word__refused(value: int) -> None:
    with pytest.raises(RuleError, match="number: expected"):
        encode(value)


@pytest.mark.parametrize("length", [0, 19, 21, 31, 33, 64])
def test_encode__bytes_of_another_length__refused(length: int) -> None:
    with pytest.raises(RuleError, match=f"got {length}"):
        encode(bytes(length))


def test_uint__outside_its_bits__refused_by_name() -> None:
    assert check_uint(2**32 - 1, 32, "weight") == 2**32 - 1
    with pytest.raises(RuleError, match="weight: expected 0 to 2\\^32"):
        check_uint(2**32, 32, "weight")


@given(digests, digests, digests)
def test_commitment__any_parts__equals_eth_abi(cid: Digest, root: Digest, salt: Digest) -> None:
    assert compute_commitment(cid, root, salt) == keccak(abi_encode(["bytes32"] * 3, [cid, root, salt]))


@given(st.lists(commits, max_size=5), commits)
def test_forced_hash__one_more_commit__continues_the_chain(
    commits: list[SignedCommit], last: SignedCommit
) -> None:
    before = compute_forced_hash(commits)
    expected = keccak(
        abi_encode(["bytes32", "address", "bytes32"], [before, "0x" + last.node.hex(), last.commitment])
    )
    assert compute_forced_hash([*commits, last]) == compute_forced_hash([last], start=before) == expected


def test_forced_hash__none__zero() -> None:
    assert compute_forced_hash([]) == ZERO_DIGEST


@given(st.lists(digests, min_size=7, max_size=7), st.lists(st.integers(0, 2**32 - 1), min_size=4, max_size=4))
def test_result_hash__any_result__equals_eth_abi_of_the_struct(
    roots: list[Digest], counts: list[int]
) -> None:
    result = Result(*roots, *counts[:3], Wei(counts[3]))  # type: ignore[call-arg,arg-type]  # (7 digests, then numbers)
    struct = "(" + ",".join(["bytes32"] * 7 + ["uint32"] * 3 + ["uint128"]) + ")"
    assert len(fields(Result)) == 11
    assert compute_result_hash(result) == keccak(abi_encode([struct], [astuple(result)]))


@given(
    st.lists(digests, min_size=12, max_size=12),
    st.lists(st.integers(-(2**255), 2**255 - 1), min_size=4, max_size=4),
    st.lists(st.integers(0, 2**32 - 1), min_size=3, max_size=3),
)
def test_statement_hash__any_statement__equals_eth_abi_of_the_struct(
    roots: list[Digest], sums: list[int], counts: list[int]
) -> None:
    numbers = abs(sums[0]), sums[1], abs(sums[2]), sums[3], *counts
    statement = Statement(*roots, *numbers)  # type: ignore[arg-type]  # (12 digests, then numbers)
    kinds = ["bytes32"] * 12 + ["uint256", "int256", "uint256", "int256", "uint64", "uint32", "uint32"]
    assert len(fields(Statement)) == len(kinds)
    struct = "(" + ",".join(kinds) + ")"
    assert compute_statement_hash(statement) == keccak(abi_encode([struct], [astuple(statement)]))
