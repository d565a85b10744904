"""Puts members to sleep that say nothing where the Superlink does not: each round would wait its commit period for them."""

import structlog

from dao.audit.sleepers import MOST, Sleeper, find_sleepers, put_to_sleep
from dao.chain.client import Chain
from dao.chain.final_reader import FinalReader
from dao.chain.rounds import RoundReader
from dao.chain.sender import Sender
from dao.core.types import Address, RoundId, TaskId
from dao.errors import DaoError
from dao.store.source import Source
from node.turns import read_turn

_log = structlog.get_logger()


class AbsenceWatch:
    """One task's absent members, as one node sees them; `most_gas` is what one transaction may take.

    The Superlink has the round after the three to do it, then members have their turn, one round after the other.
    """

    def __init__(
        self,
        chain: Chain,
        sender: Sender,
        reader: FinalReader,
        source: Source,
        task: TaskId,
        node: Address,
        most_gas: int,
    ) -> None:
        self._chain, self._sender, self._reader, self._source = chain, sender, reader, source
        self._task, self._node, self._most_gas = task, node, most_gas
        self._rounds = RoundReader(chain, task)
        self._times: dict[Address, tuple[RoundId, int]] = {}  # newest result, results in which it was found

    async def run(self) -> None:
        """Look with each new round; runs until cancelled."""
        seen = RoundId(0)
        while True:
            seen = await self._reader.wait_next_round(seen)
            try:
                await self.look()
            except DaoError as error:
                _log.debug("absent members not looked for", task=self._task, error=str(error))

    async def look(self) -> None:
        """Put those to sleep that the Superlink left awake, where it is this node's turn."""
        sleepers = await find_sleepers(self._chain, self._source, self._task)
        times = {one.node: self._times.get(one.node, (RoundId(0), 0)) for one in sleepers}
        for one in sleepers:
            newest, count = times[one.node]
            times[one.node] = (one.round, count + (one.round != newest))
        self._times = times
        late = [one for one in sleepers if times[one.node][1] > 1][:MOST]
        if not late:
            return
        newest = late[0].round  # of each of them
        opening = (await self._reader.read_state(newest)).opening
        turn = await read_turn(self._rounds, newest, opening, self._node, self._chain.final())
        for one in late:
            if times[one.node][1] > 1 + turn:
                await self._put_to_sleep(one)

    async def _put_to_sleep(self, one: Sleeper) -> None:
        try:
            receipt = await put_to_sleep(self._chain, self._sender, self._task, one, self._most_gas)
        except DaoError as error:  # another was first, or newer results are there
            _log.warning("not put to sleep", task=self._task, node=one.node.hex(), error=str(error))
        else:
            _log.info("put to sleep", task=self._task, node=one.node.hex(), gas=receipt.gas_used)
