"""Shows on chain which Supernodes signed two commits to one opening: each loses stake, once for each round."""

import asyncio
from collections.abc import Callable

from aggregator.finalizer import TROUBLE
from aggregator.journal import SuperlinkJournal
from dao.chain.client import Chain
from dao.chain.convictions import convict_node
from dao.chain.rounds import SETTLED
from dao.chain.sender import Sender
from dao.core.commits import SignedCommit
from dao.core.types import BlockNumber, TaskId
from dao.errors import Reverted
from dao.runtime.backoff import pauses

RETRY, LONGEST_RETRY = 2.0, 600.0  # seconds after a failure, and after many


class NodeAccuser:
    """The two commits of each node of one task that signed two, as the journal has them."""

    def __init__(
        self,
        chain: Chain,
        task: TaskId,
        sender: Sender,
        journal: SuperlinkJournal,
        most_gas: int,
        report: Callable[..., None],
    ) -> None:
        """`most_gas`: for one proof, 0: none is sent; `report` takes events, as `StatusStream.emit` does."""
        self._chain, self._task, self._sender = chain, task, sender
        self._journal, self._most_gas, self._report = journal, most_gas, report
        # second commits of which nothing is left to show, and since which block
        self._settled: dict[SignedCommit, BlockNumber] = {}
        self._news = asyncio.Event()

    def note(self) -> None:
        """Look into the journal: it has another second commit."""
        self._news.set()

    async def run(self) -> None:
        """Show what there is, and what comes; runs until cancelled."""
        retries, reorgs = pauses(RETRY, LONGEST_RETRY), self._chain.reorgs
        while True:
            self._news.clear()
            if self._chain.reorgs != reorgs:
                reorgs = self._chain.reorgs
                self._unsettle()
            if await self._show_all():
                retries = pauses(RETRY, LONGEST_RETRY)
                await self._wait(reorgs)
            else:
                await asyncio.sleep(next(retries))

    async def _wait(self, reorgs: int) -> None:
        """Wait for news, or until blocks are gone, which may have held what was shown."""
        waiting = [asyncio.create_task(one) for one in (self._news.wait(), self._chain.wait_reorg(reorgs))]
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waiting:
                task.cancel()

    def _unsettle(self) -> None:
        """Have shown again what blocks that are gone may have held."""
        safe = self._chain.head().number - SETTLED
        self._settled = {commit: block for commit, block in self._settled.items() if block < safe}

    async def _show_all(self) -> bool:
        """Show what is not settled; return whether all is."""
        for first, second in self._journal.list_equivocations(self._task):
            if second in self._settled or not self._most_gas:
                continue
            try:
                await self._show(first, second)
            except TROUBLE as error:
                self._report("trouble", round=second.round, error=f"two commits of a node: {error}")
                return False
            self._settled[second] = self._chain.head().number
        return True

    async def _show(self, first: SignedCommit, second: SignedCommit) -> None:
        try:
            shown = await convict_node(self._chain, self._sender, first, second, self._most_gas)
        except Reverted as error:  # another was first, or a reorg has given the round another opening
            self._report("not convicted", round=second.round, node=second.node, reason=str(error))
        else:
            self._report("convicted", round=second.round, node=second.node, paid=shown.paid)
