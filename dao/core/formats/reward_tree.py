"""The tree of cumulative rewards, as OpenZeppelin's MerkleProof verifies it: keccak-256, sorted pairs."""

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass

from dao.core.formats.abi import encode
from dao.core.keccak import keccak256
from dao.core.types import ZERO_DIGEST, Address, Digest, TaskId, Wei, hex_of
from dao.errors import RuleError


def compute_reward_leaf(
    chain_id: int, distributor: Address, task: TaskId, owner: Address, cumulative: Wei
) -> Digest:
    """Hash one owner's cumulative amount, twice, so that no inner node can pass for a leaf."""
    return keccak256(keccak256(encode(chain_id, distributor, task, owner, cumulative)))


@dataclass(frozen=True, slots=True)
class RewardTree:
    """All owners with a positive amount; `levels` from the sorted leaves up to the root."""

    leaves: Mapping[Address, Digest]
    levels: tuple[tuple[Digest, ...], ...]

    @classmethod
    def of(
        cls, chain_id: int, distributor: Address, task: TaskId, cumulative: Mapping[Address, Wei]
    ) -> "RewardTree":
        """Build the tree of a task's cumulative amounts; zero amounts have no leaf."""
        leaves = {
            owner: compute_reward_leaf(chain_id, distributor, task, owner, amount)
            for owner, amount in cumulative.items()
            if amount > 0
        }
        levels = [tuple(sorted(leaves.values()))]
        while len(levels[-1]) > 1:
            levels.append(_parents(levels[-1]))
        return cls(leaves, tuple(levels))

    @property
    def root(self) -> Digest:
        """The root; 32 zero bytes when there is no leaf."""
        return self.levels[-1][0] if self.leaves else ZERO_DIGEST

    def proof(self, owner: Address) -> tuple[Digest, ...]:
        """Return the siblings from `owner`'s leaf up; RuleError when it has earned nothing."""
        if owner not in self.leaves:
            raise RuleError(
                f"owner {hex_of(owner)}: expected an owner with a reward; it has earned nothing yet"
            )
        index = bisect_left(self.levels[0], self.leaves[owner])
        siblings = []
        for level in self.levels[:-1]:
            if index ^ 1 < len(level):  # an odd node moves up alone
                siblings.append(level[index ^ 1])
            index //= 2
        return tuple(siblings)


def _parents(level: tuple[Digest, ...]) -> tuple[Digest, ...]:
    pairs = [
        keccak256(left + right if left < right else right + left)
        for left, right in zip(level[::2], level[1::2], strict=False)
    ]
    return (*pairs, *level[2 * len(pairs) :])


def compute_reward_root(
    chain_id: int, distributor: Address, task: TaskId, cumulative: Mapping[Address, Wei]
) -> Digest:
    """Return the root of a task's cumulative amounts."""
    return RewardTree.of(chain_id, distributor, task, cumulative).root
