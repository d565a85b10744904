"""Answers demands: shows on chain what somebody cannot get of a result, before the deadline, and is paid for it."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from aggregator.finalizer import TROUBLE
from dao.audit.answering import build_answer
from dao.chain.client import Chain
from dao.chain.cursor import EventCursor
from dao.chain.demanding import decode_leaf_place
from dao.chain.disputes import Disputes
from dao.chain.events import Demanded
from dao.chain.sender import Sender
from dao.chain.task_follower import TaskFollower
from dao.core.types import TaskId, Timestamp
from dao.errors import Reverted
from dao.runtime.backoff import pauses
from dao.runtime.side_tasks import open_side_tasks
from dao.store.source import Source

# seconds of block time after a failure, and after many: each try opens whole contents
RETRY, LONGEST_RETRY = 2, 60


class Answerer:
    """Answers the demands of one task, of whatever Superlink's rounds: whoever has the content may, and earns the bond."""

    def __init__(
        self,
        chain: Chain,
        task: TaskId,
        sender: Sender,
        source: Source,
        scratch: Path,
        most_gas: int,
        follower: TaskFollower,
        report: Callable[..., None],
    ) -> None:
        """`most_gas`: for one answer, 0: none is sent; `report` takes events, as `StatusStream.emit` does."""
        self._chain, self._task, self._sender = chain, task, sender
        self._source, self._scratch, self._most_gas = source, scratch, most_gas
        self._follower, self._report = follower, report
        self._building = asyncio.Lock()

    async def run(self) -> None:
        """Answer what is demanded, as it is demanded; runs until cancelled."""
        start = self._chain.deployment.block
        cursor = EventCursor(self._chain, start, (Demanded,), self._task)
        async with open_side_tasks("answer") as start_beside:
            async for event in cursor:
                if isinstance(event, Demanded):
                    start_beside(self._answer(event))

    async def _answer(self, demanded: Demanded) -> None:
        """Answer one demand, until it is answered, by whomever, or too late."""
        place, reported = decode_leaf_place(demanded.place), False
        for pause in pauses(RETRY, LONGEST_RETRY):
            try:
                if not await self._is_open(demanded):
                    return
                if not reported:
                    self._report(
                        "demanded", round=demanded.round, leaf=str(place), deadline=demanded.deadline
                    )
                    reported = True
                if self._most_gas == 0:
                    return
                async with self._building:  # one at a time: each opens whole contents
                    self._scratch.mkdir(parents=True, exist_ok=True)
                    answer = await build_answer(
                        self._chain, self._source, self._task, demanded.round, place, self._scratch
                    )
                call = Disputes(self._chain).answer(
                    self._task,
                    demanded.round,
                    demanded.place,
                    answer.result,
                    answer.statement,
                    answer.content,
                )
                key = f"answer:{self._task}:{demanded.round}:{place}"
                receipt = await self._sender.send(call, key, most_gas=self._most_gas)
            except (Reverted, *TROUBLE) as error:
                self._report("trouble", round=demanded.round, error=f"demand of {place}: {error}")
                await self._follower.wait(Timestamp(self._follower.now() + round(pause)))
            else:
                self._report("answered", round=demanded.round, leaf=str(place), gas=receipt.gas_used)
                return

    async def _is_open(self, demanded: Demanded) -> bool:
        at = self._chain.final()
        state = await Disputes(self._chain).demand_of(self._task, demanded.round, demanded.place, at)
        return state.is_open and at.timestamp < state.deadline
