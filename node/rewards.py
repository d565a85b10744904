"""Reads what a node's owner has earned, from the accounts that pay and the manifest of them, and claims it."""

import asyncio
from dataclasses import dataclass

from dao.chain.client import Chain
from dao.chain.contracts import Coordinator, Distributor
from dao.chain.events import Finalized, ResultPosted
from dao.chain.sender import Sender
from dao.core.constants import MAX_MANIFEST
from dao.core.formats.manifest import Manifest, parse_manifest
from dao.core.round_machine import is_finalize_time
from dao.core.statement import build_account_tree
from dao.core.types import ZERO_DIGEST, Address, Digest, Result, RoundId, TaskId, Wei
from dao.errors import ContentError, NotFound, Reverted, RuleError
from dao.store.source import Source


@dataclass(frozen=True, slots=True)
class Standing:
    """An owner's rewards in a task, in wei: `final` of all finalized rounds, `claimed` of these, with their proof.

    The proof is the owner's account as a leaf, the leaf's index and the siblings; None of an owner without rewards.
    """

    task: TaskId
    owner: Address
    final: Wei
    claimed: Wei
    proof: tuple[bytes, int, list[Digest]] | None

    @property
    def claimable(self) -> Wei:
        """Return what a claim would pay now."""
        return Wei(self.final - self.claimed)


async def read_standing(chain: Chain, store: Source, task: TaskId, owner: Address) -> Standing:
    """Read what an owner may claim. ContentError when no source has the manifest, RuleError when it is not the root's."""
    at, distributor = chain.final(), Distributor(chain)
    root, claimed, finalized = await asyncio.gather(
        distributor.root_of(task, at),
        distributor.claimed_of(task, owner, at),
        chain.past(Finalized, task=task, to_block=at.number),
    )
    if not finalized or root == ZERO_DIGEST:
        return Standing(task, owner, Wei(0), claimed, None)
    manifest = await _read_manifest(chain, store, task, finalized[-1].round)
    amounts = {account.owner: account.cumulative_wei for account in manifest.accounts}
    tree = build_account_tree(manifest.nodes, manifest.accounts)
    if tree.root != root:
        raise RuleError(
            f"task {task}: the manifest of round {manifest.round} is not that of the accounts that pay"
        )
    final = amounts.get(owner, Wei(0))
    return Standing(task, owner, final, claimed, tree.find(owner) if final else None)


async def finalize_due(chain: Chain, sender: Sender, task: TaskId) -> list[RoundId]:
    """Finalize the rounds whose time has come; return them. Anyone may, so that nobody need wait for the Superlink."""
    coordinator, at = Coordinator(chain), chain.final()
    posted, finalized = await asyncio.gather(
        chain.past(ResultPosted, task=task, to_block=at.number),
        chain.past(Finalized, task=task, to_block=at.number),
    )
    done = {event.round for event in finalized}
    results: dict[RoundId, Result] = {
        event.round: event.result for event in posted if event.round not in done
    }
    finalized_now = []
    for round_id, result in sorted(results.items()):
        at = chain.final()
        try:
            state, rules = await asyncio.gather(
                coordinator.round_of(task, round_id, at), coordinator.rules_of_round(task, round_id, at)
            )
            if not is_finalize_time(rules, state, chain.head().timestamp):
                continue
            await sender.send(coordinator.finalize(task, round_id, result))
        except Reverted:  # contested, its parent is not final, or a reorg took it back
            continue
        finalized_now.append(round_id)
    return finalized_now


async def claim(chain: Chain, sender: Sender, standing: Standing) -> Wei:
    """Pay an owner all it may claim; return the amount, 0 when there is none. Anyone may send the call."""
    if standing.claimable <= 0 or standing.proof is None:
        return Wei(0)
    await sender.send(Distributor(chain).claim(standing.task, *standing.proof))
    return standing.claimable


async def claim_due(chain: Chain, sender: Sender, store: Source, task: TaskId, owner: Address) -> Wei:
    """Pay an owner what it may claim by the active root; again when a round became final meanwhile."""
    standing = await read_standing(chain, store, task, owner)
    while True:
        try:
            return await claim(chain, sender, standing)
        except Reverted:
            before, standing = standing, await read_standing(chain, store, task, owner)
            if standing == before:
                raise


async def _read_manifest(chain: Chain, store: Source, task: TaskId, round_id: RoundId) -> Manifest:
    posted = await chain.past(ResultPosted, task=task, round=round_id)
    if not posted:
        raise ContentError(f"task {task} round {round_id}: its result is not on chain any more; try again")
    try:
        path = await store.get(posted[-1].result.manifest_digest, MAX_MANIFEST)
    except NotFound as error:
        raise NotFound(f"the manifest of round {round_id} cannot be had: {error.why}") from None
    return parse_manifest(await asyncio.to_thread(path.read_bytes))
