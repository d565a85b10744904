"""The calls of a Superlink's rounds: each is sent once, and those of one moment are one transaction."""

from collections.abc import Callable

from aggregator.finalizer import Finalizer
from aggregator.readiness import MISSING, SuperlinkReadiness
from dao.chain.contracts import Call, Coordinator
from dao.chain.events import Finalized, RoundOpened
from dao.chain.receipts import TxReceipt
from dao.chain.reverts import NOT_YET
from dao.chain.sender import Sender
from dao.chain.task_follower import TaskFollower
from dao.core.types import BlockNumber, Result, RoundId, TaskId, Timestamp, hex_of
from dao.errors import Reverted
from dao.runtime.failpoint import failpoint

RETRY = 1  # seconds of block time


class RoundCalls:
    """Sends the calls of one task's rounds; `report` takes events, as `StatusStream.emit` does."""

    def __init__(
        self,
        coordinator: Coordinator,
        task: TaskId,
        sender: Sender,
        follower: TaskFollower,
        finalizer: Finalizer,
        readiness: SuperlinkReadiness,
        report: Callable[..., None],
    ) -> None:
        self._coordinator, self._task = coordinator, task
        self._sender, self._follower, self._finalizer = sender, follower, finalizer
        self._readiness, self._report = readiness, report

    async def send(
        self, call: Call, what: str, round_id: RoundId, opened: BlockNumber | None = None
    ) -> TxReceipt | None:
        """Send a call of this round, or of its opening in a block, once however often it is tried.

        None, after a moment, when it reverts.
        """
        version = self._follower.version  # news that comes while the call is sent ends the wait at once
        try:
            return await self._send(call, what, round_id, opened)
        except Reverted as error:
            if what == "open" and error.error in MISSING:
                await self._readiness.wait(error, version)
                return None
            if error.error not in NOT_YET:
                self._report("trouble", round=round_id, error=str(error))
            await self._follower.wait(Timestamp(self._follower.now() + RETRY))
            return None

    async def post(self, round_id: RoundId, result: Result, *, opens_next: bool) -> TxReceipt | None:
        """Post a result, with what is due to be finalized and, if told so, the opening of the next round.

        The result goes alone where one of these is refused. None, after a moment, when it is refused itself.
        """
        post = self._coordinator.post_result(self._task, round_id, result)
        others = [*(await self._finalizer.list_due()).values()]
        if opens_next:
            others.append(self._coordinator.open_round(self._task))
        receipt = None
        if others:
            try:
                receipt = await self._send(self._coordinator.multicall([post, *others]), "post", round_id)
            except Reverted as error:
                self._report("alone", round=round_id, reason=str(error))
        receipt = receipt or await self.send(post, "post", round_id)
        for event in receipt.events if receipt else ():
            if isinstance(event, Finalized):
                self._report("finalized", round=event.round)
            elif isinstance(event, RoundOpened):
                self._readiness.reset()
                failpoint("superlink-opened-next")
        return receipt

    async def _send(
        self, call: Call, what: str, round_id: RoundId, opened: BlockNumber | None = None
    ) -> TxReceipt:
        key = f"{what} {hex_of(self._coordinator.address)} {self._task} {round_id} {opened or ''}"
        receipt = await self._sender.send(call, key)
        self._report("transaction", round=round_id, label=call.label, gas=receipt.gas_used)
        return receipt
