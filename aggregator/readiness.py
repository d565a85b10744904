"""What the next round cannot open without and others must bring: told once, not each time that it is looked for."""

import asyncio
from collections.abc import Callable
from itertools import chain as one_after_the_other
from itertools import repeat

from aggregator.task_watcher import TaskWatcher
from dao.chain.client import Chain
from dao.chain.contracts import Coordinator, Distributor, Registry
from dao.core.errors import Reverted
from dao.core.reasons import format_tokens
from dao.core.types import Address, TaskId, Timestamp, hex_of

MISSING = ("QuorumMissed", "BondTooSmall", "NotFunded")  # refusals of openRound that are nobody's failure
PAUSES = (1, 2, 4, 8, 16)  # seconds of block time from one look to the next
LONGEST = 30  # after these: the task's events wake sooner, but say nothing of bond and money
ROUND_GAS = 250_000  # of a round's transactions


class Readiness:
    """Looks for what a Superlink lacks, and tells `waiting` with the reason when that is another one than before."""

    def __init__(
        self, chain: Chain, task: TaskId, superlink: Address, watch: TaskWatcher, tell: Callable[..., None]
    ) -> None:
        self._chain, self._task, self._superlink = chain, task, superlink
        self._watch, self._tell = watch, tell
        self.over()

    def over(self) -> None:
        """Begin anew: what was missing is there."""
        self._reason = ""
        self._pauses = one_after_the_other(PAUSES, repeat(LONGEST))

    async def look(self) -> None:
        """Find out whether something is missing, and tell what, unless that is known."""
        self._note(await self._missing())

    async def wait(self, refusal: Reverted, version: int) -> None:
        """Wait, after a round was refused, for news of the task since the watch's `version`, or a growing pause."""
        self._note(await self._missing() or [str(refusal)])
        if version == self._watch.version:
            await self._watch.wait(Timestamp(self._watch.now() + next(self._pauses)))

    def _note(self, missing: list[str]) -> None:
        reason = "; ".join(missing)
        if reason != self._reason:
            self.over()
            self._reason = reason
            if reason:
                self._tell("waiting", reason=reason)

    async def _missing(self) -> list[str]:
        at, coordinator = self._chain.head(), Coordinator(self._chain)
        state, rules, stake, available, balance, price = await asyncio.gather(
            coordinator.task_of(self._task, at),
            coordinator.rules_of(self._task, at),
            Registry(self._chain).stake_of(self._superlink, at),
            Distributor(self._chain).available_of(self._task, at),
            self._chain.request("eth_getBalance", hex_of(self._superlink), "latest"),
            self._chain.request("eth_gasPrice"),
        )
        if state.closed or rules.superlink != self._superlink:
            return []  # no round of ours comes
        held, found = int(balance, 16), []
        if state.active < rules.quorum:
            found.append(f"{state.active} of the {rules.quorum} Supernodes of a quorum have joined")
        if stake < rules.superlink_bond:
            found.append(
                f"the bond is {format_tokens(stake)} tokens of {format_tokens(rules.superlink_bond)}; "
                "its owner adds the rest: dao superlink register"
            )
        needed = (state.in_flight + 1) * rules.round_budget
        if available < needed:
            found.append(
                f"the task has {format_tokens(available)} tokens left of {format_tokens(needed)} for its rounds in flight and "
                "one more; the DAO funds it"
            )
        if held < ROUND_GAS * int(price, 16):
            found.append(
                f"the operator has {format_tokens(held)} ether, too little for a round's gas; send it some"
            )
        return found
