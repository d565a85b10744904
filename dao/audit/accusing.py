"""Looks for a proof that a posted result is wrong: the provers are asked about each claim, as the dispute would ask them."""

import asyncio
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import astuple, dataclass
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

import structlog

from dao.audit.content_faults import ContentFaults
from dao.audit.contradicted import list_contradicted
from dao.audit.findings import Missing, UnusableManifest
from dao.audit.last_step_claims import find_last_step_suspicions
from dao.audit.model_claims import find_model_suspicions
from dao.audit.posted_round import DEMAND, Place, PostedRound, read_stated, require_named
from dao.audit.round_content import RoundContent
from dao.audit.shown_leaves import list_shape_suspicions
from dao.chain.blocks import BlockRef
from dao.chain.client import Chain
from dao.chain.contracts import Coordinator
from dao.chain.disputes import Accusation
from dao.chain.events import Answered
from dao.chain.interface import load
from dao.core.constants import MAX_HEADER
from dao.core.formats.abi import WORD, encode
from dao.core.formats.manifest import Manifest, Node
from dao.core.formats.round_rows import encode_shards
from dao.core.formats.update import count_leaves, get_leaf_chunks, get_leaf_size, read_body
from dao.core.statement import (
    build_account_tree,
    compute_statement,
    compute_statement_hash,
)
from dao.core.types import Address, Result, RoundId, Rules, Statement, TaskId, hex_of
from dao.errors import ContentError, DecodeError, Reverted, RuleError
from dao.proofs.openings import Rows
from dao.proofs.round_trees import RoundTrees, StatedParent, build_tree, build_trees
from dao.proofs.suspicions import Receipt, Suspicion, list_suspicions
from dao.store.source import Source

_log = structlog.get_logger()
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
    records: tuple[bytes, ...] = ()  # what SumProver is told before


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

    `of` are the nodes and owners whose claims are asked, beside those about the whole round; None: all, and those about its
    content, which is read. Of some, it reads little of the chain, and asks only what that and the trees do not contradict.

    What is shown are the trees of commits, rows and accounts, which the manifests state, and of that content. UnusableManifest where
    a manifest states others than the result, so that nothing of it can be opened, or where no prover holds a claim and it is of
    another round. Missing when a content cannot be had.
    """
    at, place, receipts = chain.final(), (task, round_id), tuple(receipts)
    posted, manifest, previous = await read_stated(chain, source, place, everyone=of is None)
    trees = build_stated_trees(posted, manifest, previous)
    contradicted: Collection[tuple[str, int]] = ()
    if of is not None:
        stated = trees, manifest, previous
        contradicted = set(list_contradicted(chain.domain, place, posted, *stated, receipts, of))
    heard = {leaf[:20] for leaf in trees.commits} | {commit.node for commit in posted.forced}
    unheard = [node for node in (posted.members if of is None else of) if node not in heard]
    asked = [node for node in manifest.nodes if of is None or node.node in of]
    bodies = await _read_bodies(source, posted.rules, asked)
    shape = posted.rules.body_depth, get_leaf_chunks(posted.rules.codec)
    suspicions = (
        one
        for one in list_suspicions(trees, unheard, receipts, bodies, *shape)
        if (of is None or one.subject is None or one.subject in of)
        and (one.prover, one.claim) not in contradicted
    )
    found = await _ask_all(chain, trees, place, suspicions, at)
    if found is None and of is None:
        found = await _find_in_content(chain, source, trees, manifest, previous, posted, place)
    if found is None:
        require_named(chain.domain, place, posted, manifest)
    return found


async def _ask_all(
    chain: Chain, trees: RoundTrees, place: Place, suspicions: Iterable[Suspicion], at: BlockRef
) -> Proof | None:
    """Ask the provers about each suspicion until one holds."""
    left = iter(suspicions)
    while batch := list(islice(left, AT_ONCE)):
        proofs = [suspicion.prove() for suspicion in batch]
        asking = (_holds(chain, trees, place, *pair, at) for pair in zip(batch, proofs, strict=True))
        for suspicion, proof, holds in zip(batch, proofs, await asyncio.gather(*asking), strict=True):
            if holds:
                return _make_proof(chain, trees, place, suspicion, proof)
    return None


async def _find_in_content(
    chain: Chain,
    source: Source,
    trees: RoundTrees,
    manifest: Manifest,
    previous: Manifest | None,
    posted: PostedRound,
    place: Place,
) -> Proof | None:
    """Look at the content itself, and at what demands brought to light; None where some of it cannot be had."""
    (task, round_id), at, rules = place, chain.final(), posted.rules
    answered = tuple(await chain.past(Answered, task=task, round=round_id))
    with TemporaryDirectory(prefix="commonweight-") as scratch:
        content = RoundContent(manifest, previous, rules.codec, source, Path(scratch))
        faults = ContentFaults(trees, content, rules, answered)

        async def find_shape() -> Proof | None:
            return await _ask_all(chain, trees, place, list_shape_suspicions(answered, rules), at)

        async def find_fault() -> Proof | None:
            async for suspicion in faults.list_all():
                proof = suspicion.prove()
                if suspicion.records or await _holds(chain, trees, place, suspicion, proof, at):
                    return _make_proof(chain, trees, place, suspicion, proof)
            return None

        async def find_of_model() -> Proof | None:
            of_model = await find_model_suspicions(source, manifest, trees, rules)
            return await _ask_all(chain, trees, place, of_model, at)

        async def find_of_last_step() -> Proof | None:
            stated = manifest, previous, posted.before
            of_step = await find_last_step_suspicions(source, stated, trees, rules, answered)
            return await _ask_all(chain, trees, place, of_step, at)

        # what one lacks, another may not need
        for search in (find_shape, find_fault, find_of_model, find_of_last_step):
            try:
                proof = await search()
            except (Missing, DecodeError, RuleError) as error:
                _log.warning("content not looked at", round=round_id, error=str(error))
                continue
            if proof is not None:
                return proof
    return None


def _make_proof(chain: Chain, trees: RoundTrees, place: Place, suspicion: Suspicion, proof: bytes) -> Proof:
    prover, records = chain.deployment.provers[suspicion.prover], [one() for one in suspicion.records]
    accusation = Accusation(prover, suspicion.claim, *place, proof)
    stated = trees.result, trees.statement
    return Proof(accusation, suspicion.prover, suspicion.words, *stated, tuple(records))


async def _read_bodies(source: Source, rules: Rules, nodes: Iterable[Node]) -> dict[Address, Rows]:
    """Return the bodies of the nodes' updates in which their rows state a fault, of those that can be had."""
    bodies: dict[Address, Rows] = {}
    limit = MAX_HEADER + count_leaves(rules.codec, rules.chunks) * get_leaf_size(rules.codec) + 8
    for node in nodes:
        if node.fault is not None and node.cid is not None:
            try:
                path = await source.get(node.cid, limit)
                bodies[node.node] = await asyncio.to_thread(read_body, path.read_bytes(), rules.codec)
            except (ContentError, DecodeError):
                continue
    return bodies


def build_stated_trees(posted: PostedRound, manifest: Manifest, previous: Manifest | None) -> RoundTrees:
    """Build the trees of a manifest; UnusableManifest where the result states others, so that nothing of it can be opened."""
    parent = None
    if previous is not None and posted.parent is not None:
        accounts = build_account_tree(previous.nodes, previous.accounts).leaves
        shards = encode_shards(previous.used_shards, previous.shard)
        parent = StatedParent(posted.parent, compute_statement(previous), accounts, shards)
    try:
        trees = build_trees(manifest, posted.result, posted.forced, parent, posted.lost)
    except (ArithmeticError, RuleError) as error:
        raise UnusableManifest(
            f"round {manifest.round}: its manifest has what no leaf holds ({error}); {DEMAND}"
        ) from None
    faults = [name for name, stated, leaves in _roots_of(trees) if build_tree(tuple(leaves)).root != stated]
    if compute_statement_hash(trees.statement) != posted.result.statement:
        faults.append("statement")
    if faults:
        raise UnusableManifest(
            f"round {manifest.round}: its manifest has other {', '.join(faults)} than the result states, so that nothing can be "
            f"opened; {DEMAND}"
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
