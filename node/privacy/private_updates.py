"""Makes a node's updates in one task private, by its owner's settings: budget first, entry second, noise last."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

from dao.core.types import Address, Digest, Domain, RoundId, RoundState, Rules, TaskId
from node.feedback_files import OpenFeedback, no_feedback
from node.privacy.ledger import PrivacyLedger, UpdatePlace
from node.privacy.mechanism import write_private_update
from node.settings import PrivacySettings


@dataclass(frozen=True)
class PrivateUpdates:
    """The private updates of one node in one task; `ledger` is the site's."""

    settings: PrivacySettings
    ledger: PrivacyLedger
    domain: Domain
    node: Address
    task: TaskId

    async def require(self, round_id: RoundId, opened: RoundState) -> None:
        """BudgetSpent where another update would tell too much: asked before anything is trained."""
        one, place = self.settings, self._place(round_id, opened)
        await asyncio.to_thread(self.ledger.require, place, one.noise, one.delta, one.epsilon_budget)

    async def write(
        self,
        round_id: RoundId,
        opened: RoundState,
        rules: Rules,
        base: Path,
        trained: Path,
        out: Path,
        open_feedback: OpenFeedback = no_feedback,
    ) -> tuple[Digest, float]:
        """Enter the update in the ledger, then write it; return its body root, and epsilon of all with it."""
        one, place = self.settings, self._place(round_id, opened)
        spending = (place, one.noise, one.clip, one.delta, one.epsilon_budget)
        epsilon = await asyncio.to_thread(self.ledger.spend, *spending)
        root = await asyncio.to_thread(
            write_private_update,
            base,
            trained,
            rules.codec,
            rules.body_depth,
            out,
            clip=one.clip,
            noise=one.noise,
            open_feedback=open_feedback,
        )
        return root, epsilon

    def _place(self, round_id: RoundId, opened: RoundState) -> UpdatePlace:
        return UpdatePlace(self.domain, self.node, self.task, round_id, opened.opening)
