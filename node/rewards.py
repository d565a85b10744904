"""What a node's owner has earned and may claim: from the active reward root and the manifest under it."""

import asyncio
from dataclasses import dataclass

from dao.chain.client import Chain
from dao.chain.contracts import Coordinator, Distributor
from dao.chain.events import Finalized, ResultPosted
from dao.chain.sender import Sender
from dao.core.constants import MAX_MANIFEST
from dao.core.errors import ContentError, NotFound, Reverted, RuleError
from dao.core.formats.manifest import Manifest, parse_manifest
from dao.core.reward_tree import RewardTree
from dao.core.round_machine import is_finalize_time
from dao.core.types import ZERO_DIGEST, Address, Digest, Result, RoundId, TaskId, Wei
from dao.store.source import Source


@dataclass(frozen=True, slots=True)
class Standing:
    """An owner's rewards in a task, in wei: `final` of all finalized rounds, `claimed` of these, with its proof."""

    task: TaskId
    owner: Address
    final: Wei
    claimed: Wei
    proof: tuple[Digest, ...]

    @property
    def claimable(self) -> Wei:
        """What a claim would pay now."""
        return Wei(self.final - self.claimed)


async def standing(chain: Chain, store: Source, task: TaskId, owner: Address) -> Standing:
    """Read what an owner may claim. ContentError when the manifest cannot be had, RuleError when it is not the root's."""
    at, distributor = chain.final(), Distributor(chain)
    root, claimed, finalized = await asyncio.gather(
        distributor.root_of(task, at),
        distributor.claimed_of(task, owner, at),
        chain.past(Finalized, task=task, to_block=at.number),
    )
    if not finalized or root == ZERO_DIGEST:
        return Standing(task, owner, Wei(0), claimed, ())
    manifest = await _manifest(chain, store, task, finalized[-1].round)
    amounts = {account.owner: account.cumulative_wei for account in manifest.accounts}
    tree = RewardTree.of(chain.chain_id, chain.deployment.distributor, task, amounts)
    if tree.root != root:
        raise RuleError(
            f"task {task}: the manifest of round {manifest.round} is not that of the active reward root"
        )
    final = amounts.get(owner, Wei(0))
    return Standing(task, owner, final, claimed, tree.proof(owner) if final else ())


async def finalize_due(chain: Chain, sender: Sender, task: TaskId) -> list[RoundId]:
    """Finalize the rounds whose time has come; return which. Anyone may, and then nobody waits for the Superlink."""
    coordinator, at = Coordinator(chain), chain.final()
    posted, finalized = await asyncio.gather(
        chain.past(ResultPosted, task=task, to_block=at.number),
        chain.past(Finalized, task=task, to_block=at.number),
    )
    done = {event.round for event in finalized}
    results: dict[RoundId, Result] = {
        event.round: event.result for event in posted if event.round not in done
    }
    made = []
    for round_, result in sorted(results.items()):
        at = chain.final()
        try:
            state, rules = await asyncio.gather(
                coordinator.round_of(task, round_, at), coordinator.rules_of_round(task, round_, at)
            )
            if not is_finalize_time(rules, state, chain.head().timestamp):
                continue
            await sender.send(coordinator.finalize(task, round_, result))
        except Reverted:  # contested, its parent is not final, or a reorg took it back
            continue
        made.append(round_)
    return made


async def claim(chain: Chain, sender: Sender, held: Standing) -> Wei:
    """Have an owner paid all it may claim; return the amount, 0 when there is none. Anyone may send it."""
    if held.claimable <= 0:
        return Wei(0)
    await sender.send(Distributor(chain).claim(held.task, held.owner, held.final, held.proof))
    return held.claimable


async def claim_due(chain: Chain, sender: Sender, store: Source, task: TaskId, owner: Address) -> Wei:
    """Have an owner paid what it may claim, by the root that is active then: a round may become final meanwhile."""
    held = await standing(chain, store, task, owner)
    while True:
        try:
            return await claim(chain, sender, held)
        except Reverted:
            before, held = held, await standing(chain, store, task, owner)
            if held == before:
                raise


async def _manifest(chain: Chain, store: Source, task: TaskId, round_: RoundId) -> Manifest:
    posted = await chain.past(ResultPosted, task=task, round=round_)
    if not posted:
        raise ContentError(f"task {task} round {round_}: its result is not on chain any more; try again")
    try:
        path = await store.get(posted[-1].result.manifest_digest, MAX_MANIFEST)
    except NotFound as error:
        raise NotFound(f"the manifest of round {round_} cannot be had: {error.why}") from None
    return parse_manifest(await asyncio.to_thread(path.read_bytes))
