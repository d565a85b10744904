"""Looks for a proof that a posted result is wrong: the provers are asked about each claim, as the dispute would ask them."""

import asyncio
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import astuple, dataclass
from itertools import islice

from dao.audit.evidence import HIDDEN, read_manifest
from dao.audit.findings import Missing
from dao.audit.model_claims import find_model_suspicions
from dao.chain.blocks import BlockRef
from dao.chain.client import Chain
from dao.chain.contracts import Coordinator
from dao.chain.disputes import Accusation
from dao.chain.events import ForcedCommit
from dao.chain.interface import load
from dao.chain.rounds import RoundReader
from dao.core.commits import compute_forced_hash
from dao.core.formats.abi import WORD, encode
from dao.core.formats.manifest import Manifest
from dao.core.statement import (
    build_account_tree,
    compute_result_hash,
    compute_statement,
    compute_statement_hash,
)
from dao.core.types import Address, Result, RoundId, Statement, TaskId, hex_of
from dao.errors import Reverted, RuleError
from dao.proofs.round_trees import RoundTrees, StatedParent, build_tree, build_trees
from dao.proofs.suspicions import Receipt, Suspicion, list_suspicions
from dao.store.source import Source

Place = tuple[TaskId, RoundId]

AT_ONCE = 16
REFUSALS = ("NotGuilty", "BadProof", "BadShape")  # how a prover says that a claim does not hold


@dataclass(frozen=True, slots=True)
class Proof:
    """A proof that convicts: the accusation as the chain takes it, what it says in words, the round's result and statement."""

    accusation: Accusation
    prover: str  # its name
    words: str
    result: Result
    statement: Statement


@dataclass(frozen=True, slots=True)
class PostedRound:
    """What the chain has of a round to accuse: its result and its parent's, all forced commits, who took part."""

    result: Result
    forced: Sequence[ForcedCommit]
    parent: Result | None
    members: Collection[Address]


async def find_proof(
    chain: Chain,
    source: Source,
    task: TaskId,
    round_id: RoundId,
    *,
    of: Collection[Address] | None = None,
    receipts: Iterable[Receipt] = (),
) -> Proof | None:
    """Return a proof that a round's result is wrong, None where no prover holds any claim.

    `of` are the nodes and owners whose claims are asked, beside those about the whole round; None: all, and those about step and
    new model, for which their content and the updates are read. Of some, it reads little of the chain.

    What is shown are the trees of commits, rows and accounts, which the manifests state, and of that content; RuleError where a
    manifest states others than the result, so that nothing of it can be opened. Missing when a content cannot be had.
    """
    at, place = chain.final(), (task, round_id)
    posted = await _read_posted(chain, place, at, everyone=of is None)
    manifest = await read_manifest(source, posted.result.manifest_digest)
    previous = await read_manifest(source, posted.parent.manifest_digest) if posted.parent else None
    trees = _build_trees(posted, manifest, previous)
    heard = {leaf[:20] for leaf in trees.commits} | {commit.node for commit in posted.forced}
    unheard = [node for node in (posted.members if of is None else of) if node not in heard]
    suspicions = (
        one
        for one in list_suspicions(trees, unheard, receipts)
        if of is None or one.subject is None or one.subject in of
    )
    proof = await _ask_all(chain, trees, place, suspicions, at)
    if proof is not None or of is not None:
        return proof
    rules = await Coordinator(chain).rules_of_round(task, round_id, at)
    return await _ask_all(
        chain, trees, place, await find_model_suspicions(source, manifest, trees, rules), at
    )


async def _ask_all(
    chain: Chain, trees: RoundTrees, place: Place, suspicions: Iterable[Suspicion], at: BlockRef
) -> Proof | None:
    """Return the first proof that a prover holds, None where none does."""
    left = iter(suspicions)
    while batch := list(islice(left, AT_ONCE)):
        proofs = [suspicion.prove() for suspicion in batch]
        asking = (_holds(chain, trees, place, *pair, at) for pair in zip(batch, proofs, strict=True))
        for suspicion, proof, holds in zip(batch, proofs, await asyncio.gather(*asking), strict=True):
            if holds:
                prover = chain.deployment.provers[suspicion.prover]
                accusation = Accusation(prover, suspicion.claim, *place, proof)
                return Proof(accusation, suspicion.prover, suspicion.words, trees.result, trees.statement)
    return None


async def _read_posted(chain: Chain, place: Place, at: BlockRef, *, everyone: bool) -> PostedRound:
    """Read what was posted of a round, and who took part if that is asked; Missing where the chain's node hides it."""
    history, (task, round_id) = RoundReader(chain, place[0]), place
    state, events = await asyncio.gather(
        Coordinator(chain).round_of(task, round_id, at), history.events_of(round_id, at)
    )
    if events.posted is None or compute_result_hash(events.posted.result) != state.result_hash:
        raise Missing(f"round {round_id}: {HIDDEN.format('the event of its result')}")
    if compute_forced_hash(events.forced) != events.posted.result.forced_hash:
        raise Missing(f"round {round_id}: {HIDDEN.format('its forced commits')}")
    parent = (await history.events_of(state.parent, at)).posted if state.parent else None
    if state.parent and parent is None:
        raise Missing(f"round {state.parent}, the parent: {HIDDEN.format('the event of its result')}")
    members = await history.members_of(events.opened, at) if everyone else {}
    return PostedRound(events.posted.result, events.forced, parent.result if parent else None, members)


def _build_trees(posted: PostedRound, manifest: Manifest, previous: Manifest | None) -> RoundTrees:
    parent = None
    if previous is not None and posted.parent is not None:
        accounts = build_account_tree(previous.nodes, previous.accounts).leaves
        parent = StatedParent(posted.parent, compute_statement(previous), accounts)
    trees = build_trees(manifest, posted.result, posted.forced, parent)
    faults = [name for name, stated, leaves in _roots_of(trees) if build_tree(tuple(leaves)).root != stated]
    if compute_statement_hash(trees.statement) != posted.result.statement:
        faults.append("statement")
    if faults:
        raise RuleError(
            f"round {manifest.round}: its manifest has other {', '.join(faults)} than the result states, so that nothing can be "
            "opened; freeze it for a bond and have the DAO decide: dao challenge --reason"
        )
    return trees


def _roots_of(trees: RoundTrees) -> Iterator[tuple[str, bytes, Sequence[bytes]]]:
    yield "commits", trees.result.commits_root, trees.commits
    yield "rows", trees.statement.rows_root, trees.rows
    yield "inputs", trees.statement.inputs_root, trees.inputs
    yield "accounts", trees.result.accounts_root, trees.accounts


async def _holds(
    chain: Chain, trees: RoundTrees, place: Place, suspicion: Suspicion, proof: bytes, at: BlockRef
) -> bool:
    """Ask a prover, without a transaction."""
    prover, check = chain.deployment.provers[suspicion.prover], load(suspicion.prover).functions["check"]
    # as the ABI has it: case and claim are words, the proof is behind them
    head = encode(*place, *astuple(trees.result), *astuple(trees.statement), suspicion.claim)
    data = check.selector + head + encode(len(head) + WORD, len(proof)) + proof + bytes(-len(proof) % WORD)
    try:
        await chain.ask("eth_call", {"to": hex_of(prover), "data": hex_of(data)}, at, suspicion.prover)
    except Reverted as error:
        if error.error in REFUSALS:
            return False
        raise
    return True


async def require_standing(chain: Chain, task: TaskId, round_id: RoundId) -> None:
    """Raise RuleError unless a round's result can still be proven wrong."""
    state = await Coordinator(chain).round_of(task, round_id, chain.final())
    if state.phase.name not in ("POSTED", "FROZEN"):
        raise RuleError(
            f"task {task} round {round_id}: is {state.phase.name.lower()}; expected a posted or frozen result to prove wrong"
        )
