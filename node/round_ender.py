"""Ends what is over and nobody else has ended: rounds whose Superlink is gone, and demands that nobody answered."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass

import structlog

from dao.chain.block_clock import BlockClock
from dao.chain.blocks import BlockRef
from dao.chain.client import Chain
from dao.chain.contracts import Call, Coordinator
from dao.chain.demanding import decode_leaf_place, list_open_demands
from dao.chain.disputes import Demandable, Disputes
from dao.chain.rounds import RoundReader
from dao.chain.sender import Sender
from dao.core.round_machine import (
    STANDING,
    compute_challenge_deadline,
    compute_earliest_abort,
    compute_resolve_deadline,
)
from dao.core.types import Address, BlockNumber, Phase, RoundId, RoundState, Rules, TaskId
from dao.errors import ChainError, DaoError
from node.turns import read_turn

GRACE = 60  # seconds of block time that are left to those whose part it is
TURN = 30  # seconds of block time until others try it, too
LOOK = 120  # seconds of block time until the task is looked at again without anything due
ABORT, VOID, FINALIZE, EXPIRE = "abort", "void", "finalize", "expire"
_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Ending:
    """What anyone may end from a second of block time on: a round, or a demand of one of its leaves."""

    what: str
    round: RoundId
    state: RoundState
    since: float
    place: Demandable | None = None  # of a demand

    @property
    def key(self) -> str:
        """Name it the same in each process, and otherwise where a reorg has opened the round anew."""
        place = "" if self.place is None else f":{decode_leaf_place(self.place)}"
        return f"{self.what}:{self.round}:{self.state.open_block}{place}"


class RoundEnder:
    """One task's ends by one node; `most_gas` is what one transaction may take."""

    def __init__(
        self, chain: Chain, sender: Sender, clock: BlockClock, task: TaskId, node: Address, most_gas: int
    ) -> None:
        self._chain, self._sender, self._clock = chain, sender, clock
        self._task, self._node, self._most_gas = task, node, most_gas
        self._coordinator, self._disputes = Coordinator(chain), Disputes(chain)
        self._reader = RoundReader(chain, task)
        self._rules: dict[tuple[RoundId, BlockNumber], Rules] = {}  # of undecided rounds, by their opening
        # when one was first seen to end with its parent
        self._seen: dict[tuple[RoundId, BlockNumber], float] = {}
        self._turns: dict[tuple[RoundId, BlockNumber], int] = {}
        self._told: set[str] = set()  # what could not be ended, and was said so

    async def run(self) -> None:
        """End what is due, as it becomes due; runs until cancelled."""
        while True:
            try:
                due = await self.look()
            except ChainError as error:
                _log.warning("rounds not looked at", task=self._task, error=str(error))
                due = self._clock.now() + TURN
            while (left := due - self._clock.now()) > 0:
                with suppress(TimeoutError):
                    async with asyncio.timeout(left):
                        await self._clock.next_block()

    async def look(self) -> float:
        """End what it is this node's turn to end; return when to look again, in block time."""
        soonest, endings = self._clock.now() + LOOK, await self._list_endings()
        self._told &= {ending.key for ending in endings}
        for ending in endings:
            due = ending.since + GRACE
            if due <= self._clock.now():
                due += TURN * await self._read_turn(ending)
            if due <= self._clock.now():
                is_done = await self._end(ending)
                due = self._clock.now() + (0 if is_done else TURN)
            soonest = min(soonest, due)
        return soonest

    async def _list_endings(self) -> list[Ending]:
        """Return what anyone may end some time, oldest first."""
        at, phases = self._chain.final(), {RoundId(0): Phase.FINALIZED}
        rounds = await self._reader.read_undecided(at)
        openings = {(round_id, state.open_block) for round_id, state in rounds.items()}
        for kept in (self._rules, self._seen, self._turns):
            for gone in kept.keys() - openings:
                del kept[gone]
        endings = []
        for round_id, state in rounds.items():
            if state.parent not in phases:
                parent = await self._coordinator.round_of(self._task, state.parent, at)
                phases[state.parent] = parent.phase
            phases[round_id] = state.phase
            rules = await self._read_rules(round_id, state, at)
            found = find_end(rules, state, phases[state.parent])
            if found is None:
                continue
            what, since = found
            if since is None:
                since = self._seen.setdefault((round_id, state.open_block), self._clock.now())
            endings.append(Ending(what, round_id, state, since))
        return endings + await self._list_demands(rounds)

    async def _read_rules(self, round_id: RoundId, state: RoundState, at: BlockRef) -> Rules:
        key = round_id, state.open_block
        if key not in self._rules:
            self._rules[key] = await self._coordinator.rules_of_round(self._task, round_id, at)
        return self._rules[key]

    async def _list_demands(self, rounds: dict[RoundId, RoundState]) -> list[Ending]:
        """Return the open demands of rounds that stand; where one is past its deadline, its end voids the round."""
        standing = {r: s for r, s in rounds.items() if s.phase in STANDING}
        return [
            Ending(EXPIRE, one.round, standing[one.round], one.deadline, one.place)
            for one in await list_open_demands(self._chain, self._task, standing)
        ]

    async def _read_turn(self, ending: Ending) -> int:
        key, seed = (ending.round, ending.state.open_block), ending.state.opening
        if key not in self._turns:
            at = self._chain.final()
            self._turns[key] = await read_turn(self._reader, ending.round, seed, self._node, at)
        return self._turns[key]

    async def _end(self, ending: Ending) -> bool:
        """Send the call; return whether it took effect: another may have been first, or the account has no ether."""
        try:
            call = await self._make_call(ending)
            key = f"end:{self._task}:{ending.key}"
            receipt = await self._sender.send(call, key, most_gas=self._most_gas)
        except DaoError as error:
            if ending.key not in self._told:
                self._told.add(ending.key)
                _log.warning(
                    "not ended", task=self._task, round=ending.round, what=ending.what, error=str(error)
                )
            return False
        _log.info("ended", task=self._task, round=ending.round, what=ending.what, gas=receipt.gas_used)
        return True

    async def _make_call(self, ending: Ending) -> Call:
        task, round_id = self._task, ending.round
        if ending.what == ABORT:
            return self._coordinator.abort(task, round_id)
        if ending.what == VOID:
            return self._coordinator.void_round(task, round_id)
        if ending.place is not None:
            return self._disputes.expire_demand(task, round_id, ending.place)
        result = await self._reader.find_result(round_id, ending.state, self._chain.final())
        if result is None:
            raise ChainError(f"round {round_id}: posted, but without its event; use a node with more history")
        return self._coordinator.finalize(task, round_id, result)


def find_end(rules: Rules, state: RoundState, parent: Phase) -> tuple[str, float | None] | None:
    """Return how anyone may end an undecided round, and from which second of block time on; None: its parent comes first.

    With its parent a round may end at once: then there is no second.
    """
    is_posted = state.phase in STANDING
    if parent is Phase.VOID:
        return (VOID if is_posted else ABORT), None
    if not is_posted:
        return ABORT, compute_earliest_abort(rules, state)
    if state.phase is Phase.FROZEN:
        return VOID, compute_resolve_deadline(rules, state)
    return (FINALIZE, compute_challenge_deadline(rules, state)) if parent is Phase.FINALIZED else None
