"""Looks back at the rounds that led to a task's newest result, as far as its card's rule does, for whether it ends the task."""

from collections.abc import Awaitable, Callable
from functools import partial

from dao.audit.evidence import read_manifest
from dao.audit.findings import Missing
from dao.audit.stop_rule import RoundFigures, count_rounds, explain_stop
from dao.chain.blocks import BlockRef
from dao.chain.client import Chain
from dao.chain.contracts import Coordinator
from dao.chain.rounds import RoundReader
from dao.content.cards import fetch_card
from dao.core.formats.card import Card
from dao.core.formats.manifest import Manifest
from dao.core.types import Digest, Phase, RoundId, TaskId
from dao.errors import ChainError, ContentError, DecodeError
from dao.gov.card_words import NOT_KNOWN
from dao.store.source import Source


class LookBack:
    """One task's. What it looked at last is kept for the next time."""

    def __init__(self, chain: Chain, task: TaskId, fetch: Callable[[Digest], Awaitable[Manifest]]) -> None:
        """`fetch` returns the manifest of a digest; what it raises, all here raise."""
        self._task, self._fetch = task, fetch
        self._coordinator, self._reader = Coordinator(chain), RoundReader(chain, task)
        self._figures: dict[Digest, RoundFigures] = {}  # of results, by their hash

    async def explain_stop(self, card: Card, newest: Manifest | None, at: BlockRef) -> str:
        """Return why a card ends its task after the round of a manifest, "" where it goes on.

        ChainError where the chain's node does not show a result before it.
        """
        if newest is None or not count_rounds(card):
            return ""
        found, seen = [RoundFigures.of(newest)], dict[Digest, RoundFigures]()
        while len(found) < count_rounds(card) and (parent := found[-1].parent):
            digest, figures = await self._read_figures(parent, at)
            seen[digest] = figures
            found.append(figures)
        self._figures = seen
        return explain_stop(card, found)

    async def _read_figures(self, round_id: RoundId, at: BlockRef) -> tuple[Digest, RoundFigures]:
        state = await self._coordinator.round_of(self._task, round_id, at)
        if state.result_hash in self._figures:
            return state.result_hash, self._figures[state.result_hash]
        result = await self._reader.find_result(round_id, state, at)
        if result is None:
            raise ChainError(f"round {round_id}: no event of its result; use a node with more history")
        return state.result_hash, RoundFigures.of(await self._fetch(result.manifest_digest))


class EndReader:
    """Reads whether one task's card has ended it, from a source of content; what it read last is kept for the next time."""

    def __init__(self, chain: Chain, task: TaskId, source: Source) -> None:
        self._task, self._source, self._coordinator = task, source, Coordinator(chain)
        self._look_back = LookBack(chain, task, partial(read_manifest, source))
        self._card: tuple[Digest, Card] | None = None

    async def explain_end(self, newest: Manifest | None, at: BlockRef) -> str:
        """Return why no further round opens after a task's newest result, or what keeps that from being known.

        It is "" where a round is open or one may follow, and where the DAO closed the task.
        """
        state = await self._coordinator.task_of(self._task, at)
        if newest is None or state.closed:
            return ""
        last = await self._coordinator.round_of(self._task, state.last_round, at)
        if last.phase in (Phase.OPEN, Phase.CLOSED):
            return ""
        try:
            return await self._look_back.explain_stop(await self._read_card(at), newest, at)
        except (Missing, ContentError, DecodeError, ChainError) as error:
            return f"whether its card ends it is {NOT_KNOWN}: {error}"

    async def _read_card(self, at: BlockRef) -> Card:
        digest = (await self._coordinator.rules_of(self._task, at)).card
        if self._card is None or self._card[0] != digest:
            self._card = digest, await fetch_card(self._source, digest)
        return self._card[1]
