"""Looks for Supernodes that were absent from the last rounds, each the parent of the next, and can be put to sleep."""

from dataclasses import dataclass

from dao.audit.evidence import HIDDEN, read_manifest
from dao.audit.findings import Missing
from dao.chain.client import Chain
from dao.chain.contracts import Coordinator
from dao.chain.disputes import Disputes
from dao.chain.receipts import TxReceipt
from dao.chain.rounds import RoundReader
from dao.chain.sender import Sender
from dao.core.formats.commit_leaves import build_commit_leaves
from dao.core.types import Address, RoundId, TaskId
from dao.proofs.absences import HeardRound, prove_sleep
from dao.store.source import Source

IN_A_ROW = 3  # rounds without a word of a Supernode
MOST = 4  # that one account puts to sleep after one result


@dataclass(frozen=True, slots=True)
class Sleeper:
    """A Supernode that was absent until a round, and what shows that."""

    node: Address
    round: RoundId
    proof: bytes


async def find_sleepers(chain: Chain, source: Source, task: TaskId) -> list[Sleeper]:
    """Return the members that were absent from the last rounds up to the newest result; none where there are fewer.

    By what the rounds' manifests say: Missing where one cannot be had.
    """
    at, coordinator, reader = chain.final(), Coordinator(chain), RoundReader(chain, task)
    newest = round_id = (await coordinator.task_of(task, at)).head
    rounds: list[HeardRound] = []
    absent: set[Address] | None = None
    while len(rounds) < IN_A_ROW:
        if not round_id:
            return []
        state = await coordinator.round_of(task, round_id, at)
        result = await reader.find_result(round_id, state, at)
        if result is None:
            raise Missing(f"round {round_id}: {HIDDEN.format('the event of its result')}")
        manifest = await read_manifest(source, result.manifest_digest)
        named = {one.node for one in manifest.absent}
        absent = named if absent is None else absent & named
        if not absent:
            return []
        forced = (await reader.events_of(round_id, at)).forced
        commits = (node for node in manifest.nodes if not node.forced)
        leaves = tuple(build_commit_leaves(commits, manifest.passes))
        rounds.append(HeardRound(result, leaves, forced))
        round_id, oldest = state.parent, round_id
    return [
        Sleeper(node, newest, prove_sleep(node, rounds))
        for node in sorted(absent or ())
        if await coordinator.is_joined(task, node, at)
        and await Disputes(chain).slept_after(task, node, at) < oldest
    ]


async def put_to_sleep(
    chain: Chain, sender: Sender, task: TaskId, sleeper: Sleeper, most_gas: int
) -> TxReceipt:
    """Put a member to sleep; Reverted where another was first, or newer results are there. Repeated, nothing is sent twice."""
    call = Disputes(chain).sleep(task, sleeper.round, sleeper.node, sleeper.proof)
    key = f"sleep:{task}:{sleeper.round}:{sleeper.node.hex()}"
    return await sender.send(call, key, most_gas=most_gas)
