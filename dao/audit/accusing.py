"""Looks for a proof that a posted result is wrong: the provers are asked about each claim, as the dispute would ask them."""

import asyncio
from collections.abc import Container, Iterable, Iterator
from dataclasses import astuple, dataclass
from itertools import islice

from dao.audit.evidence import Evidence, read_manifest, read_record
from dao.chain.blocks import BlockRef
from dao.chain.client import Chain
from dao.chain.contracts import Coordinator
from dao.chain.disputes import Accusation
from dao.chain.interface import load
from dao.core.constants import ROWS_DEPTH
from dao.core.engine.merkle import Tree
from dao.core.formats.manifest import Manifest
from dao.core.statement import build_account_tree, compute_statement, compute_statement_hash
from dao.core.types import Address, Result, RoundId, Statement, TaskId
from dao.errors import Reverted, RuleError
from dao.proofs.round_trees import RoundTrees, StatedParent, build_trees
from dao.proofs.suspicions import Receipt, Suspicion, list_suspicions
from dao.store.source import Source

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


async def find_proof(
    chain: Chain,
    source: Source,
    task: TaskId,
    round_id: RoundId,
    *,
    of: Container[Address] | None = None,
    receipts: Iterable[Receipt] = (),
) -> Proof | None:
    """Return a proof that a round's result is wrong, None where no prover holds any claim.

    `of` are the nodes and owners whose claims are asked, beside those about the whole round; None: all.

    What is shown are the trees of commits, rows and accounts, which the manifests state; RuleError where a manifest states
    others than the result, so that nothing of it can be opened. Missing when a manifest cannot be had.
    """
    record = await read_record(chain, task, round_id)
    manifest = await read_manifest(source, record.result.manifest_digest)
    previous = await read_manifest(source, record.parent.manifest_digest) if record.parent else None
    trees = _build_trees(record, manifest, previous)
    heard = {leaf[:20] for leaf in trees.commits} | {event.node for event in record.events.forced}
    unheard = [node for node in record.members if node not in heard]
    suspicions = (
        one
        for one in list_suspicions(trees, unheard, receipts)
        if of is None or one.subject is None or one.subject in of
    )
    at = chain.final()
    while batch := list(islice(suspicions, AT_ONCE)):
        proofs = [suspicion.prove() for suspicion in batch]
        asking = (_holds(chain, trees, record, *pair, at) for pair in zip(batch, proofs, strict=True))
        for suspicion, proof, holds in zip(batch, proofs, await asyncio.gather(*asking), strict=True):
            if holds:
                prover = chain.deployment.provers[suspicion.prover]
                accusation = Accusation(prover, suspicion.claim, task, round_id, proof)
                return Proof(accusation, suspicion.prover, suspicion.words, trees.result, trees.statement)
    return None


def _build_trees(record: Evidence, manifest: Manifest, previous: Manifest | None) -> RoundTrees:
    parent = None
    if previous is not None and record.parent is not None:
        accounts = build_account_tree(previous.nodes, previous.accounts).leaves
        parent = StatedParent(record.parent, compute_statement(previous), accounts)
    trees = build_trees(manifest, record.result, record.events.forced, parent)
    faults = [name for name, stated, leaves in _roots_of(trees) if Tree(leaves, ROWS_DEPTH).root != stated]
    if compute_statement_hash(trees.statement) != record.result.statement:
        faults.append("statement")
    if faults:
        raise RuleError(
            f"round {record.round}: its manifest has other {', '.join(faults)} than the result states, so that nothing can be "
            "opened; freeze it for a bond and have the DAO decide: dao challenge --reason"
        )
    return trees


def _roots_of(trees: RoundTrees) -> Iterator[tuple[str, bytes, list[bytes]]]:
    yield "commits", trees.result.commits_root, list(trees.commits)
    yield "rows", trees.statement.rows_root, list(trees.rows)
    yield "inputs", trees.statement.inputs_root, list(trees.inputs)
    yield "accounts", trees.result.accounts_root, list(trees.accounts)


async def _holds(
    chain: Chain, trees: RoundTrees, record: Evidence, suspicion: Suspicion, proof: bytes, at: BlockRef
) -> bool:
    """Ask a prover, without a transaction."""
    case = (record.task, record.round, astuple(trees.result), astuple(trees.statement))
    check = load(suspicion.prover).functions["check"]
    try:
        await chain.call(
            *(chain.deployment.provers[suspicion.prover], check, case, suspicion.claim, proof),
            at=at,
        )
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
