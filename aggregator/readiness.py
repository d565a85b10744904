"""Checks the preconditions of the next round (quorum, bond, escrow, gas) and reports each change once."""

import asyncio
from collections.abc import Callable
from itertools import chain as one_after_the_other
from itertools import repeat

from dao.chain.client import Chain
from dao.chain.contracts import Coordinator, Distributor, Registry
from dao.chain.task_follower import TaskFollower
from dao.core.formats.reasons import format_tokens
from dao.core.types import Address, TaskId, Timestamp, hex_of
from dao.errors import Reverted

MISSING = ("QuorumMissed", "BondTooSmall", "NotFunded")  # errors of openRound that are nobody's failure
PAUSES = (1, 2, 4, 8, 16)  # seconds of block time from one check to the next
LONGEST = 30  # after these: events of the task wake sooner, but there are none of bond and money
ROUND_GAS = 250_000  # of a round's transactions


class SuperlinkReadiness:
    """Checks what a Superlink lacks, and reports `waiting` with the reason when the reason changes."""

    def __init__(
        self,
        chain: Chain,
        task: TaskId,
        superlink: Address,
        follower: TaskFollower,
        report: Callable[..., None],
    ) -> None:
        self._chain, self._task, self._superlink = chain, task, superlink
        self._follower, self._report = follower, report
        self.reset()

    def reset(self) -> None:
        """Forget the reason and the pauses: nothing is missing any more."""
        self._reason = ""
        self._pauses = one_after_the_other(PAUSES, repeat(LONGEST))

    async def check(self) -> None:
        """Read whether something is missing, and report it unless it was reported."""
        self._note(await self._read_missing())

    async def wait(self, error: Reverted, version: int) -> None:
        """Wait, after a round could not open, for news since the follower's `version`, or a growing pause."""
        self._note(await self._read_missing() or [str(error)])
        if version == self._follower.version:
            await self._follower.wait(Timestamp(self._follower.now() + next(self._pauses)))

    def _note(self, missing: list[str]) -> None:
        reason = "; ".join(missing)
        if reason != self._reason:
            self.reset()
            self._reason = reason
            if reason:
                self._report("waiting", reason=reason)

    async def _read_missing(self) -> list[str]:
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
        gas_money, missing = int(balance, 16), []
        if state.active < rules.quorum:
            missing.append(f"{state.active} of the {rules.quorum} Supernodes of a quorum have joined")
        if stake < rules.superlink_bond:
            missing.append(
                f"the bond is {format_tokens(stake)} tokens of {format_tokens(rules.superlink_bond)}; "
                "its owner adds the rest: dao superlink register"
            )
        needed = (state.in_flight + 1) * rules.round_budget
        if available < needed:
            missing.append(
                f"the task has {format_tokens(available)} tokens left of {format_tokens(needed)} for its rounds in flight and "
                "one more; the DAO funds it"
            )
        if gas_money < ROUND_GAS * int(price, 16):
            missing.append(
                f"the operator has {format_tokens(gas_money)} ether, too little for a round's gas; send it some"
            )
        return missing
