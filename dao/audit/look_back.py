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

    def __init__(
        self,
        chain: Chain,
        task: TaskId,
        fetch_manifest: Callable[[Digest], Awaitable[Manifest]],
        fetch_card: Callable[[Digest], Awaitable[Card]],
    ) -> None:
        """What `fetch_manifest` and `fetch_card` raise, which get what has a digest, all here raise."""
        self._task, self._fetch_manifest, self._fetch_card = task, fetch_manifest, fetch_card
        self._coordinator, self._reader = Coordinator(chain), RoundReader(chain, task)
        self._card: tuple[Digest, Card] | None = None
        self._figures: dict[RoundId, tuple[Digest, RoundFigures]] = {}  # with the hashes of their results

    async def read_card(self, digest: Digest) -> Card:
        """Return the card of this digest."""
        if self._card is None or self._card[0] != digest:
            self._card = digest, await self._fetch_card(digest)
        return self._card[1]

    async def explain_stop(self, card: Card, newest: Manifest | None, at: BlockRef) -> str:
        """Return why a card ends its task after the round of a manifest, "" where it goes on.

        ChainError where the chain's node does not show a result before it.
        """
        if newest is None or not count_rounds(card):
            return ""
        found, is_known = [RoundFigures.of(newest)], False
        while len(found) < count_rounds(card) and (parent := found[-1].parent):
            if not (is_known and parent in self._figures):  # a result that stands has the parents that it had
                is_known = await self._read_figures(parent, at)
            found.append(self._figures[parent][1])
        for gone in self._figures.keys() - {one.parent for one in found}:
            del self._figures[gone]
        return explain_stop(card, found)

    async def _read_figures(self, round_id: RoundId, at: BlockRef) -> bool:
        """Have the figures of a round; return whether they were here already."""
        state = await self._coordinator.round_of(self._task, round_id, at)
        if round_id in self._figures and self._figures[round_id][0] == state.result_hash:
            return True
        result = await self._reader.find_result(round_id, state, at)
        if result is None:
            raise ChainError(f"round {round_id}: no event of its result; use a node with more history")
        figures = RoundFigures.of(await self._fetch_manifest(result.manifest_digest))
        self._figures[round_id] = state.result_hash, figures
        return False


class EndReader:
    """Reads whether one task's card has ended it, from a source of content; what it read last is kept for the next time."""

    def __init__(self, chain: Chain, task: TaskId, source: Source) -> None:
        self._task, self._coordinator = task, Coordinator(chain)
        self._look_back = LookBack(chain, task, partial(read_manifest, source), partial(fetch_card, source))

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
            rules = await self._coordinator.rules_of(self._task, at)
            card = await self._look_back.read_card(rules.card)
            return await self._look_back.explain_stop(card, newest, at)
        except (Missing, ContentError, DecodeError, ChainError) as error:
            return f"whether its card ends it is {NOT_KNOWN}: {error}"
