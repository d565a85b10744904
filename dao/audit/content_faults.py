"""Claims about a round's content: updates, the aggregate, products. What is not published is known by answers to demands."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from dao.audit.evidence import fetch
from dao.audit.round_content import RoundContent
from dao.chain.events import Answered
from dao.core.constants import CHUNK
from dao.core.engine.codec_loops import CODEC_LOOPS
from dao.core.engine.merkle import compute_root
from dao.core.formats.manifest import Node
from dao.core.formats.update import encode_update_prefix
from dao.core.types import Address
from dao.errors import DecodeError
from dao.proofs.dots import END, OF_ROWS, ProductsClaim, prove_end, prove_step, show_product_row
from dao.proofs.leaf_places import DemandTree, get_depth
from dao.proofs.openings import Rows, encode_place, hash_rows, open_row
from dao.proofs.round_trees import RoundTrees
from dao.proofs.sums import AGGREGATE, BLOCK, CODEC, PARTS, SumInput, prove_codec, prove_part, prove_parts
from dao.proofs.suspicions import Suspicion

ONE_TRANSACTION = 128  # inputs whose chunks fit into a proof
WORD = 32  # bytes of a total
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
    body_depth: int
    answered: tuple[Answered, ...] = ()

    async def list_all(self) -> AsyncIterator[Suspicion]:
        """Yield each fault that content and answers show, with its proof. Missing where a content cannot be had."""
        inputs = [SumInput(n.node, n.weight, await self._open_body(n)) for n in self.content.counted]
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
        """Return an update's rows, whether they are valid or not."""
        try:
            return (await self.content.open_update(node)).body
        except DecodeError:
            layout = (await self.content.open_base()).layout
            loops, prefix = CODEC_LOOPS[self.content.codec], encode_update_prefix(layout, self.content.codec)
            assert node.cid is not None  # noqa: S101  (it was read)
            path = await fetch(self.content.source, "update", node.cid)
            data = await asyncio.to_thread(path.read_bytes)
            if len(data) != len(prefix) + layout.chunks * loops.leaf:
                raise
            return np.frombuffer(data, np.uint8, offset=len(prefix)).reshape(-1, loops.leaf)

    def _answers(self, tree: DemandTree, outer: int = 0) -> Mapping[int, bytes]:
        """Return what answers showed of a tree, by index."""
        return {one.place[2]: one.content for one in self.answered if one.place[:2] == (int(tree), outer)}

    async def _list_of_sums(self, inputs: list[SumInput]) -> AsyncIterator[Suspicion]:
        """A chunk of the aggregate is in no content: demands bring it."""
        for chunk, shown in self._answers(DemandTree.AGGREGATE).items():
            _, true = await self.content.open_sums(chunk)
            stated = np.frombuffer(shown[: -32 * self.body_depth], ">i8")
            right = np.frombuffer(true, ">i8")
            if len(stated) != CHUNK or len(right) != CHUNK or (stated == right).all():
                continue
            value, many = int((stated != right).argmax()), len(inputs) > ONE_TRANSACTION
            parts = [entry.head + open_row(entry.body, chunk, self.body_depth) for entry in inputs]
            if not many:
                proof = encode_place(chunk, value) + shown + b"".join(parts)
                yield Suspicion("SumProver", AGGREGATE, SUM_WORDS, partial(bytes, proof))
                continue
            blocks = range(-(-len(inputs) // BLOCK))
            records = tuple(partial(prove_part, chunk, value, n, inputs, self.body_depth) for n in blocks)
            total = np.zeros((chunk + 1, CHUNK), np.int64)
            rest = prove_parts(chunk, value, total, inputs, self.body_depth)
            proof = encode_place(chunk, value) + shown + rest[5 + 8 * CHUNK + 32 * self.body_depth :]
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
        shown = {} if is_true else self._answers(tree, index)
        for column, claim in enumerate(claims):
            words = f"{FIELDS[claim].replace('_', ' ')} is not the product that it should be"
            stated = getattr(self.content.manifest if node is None else node, FIELDS[claim])
            end = int.from_bytes(_word(totals, len(totals) - 1, column), "big", signed=True)
            if root == bytes(32):
                yield Suspicion("ProductsProver", END + claim, words, partial(bytes, head), subject)
            elif is_true and end != stated:
                proof = head + prove_end(totals, depth)
                yield Suspicion("ProductsProver", END + claim, words, partial(bytes, proof), subject)
            for step in _list_wrong(shown, totals, column, len(head), height):
                before = b"" if step == 0 else _cut(shown[step - 1], len(head))
                chunks = prove_step(step, totals, await self._open_factors(claim, node), depth)
                leaves = (1 + (step > 0)) * (totals.shape[1] + 32 * height)
                leaf = _cut(shown[step], len(head))
                proof = head + chunks[:4] + before + leaf + chunks[4 + leaves :]
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


def _cut(shown: bytes, head: int) -> bytes:
    """Return leaf and siblings of an answer: what it begins with is a byte and the row, where it is of a row's tree."""
    return shown[head - 3 :] if head else shown


def _list_wrong(shown: Mapping[int, bytes], totals: Rows, column: int, head: int, height: int) -> list[int]:
    """Return the steps, of which both ends were shown, whose difference is not the true one."""

    def read(step: int) -> int | None:
        if step < 0:
            return 0
        if step not in shown or step >= len(totals):
            return None
        leaf = _cut(shown[step], head)[: -32 * height or None]
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
