"""The reward tree, against a re-implementation of OpenZeppelin's MerkleProof and against eth_abi."""

from collections.abc import Sequence
from random import Random

import pytest
from eth_abi.abi import encode as abi_encode
from eth_utils.crypto import keccak
from hypothesis import given
from hypothesis import strategies as st

from dao.core.formats.reward_tree import RewardTree, compute_reward_leaf, compute_reward_root
from dao.core.types import ZERO_DIGEST, Address, Digest, TaskId, Wei
from dao.errors import RuleError

addresses = st.binary(min_size=20, max_size=20).map(Address)
amounts = st.dictionaries(addresses, st.integers(1, 2**128 - 1).map(Wei), min_size=1, max_size=40)
DISTRIBUTOR, TASK, CHAIN = Address(b"\x0d" * 20), TaskId(3), 31337


def openzeppelin_verify(proof: Sequence[bytes], root: bytes, leaf: bytes) -> bool:
    """MerkleProof.verify with Hashes.commutativeKeccak256."""
    for sibling in proof:
        pair = (
            (leaf, sibling)
            if int.from_bytes(leaf, "big") < int.from_bytes(sibling, "big")
            else (sibling, leaf)
        )
        leaf = keccak(b"".join(pair))
    return leaf == root


def tree_of(cumulative: dict[Address, Wei]) -> RewardTree:
    return RewardTree.of(CHAIN, DISTRIBUTOR, TASK, cumulative)


@given(amounts)
def test_reward_tree__every_owner__proof_verifies(cumulative: dict[Address, Wei]) -> None:
    tree = tree_of(cumulative)
    for owner, amount in cumulative.items():
        leaf = compute_reward_leaf(CHAIN, DISTRIBUTOR, TASK, owner, amount)
        assert openzeppelin_verify(tree.proof(owner), tree.root, leaf)


@given(amounts, st.data())
def test_reward_tree__another_amount_or_owner__does_not_verify(
    cumulative: dict[Address, Wei], data: st.DataObject
) -> None:
    tree = tree_of(cumulative)
    owner = data.draw(st.sampled_from(sorted(cumulative)))
    proof, amount = tree.proof(owner), cumulative[owner]
    stranger = Address(bytes(b ^ 0xFF for b in owner))
    assert not openzeppelin_verify(
        proof, tree.root, compute_reward_leaf(CHAIN, DISTRIBUTOR, TASK, owner, Wei(amount + 1))
    )
    assert not openzeppelin_verify(
        proof, tree.root, compute_reward_leaf(CHAIN, DISTRIBUTOR, TASK, stranger, amount)
    )
    assert not openzeppelin_verify([*proof, tree.root], tree.root, tree.leaves[owner])


@given(amounts, st.randoms(use_true_random=False))
def test_reward_root__another_order_and_zero_amounts__same_root(
    cumulative: dict[Address, Wei], random: Random
) -> None:
    rows = list(cumulative.items())
    random.shuffle(rows)
    idle = Address(b"\x99" * 20)
    assert tree_of({**dict(rows), idle: cumulative.get(idle, Wei(0))}).root == tree_of(cumulative).root


@given(st.integers(1, 2**64), addresses, st.integers(0, 2**64 - 1), addresses, st.integers(0, 2**128 - 1))
def test_reward_leaf__any_row__equals_eth_abi(
    chain_id: int, distributor: Address, task: int, owner: Address, amount: int
) -> None:
    row = [chain_id, "0x" + distributor.hex(), task, "0x" + owner.hex(), amount]
    encoded = abi_encode(["uint256", "address", "uint256", "address", "uint256"], row)
    assert compute_reward_leaf(chain_id, distributor, TaskId(task), owner, Wei(amount)) == keccak(
        keccak(encoded)
    )


def test_reward_root__three_leaves__odd_one_moves_up() -> None:
    cumulative = {Address(bytes([i]) * 20): Wei(i) for i in (1, 2, 3)}
    first, second, third = sorted(
        compute_reward_leaf(CHAIN, DISTRIBUTOR, TASK, owner, amount) for owner, amount in cumulative.items()
    )
    root = keccak(b"".join(sorted([keccak(first + second), third])))
    assert compute_reward_root(CHAIN, DISTRIBUTOR, TASK, cumulative) == root


def test_reward_root__one_owner__its_leaf_and_an_empty_proof() -> None:
    owner = Address(b"\x01" * 20)
    assert compute_reward_root(CHAIN, DISTRIBUTOR, TASK, {owner: Wei(5)}) == compute_reward_leaf(
        CHAIN, DISTRIBUTOR, TASK, owner, Wei(5)
    )
    assert RewardTree.of(CHAIN, DISTRIBUTOR, TASK, {owner: Wei(5)}).proof(owner) == ()


def test_reward_root__nobody__zero() -> None:
    assert compute_reward_root(CHAIN, DISTRIBUTOR, TASK, {Address(bytes(20)): Wei(0)}) == ZERO_DIGEST


def test_reward_proof__owner_without_reward__refused_by_name() -> None:
    with pytest.raises(RuleError, match=r"owner 0x0101.*earned nothing"):
        RewardTree.of(CHAIN, DISTRIBUTOR, TASK, {}).proof(Address(b"\x01" * 20))


def test_reward_tree__ten_thousand_owners__every_proof_verifies() -> None:
    cumulative = {Address(i.to_bytes(20, "big")): Wei(i) for i in range(1, 10_001)}
    tree = tree_of(cumulative)
    root: Digest = tree.root
    assert all(openzeppelin_verify(tree.proof(owner), root, leaf) for owner, leaf in tree.leaves.items())
