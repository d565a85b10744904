"""What an owner may claim: from the index, checked against the reward root that is active on chain."""

from dataclasses import dataclass
from functools import lru_cache

from dao.api.dependencies import Dependencies
from dao.api.http.problems import Problem
from dao.chain.contracts import Distributor
from dao.core.formats.reward_tree import RewardTree
from dao.core.types import Address, Digest, TaskId, Wei
from dao.index.reads import Reads


@dataclass(frozen=True, slots=True)
class Claimable:
    """All that an owner has earned in final rounds, what of it is not paid yet, and the proof."""

    total: Wei
    unpaid: Wei
    proof: tuple[Digest, ...]


async def claimable(services: Dependencies, task: TaskId, owner: Address) -> Claimable:
    """Find it. Problem: 404 no such task, 409 nothing to claim, 503 while content or the index is behind."""
    chain, domain = services.link.chain(), services.link.deployment

    def read(reads: Reads) -> tuple[Wei, RewardTree] | None:
        if reads.task(task) is None:
            raise Problem(404, "not-found", f"there is no task {task}")
        found = reads.rewards(task)
        if found is None:
            return None
        tree = _tree(domain.chain_id, domain.distributor, task, frozenset(found.items()))
        return found.get(owner, Wei(0)), tree

    known, _ = await services.read(read)
    if known is None:
        raise Problem(
            503, "content-missing", "the manifest that proves it cannot be had now; try again", retry_after=30
        )
    total, tree = known
    at, distributor = chain.final(), Distributor(chain)
    unpaid = Wei(total - await distributor.claimed_of(task, owner, at))
    if unpaid <= 0:
        raise Problem(
            409, "nothing-to-claim", "nothing of this task's final rounds is left to be paid to this owner"
        )
    if tree.root != await distributor.root_of(task, at):
        raise Problem(503, "index-behind", "a newer round was just made final; try again", retry_after=2)
    return Claimable(total, unpaid, tree.proof(owner))


@lru_cache(8)
def _tree(
    chain_id: int, distributor: Address, task: TaskId, amounts: frozenset[tuple[Address, Wei]]
) -> RewardTree:
    return RewardTree.of(chain_id, distributor, task, dict(amounts))
