"""Puts Supernodes to sleep that were absent from the last rounds: each round would wait its whole commit period for them."""

from collections.abc import Callable

from aggregator.finalizer import IDLE, RETRY, TROUBLE
from dao.audit.sleepers import MOST, Sleeper, find_sleepers, put_to_sleep
from dao.chain.client import Chain
from dao.chain.contracts import Coordinator
from dao.chain.sender import Sender
from dao.chain.task_follower import TaskFollower
from dao.core.types import RoundId, TaskId, Timestamp
from dao.errors import Reverted
from dao.store.source import Source


class Absentees:
    """Looks after each result who was absent too often, in one task."""

    def __init__(
        self,
        chain: Chain,
        task: TaskId,
        sender: Sender,
        source: Source,
        most_gas: int,
        follower: TaskFollower,
        report: Callable[..., None],
    ) -> None:
        """`most_gas`: for one of them, 0: none is put to sleep; `report` takes events, as `StatusStream.emit` does."""
        self._chain, self._task, self._sender, self._source = chain, task, sender, source
        self._most_gas, self._follower, self._report = most_gas, follower, report
        self._seen = RoundId(0)  # the newest result that was looked at

    async def run(self) -> None:
        """Look after each result; runs until cancelled."""
        while True:
            version, again = self._follower.version, IDLE
            try:
                await self._look()
            except TROUBLE as error:
                self._report("trouble", error=f"absent members: {error}")
                again = RETRY
            if version == self._follower.version:
                await self._follower.wait(Timestamp(self._follower.now() + again))

    async def _look(self) -> None:
        head = (await Coordinator(self._chain).task_of(self._task, self._chain.final())).head
        if head == self._seen or self._most_gas == 0:
            return
        for sleeper in (await find_sleepers(self._chain, self._source, self._task))[:MOST]:
            await self._put_to_sleep(sleeper)
        self._seen = head

    async def _put_to_sleep(self, sleeper: Sleeper) -> None:
        try:
            receipt = await put_to_sleep(self._chain, self._sender, self._task, sleeper, self._most_gas)
        except Reverted as error:  # another was first, or newer results are there
            self._report("trouble", round=sleeper.round, error=f"absent member: {error}")
        else:
            self._report("slept", round=sleeper.round, node=sleeper.node, gas=receipt.gas_used)
