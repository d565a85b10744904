"""Claims about a round's content: updates, the aggregate, products. What is not published is known by answers to demands."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from dao.audit.evidence import fetch
from dao.audit.round_content import RoundContent
from dao.audit.shown_leaves import cut_outer
from dao.chain.events import Answered
from dao.content.tensor_files import map_file
from dao.core.constants import CHUNK
from dao.core.engine.codec_loops import CODEC_LOOPS
from dao.core.engine.merkle import compute_root
from dao.core.engine.totals import WORD
from dao.core.formats.manifest import Node
from dao.core.formats.update import count_leaves, get_leaf_chunks, read_body
from dao.core.types import Address, Rules
from dao.errors import DecodeError
from dao.proofs.dots import END, OF_ROWS, ProductsClaim, prove_end, show_chunks, show_product_row
from dao.proofs.leaf_places import DemandTree, get_depth
from dao.proofs.openings import Rows, encode_place, hash_rows
from dao.proofs.round_trees import RoundTrees, encode_index
from dao.proofs.sums import (
    AGGREGATE,
    AGGREGATE_VALUE,
    BLOCK,
    CODEC,
    ONE_TRANSACTION,
    PARTS,
    SumInput,
    compute_pivot,
    prove_codec,
    prove_part,
    show_blocks,
    show_inputs,
)
from dao.proofs.suspicions import Suspicion

FIELDS = {  # of a row or of the statement: what a product comes to
    ProductsClaim.GATE_DOT: "gate_dot",
    ProductsClaim.SQUARE: "square",
    ProductsClaim.DOT: "dot",
    ProductsClaim.STEP_DOT: "step_dot",
    ProductsClaim.GATE_SQUARE: "gate_square",
    ProductsClaim.GRADIENT_ALONG: "gradient_along",
    ProductsClaim.STEP_SQUARE: "step_square",
}


@dataclass(frozen=True)
class ContentFaults:
    """What provers can be asked about a round's content; `answered` is what demands of it brought to light."""

    trees: RoundTrees
    content: RoundContent
    rules: Rules
    answered: tuple[Answered, ...] = ()

    @property
    def body_depth(self) -> int:
        """The depth of the trees over the model's chunks."""
        return self.rules.body_depth

    async def list_all(self) -> AsyncIterator[Suspicion]:
        """Yield each fault that content and answers show, with its proof. Missing where a content cannot be had."""
        leaf_chunks = get_leaf_chunks(self.content.codec)
        inputs = [
            SumInput(n.node, n.weight, await self._open_body(n), leaf_chunks) for n in self.content.counted
        ]
        broken = False
        for index, entry in enumerate(inputs):
            found = await asyncio.to_thread(CODEC_LOOPS[self.content.codec].first_bad, entry.body)
            if found:
                broken = True
                chunk, value = divmod(found[0], CHUNK)
                prove = partial(prove_codec, chunk, value, index, inputs, self.body_depth)
                yield Suspicion("SumProver", CODEC, "an update that counts is none", prove, entry.node)
        if broken:
            return
        async for suspicion in self._list_of_sums(inputs):
            yield suspicion
        async for suspicion in self._list_of_products():
            yield suspicion

    async def _open_body(self, node: Node) -> Rows:
        """Return an update's rows, whether they are valid or not; DecodeError where they are not those of the model."""
        try:
            return (await self.content.open_update(node)).body
        except DecodeError:
            assert node.cid is not None  # noqa: S101  (it was read)
            path = await fetch(self.content.source, "update", node.cid)
            body = read_body(await asyncio.to_thread(map_file, path), self.content.codec)
            if len(body) != count_leaves(self.content.codec, self.rules.chunks):
                raise
            return body

    def _answers(self, tree: DemandTree, outer: int = 0) -> Mapping[int, bytes]:
        """Return what answers showed of a tree, by index."""
        return {one.place[2]: one.content for one in self.answered if one.place[:2] == (int(tree), outer)}

    async def _list_of_sums(self, inputs: list[SumInput]) -> AsyncIterator[Suspicion]:
        """A chunk of the aggregate is in no content: demands bring it."""
        for chunk, shown in self._answers(DemandTree.AGGREGATE).items():
            leaf = shown[: -32 * self.body_depth]
            if len(leaf) != 8 * CHUNK or chunk >= self.rules.chunks:
                continue  # the shape of the tree is what is wrong of it
            stated, right = np.frombuffer(leaf, AGGREGATE_VALUE), await self.content.sum_chunk(chunk)
            if (stated == right).all():
                continue
            value = int((stated != right).argmax())
            head = encode_place(chunk, value) + shown
            if len(inputs) <= ONE_TRANSACTION:
                proof = head + show_inputs(chunk, inputs, self.body_depth)
                yield Suspicion("SumProver", AGGREGATE, SUM_WORDS, partial(bytes, proof))
                continue
            blocks = range(-(-len(inputs) // BLOCK))
            is_carried = chunk >= (await self.content.open_base()).layout.scored_chunks
            pivot = compute_pivot(int(stated[value]), self.trees.result.weight_sum) if is_carried else 0
            place = inputs, self.body_depth, pivot
            records = tuple(partial(prove_part, chunk, value, n, *place) for n in blocks)
            proof = head + show_blocks(inputs, self.body_depth)
            yield Suspicion("SumProver", PARTS, SUM_WORDS, partial(bytes, proof), records=records)

    async def _list_of_products(self) -> AsyncIterator[Suspicion]:
        manifest, counted = self.content.manifest, self.content.counted
        if not counted:
            return
        has_step = self.trees.statement.step_root != bytes(32)
        for index, node in enumerate(manifest.nodes):
            if node not in counted:
                continue
            pairs = [(DemandTree.ROW_GATE_TOTALS, node.gate_totals, OF_ROWS[:2])]
            if node.weight:
                claims = OF_ROWS[2:] if has_step else OF_ROWS[2:3]
                pairs.append((DemandTree.ROW_SCORE_TOTALS, node.score_totals, claims))
            for tree, root, claims in pairs:
                async for suspicion in self._list_of_totals(tree, root, claims, node, index):
                    yield suspicion
        roots = manifest.roots
        square: tuple[ProductsClaim, ...] = (ProductsClaim.GATE_SQUARE,)
        of_round = [(DemandTree.GATE_TOTALS, roots.gate_totals, square)]
        if has_step:
            claims = (ProductsClaim.GRADIENT_ALONG, ProductsClaim.STEP_SQUARE)
            of_round.append((DemandTree.STEP_TOTALS, roots.step_totals, claims))
        for tree, root, claims in of_round:
            async for suspicion in self._list_of_totals(tree, root, claims, None, 0):
                yield suspicion

    async def _list_of_totals(
        self,
        tree: DemandTree,
        root: bytes,
        claims: tuple[ProductsClaim, ...],
        node: Node | None,
        index: int,
    ) -> AsyncIterator[Suspicion]:
        """Claims about products whose totals are side by side, of a row or (None) of the round."""
        of_gate = tree in (DemandTree.GATE_TOTALS, DemandTree.ROW_GATE_TOTALS)
        opened = self.content.open_gate_totals if of_gate else self.content.open_score_totals
        totals, depth = await opened(node), self.body_depth
        head = b"" if node is None else show_product_row(self.trees, index)
        subject: Address | None = None if node is None else node.node
        height = get_depth(tree, depth)
        is_true = compute_root(hash_rows(totals), height) == root
        answers = {} if is_true else self._answers(tree, index)
        shown = {step: cut_outer(tree, index, one)[1] for step, one in answers.items()}
        for column, claim in enumerate(claims):
            words = f"{FIELDS[claim].replace('_', ' ')} is not the product that it should be"
            stated = getattr(self.content.manifest if node is None else node, FIELDS[claim])
            end = int.from_bytes(_word(totals, len(totals) - 1, column), "big", signed=True)
            if root == bytes(32):
                yield Suspicion("ProductsProver", END + claim, words, partial(bytes, head), subject)
            elif is_true and end != stated:
                proof = head + prove_end(totals, depth)
                yield Suspicion("ProductsProver", END + claim, words, partial(bytes, proof), subject)
            for step in _list_wrong(shown, totals, column, height):
                leaves = encode_index(step) + (shown[step - 1] if step else b"") + shown[step]
                factors = await self._open_factors(claim, node)
                leaf_chunks = 1 if node is None else get_leaf_chunks(self.content.codec)
                proof = head + leaves + show_chunks(step, factors, depth, leaf_chunks)
                yield Suspicion("ProductsProver", int(claim), words, partial(bytes, proof), subject)

    async def _open_factors(self, claim: ProductsClaim, node: Node | None) -> list[Rows]:
        """Return the factors of a product in the order of its proof; of a square the one."""
        if claim in (ProductsClaim.GATE_DOT, ProductsClaim.GATE_SQUARE):
            right = (await self.content.open_gradient(gate=True)).body
        elif claim in (ProductsClaim.DOT, ProductsClaim.GRADIENT_ALONG):
            right = (await self.content.open_gradient(gate=False)).body
        else:
            step = await self.content.open_last_step()
            right = np.empty((0, 0), np.uint8) if step is None else step.body
        if node is not None:
            left = (await self.content.open_update(node)).body
            return [left] if claim is ProductsClaim.SQUARE else [left, right]
        if claim is ProductsClaim.GRADIENT_ALONG:
            last = await self.content.open_last_step()
            return [right] if last is None else [last.body, right]
        return [right]


SUM_WORDS = "a value of the aggregate is not the sum of the updates"


def _word(totals: Rows, step: int, column: int) -> bytes:
    word: bytes = totals[step, WORD * column : WORD * (column + 1)].tobytes()
    return word


def _list_wrong(shown: Mapping[int, bytes], totals: Rows, column: int, height: int) -> list[int]:
    """Return the steps, of which both ends were shown, whose difference is not the true one.

    A leaf of another length is a fault of the tree's shape, and no end of a step.
    """

    def read(step: int) -> int | None:
        if step < 0:
            return 0
        if step not in shown or step >= len(totals):
            return None
        leaf = shown[step][: -32 * height or None]
        if len(leaf) != totals.shape[1]:
            return None
        return int.from_bytes(leaf[WORD * column : WORD * (column + 1)], "big", signed=True)

    def true(step: int) -> int:
        return 0 if step < 0 else int.from_bytes(_word(totals, step, column), "big", signed=True)

    wrong = []
    for step in sorted(shown):
        before, after = read(step - 1), read(step)
        if before is not None and after is not None and after - before != true(step) - true(step - 1):
            wrong.append(step)
    return wrong
