"""The content of a posted round, opened as it is needed, and the trees over it: what demands are answered with."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from dao.audit.evidence import fetch
from dao.content import tensor_files
from dao.core.engine.backend import get_loops, get_step_codec
from dao.core.engine.chunking import Scratch, Span, sweep
from dao.core.engine.products import (
    compute_both_dots,
    compute_dots,
    compute_gram,
    compute_sums,
    compute_update_square,
)
from dao.core.engine.totals import RunningTotals
from dao.core.formats.cid import Cid
from dao.core.formats.gradient import Gradient, compute_gradient_size
from dao.core.formats.layout import FLOAT, Model, compute_model_size
from dao.core.formats.manifest import Manifest, Node
from dao.core.formats.round_rows import COUNTED
from dao.core.formats.update import Update
from dao.core.types import Codec
from dao.errors import RuleError
from dao.proofs.openings import Rows
from dao.store.source import Source

T = TypeVar("T")


@dataclass(frozen=True)
class RoundContent:
    """A round's content by its manifest; `scratch` is a folder for what is computed. Missing where a content cannot be had.

    Models, gradients and the last step are opened once, however often they are asked for.
    """

    manifest: Manifest
    previous: Manifest | None
    codec: Codec
    source: Source
    scratch: Path
    _opened: dict[str, Any] = field(default_factory=dict, init=False, repr=False)

    @property
    def counted(self) -> list[Node]:
        """The nodes of the inputs, in order."""
        return [node for node in self.manifest.nodes if node.status in COUNTED]

    async def open_base(self) -> Model:
        """Return the model that the round starts from."""

        async def open_it() -> Model:
            path = await fetch(self.source, "base model", self.manifest.base_model)
            return await asyncio.to_thread(tensor_files.open_model, path)

        return await self._open_once("base model", open_it)

    async def open_model_rows(self) -> Rows:
        """Return the new model's chunks, as its tree has them."""
        size = compute_model_size((await self.open_base()).layout)
        path = await fetch(self.source, "model", self.manifest.model, size)
        model = await asyncio.to_thread(tensor_files.open_model, path)
        return np.ascontiguousarray(model.span(0, model.layout.chunks), FLOAT).view(np.uint8)

    async def open_new_step(self) -> Rows:
        """Return the rows of the step to the new model."""
        layout = (await self.open_base()).layout
        codec = get_step_codec(self.codec)
        limit = tensor_files.compute_update_limit(layout, codec)
        path = await fetch(self.source, "step", self.manifest.step, limit)
        return (await asyncio.to_thread(tensor_files.open_update, path, layout, codec)).body

    def cid_of_gradient(self, *, gate: bool) -> Cid:
        """Return the name of the gradient at the base model, or of that along the step; RuleError where there is none."""
        cid = self.manifest.gate_gradient if gate else self.manifest.gradient
        if cid is None:
            raise RuleError(f"round {self.manifest.round}: it has no gradient, for it has no valid update")
        return cid

    async def open_gradient(self, *, gate: bool) -> Gradient:
        """Return the gradient at the base model, or that along the step; RuleError where there is none."""
        cid = self.cid_of_gradient(gate=gate)

        async def open_it() -> Gradient:
            layout = (await self.open_base()).layout
            path = await fetch(self.source, "gradient", cid, compute_gradient_size(layout.scored_values))
            return await asyncio.to_thread(tensor_files.open_gradient, path, layout)

        return await self._open_once("gate gradient" if gate else "gradient", open_it)

    async def open_last_step(self) -> Gradient | None:
        """Return the last step, quantised like a gradient; None where there is none."""
        if self.previous is None or not self.counted:
            return None
        parents = self.previous.base_model

        async def write_it() -> Gradient | None:
            path = await fetch(self.source, "the parent's base model", parents)
            before, base = await asyncio.to_thread(tensor_files.open_model, path), await self.open_base()
            return await asyncio.to_thread(tensor_files.write_step, before, base, self.scratch / "last-step")

        return await self._open_once("last step", write_it)

    async def _open_once(self, what: str, open_it: Callable[[], Awaitable[T]]) -> T:
        if what not in self._opened:
            self._opened[what] = await open_it()
        opened: T = self._opened[what]
        return opened

    async def open_update(self, node: Node) -> Update:
        """Return the update of a node that counts."""
        layout = (await self.open_base()).layout
        limit = tensor_files.compute_update_limit(layout, self.codec)
        if node.cid is None:
            raise RuleError("update: expected a content of a node that counts")
        path = await fetch(self.source, "update", node.cid, limit)
        return await asyncio.to_thread(tensor_files.open_update, path, layout, self.codec)

    async def open_sums(self, chunk: int) -> tuple[bytes, bytes]:
        """Return the hashes of the aggregate's chunks, side by side, and one of them, nothing where there is none."""
        updates = [await self.open_update(node) for node in self.counted]
        chunks = (await self.open_base()).layout.chunks
        weights = [node.weight for node in self.counted]
        return await asyncio.to_thread(_sum, updates, weights, self.manifest.weight_sum, chunks, chunk)

    async def sum_chunk(self, chunk: int) -> NDArray[np.int64]:
        """Return one chunk of the aggregate, (CHUNK,)."""
        updates = [await self.open_update(node) for node in self.counted]
        weights, weight_sum = [node.weight for node in self.counted], self.manifest.weight_sum
        return await asyncio.to_thread(_sum_chunk, updates, weights, weight_sum, chunk)

    async def open_all_sums(self) -> NDArray[np.int64]:
        """Return the aggregate, (chunks, CHUNK): eight bytes for each value of the model."""
        updates = [await self.open_update(node) for node in self.counted]
        weights = [node.weight for node in self.counted]
        chunks = (await self.open_base()).layout.chunks
        weight_sum = self.manifest.weight_sum
        return await asyncio.to_thread(compute_sums, updates, weights, weight_sum, (0, chunks), Scratch())

    async def open_gate_totals(self, node: Node | None) -> Rows:
        """Return the running totals of the gate gradient's square; of a node: of `<g0, u>` and `<u, u>`."""
        gradient = await self.open_gradient(gate=True)
        if node is None:
            return (await asyncio.to_thread(compute_gram, [gradient], tensor_files.each))[0].words
        update = (await self.open_update(node)).scored
        dots = await asyncio.to_thread(compute_dots, gradient, [update], tensor_files.each)
        square = await asyncio.to_thread(compute_update_square, update, tensor_files.each)
        return _join([dots[0], square])

    async def open_score_totals(self, node: Node | None) -> Rows:
        """Return the running totals of `<G, s>` and `<s, s>`; of a node: of `<G, u>` and `<s, u>`."""
        gradient, step = await self.open_gradient(gate=False), await self.open_last_step()
        if node is None:
            if step is None:
                raise RuleError(f"round {self.manifest.round}: it has no last step")
            gram = await asyncio.to_thread(compute_gram, [gradient, step], tensor_files.each)
            return _join(gram[1:])
        update = (await self.open_update(node)).scored
        dots = await asyncio.to_thread(compute_both_dots, gradient, step, [update], tensor_files.each)
        return _join([dots[0][0], dots[1][0]])


def _sum(
    updates: Sequence[Update], weights: Sequence[int], weight_sum: int, chunks: int, chunk: int
) -> tuple[bytes, bytes]:
    loops = get_loops(chunks)

    def hash_span(span: Span, scratch: Scratch) -> bytes:
        return loops.hash_sums(compute_sums(updates, weights, weight_sum, span, scratch), scratch)

    hashes = b"".join(sweep(hash_span, chunks, tensor_files.each))
    if chunk >= chunks:
        return hashes, b""
    return hashes, _sum_chunk(updates, weights, weight_sum, chunk).astype(">i8").tobytes()


def _sum_chunk(
    updates: Sequence[Update], weights: Sequence[int], weight_sum: int, chunk: int
) -> NDArray[np.int64]:
    """Sum from the first chunk of its leaf on."""
    first = chunk - chunk % max((update.loops.leaf_chunks for update in updates), default=1)
    sums: NDArray[np.int64] = compute_sums(updates, weights, weight_sum, (first, chunk + 1), Scratch())[-1]
    return sums


def _join(totals: Sequence[RunningTotals]) -> Rows:
    return np.ascontiguousarray(np.concatenate([one.words for one in totals], axis=1))
