"""Votes on the gradients of results, and accuses those that are not the app's: no prover can judge a float.

The chain draws the jurors of a case, and who is drawn and does not vote loses stake: so the daemon votes by itself. It accuses a
result that it finds wrong among those that it draws by its own chance, and judges its case once the votes are in.
"""

import asyncio
import secrets
import tempfile
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from dao.audit.gradients import GradientJudgement, judge_gradients
from dao.chain.blocks import BlockRef
from dao.chain.client import Chain
from dao.chain.contracts import Call, Coordinator
from dao.chain.cursor import EventCursor
from dao.chain.events import Reorg, ResultPosted
from dao.chain.gradient_votes import (
    GradientCase,
    GradientVerdict,
    GradientVotes,
    accuse_gradients,
    compute_vote_commitment,
)
from dao.chain.rounds import RoundReader
from dao.chain.sender import Sender
from dao.chain.vote_events import GradientAccused
from dao.core.types import Address, BlockNumber, Digest, Phase, RoundId, TaskId, Timestamp
from dao.errors import DaoError, Reorged, Reverted
from dao.runtime.backoff import pauses
from dao.runtime.side_tasks import open_side_tasks
from dao.store.source import Source
from node.approvals import Approvals
from node.evaluators import EvaluatorKeeper, EvaluatorOf
from node.journal import SupernodeJournal

WAIT = 30.0  # seconds without a new block until a case is looked at again
LONGEST_PAUSE = 60.0  # seconds until what failed is tried again
RECENT = 8  # cases back that are looked at again where blocks are gone
_log = structlog.get_logger()


@dataclass(frozen=True)
class GradientJuror:
    """One node's part in the cases of one task. `most_gas`: of one transaction; 0: it sends none, and looks at nothing."""

    chain: Chain
    sender: Sender
    source: Source
    journal: SupernodeJournal
    approvals: Approvals
    task: TaskId
    evaluator_of: EvaluatorOf
    scratch: Path
    most_gas: int
    # about so many members check a result that nobody accused; 0: this node checks none
    checkers: int = 1
    _keeper: EvaluatorKeeper = field(init=False)
    _serving: set[RoundId] = field(default_factory=set, init=False)  # rounds whose case is not over

    def __post_init__(self) -> None:
        keeper = EvaluatorKeeper(self.source, self.approvals, self.task, self.evaluator_of, self.scratch)
        object.__setattr__(self, "_keeper", keeper)

    @property
    def node(self) -> Address:
        """The operator that votes."""
        return self.sender.address

    async def close(self) -> None:
        """End what computes gradients."""
        await self._keeper.close()

    async def run(self) -> None:
        """Look at each result as it is posted, and serve in each case as it is opened; until cancelled.

        Where blocks are gone, a case that was over may be open again.
        """
        if not self.most_gas:
            return
        kinds = (GradientAccused, ResultPosted)
        cursor = EventCursor(self.chain, await self._find_start(), kinds, self.task)
        cases: deque[RoundId] = deque(maxlen=RECENT)
        async with open_side_tasks("gradients") as start_beside:
            async for event in cursor:
                if isinstance(event, GradientAccused):
                    if event.round not in cases:
                        cases.append(event.round)
                    start_beside(self._keep_serving(event.round))
                elif isinstance(event, Reorg):
                    for round_id in cases:
                        start_beside(self._keep_serving(round_id))
                elif isinstance(event, ResultPosted):
                    start_beside(self._keep_checking(event.round))

    async def _find_start(self) -> BlockNumber:
        """Return the block in which the oldest round opened that is not decided."""
        at = self.chain.final()
        undecided = await RoundReader(self.chain, self.task).read_undecided(at)
        return min((BlockNumber(state.open_block) for state in undecided.values()), default=at.number)

    async def _keep_checking(self, round_id: RoundId) -> None:
        """Check a result, if chance has it, and accuse it if it is wrong."""
        try:
            await self.check(round_id)
        except (DaoError, OSError) as error:
            _log.warning("gradients not checked", task=self.task, round=round_id, error=str(error))

    async def check(self, round_id: RoundId) -> GradientJudgement | None:
        """Judge a posted result's gradients and accuse it if they are wrong; None where chance leaves that to others.

        So it does where another result is being judged: rounds that are faster would never be caught up with.
        """
        state = await Coordinator(self.chain).round_of(self.task, round_id, self.chain.final())
        if state.phase is not Phase.POSTED or self._keeper.is_busy:
            return None
        if secrets.randbelow(max(state.eligible, 1)) >= self.checkers:
            return None
        judgement = await self._judge(round_id, opens_all=False)
        if judgement.is_wrong and not judgement.is_missing:
            _log.error("a gradient is wrong", task=self.task, round=round_id, what=judgement.words)
            await self._accuse(round_id, state.result_hash)
        return judgement

    async def _accuse(self, round_id: RoundId, result: Digest) -> None:
        place = self.chain, self.sender, self.task, round_id
        try:
            await accuse_gradients(*place, result, most_gas=self.most_gas)
        except Reverted as error:  # another was first, or the round has another result by now
            _log.warning("not accused", task=self.task, round=round_id, error=str(error))

    async def _keep_serving(self, round_id: RoundId) -> None:
        """Serve in a case until it is over, whatever fails meanwhile."""
        if round_id in self._serving:
            return None
        self._serving.add(round_id)
        try:
            for pause in pauses(longest=LONGEST_PAUSE):
                try:
                    return await self.serve(round_id)
                except (DaoError, OSError) as error:
                    _log.warning("case not served", task=self.task, round=round_id, error=str(error))
                    await asyncio.sleep(pause)
        finally:
            self._serving.discard(round_id)

    async def serve(self, round_id: RoundId) -> None:
        """Vote in a case if this node is drawn, judge it when that is due, and fine who did not vote."""
        votes = GradientVotes(self.chain)
        case = await self._wait(round_id, lambda case, at: at.number > case.open_block + 1)
        if case.accuser == self.node and not any(case.seed) and case.is_open:
            await self._send(votes.draw(self.task, round_id), "draw", round_id)
        if case.is_open and await votes.weight_of(self.task, round_id, self.node, self.chain.final()):
            await self._vote(round_id, case)
        # the accuser is the first to count; others do where it does not
        late = 0 if case.accuser == self.node else (case.reveal_end - case.commit_end) // 4
        case = await self._wait(
            round_id, lambda case, at: case.is_heard(Timestamp(at.timestamp - late)) or not case.is_open
        )
        if case.is_open:
            await self._count(round_id)

    async def _vote(self, round_id: RoundId, case: GradientCase) -> None:
        votes, at = GradientVotes(self.chain), self.chain.final()
        ballot = await votes.ballot_of(self.task, round_id, self.node, at)
        result = await self._read_result(round_id)
        if not any(ballot.commitment) and at.timestamp < case.commit_end:
            is_wrong = await self._decide(round_id, result, case)
            vote = self.journal.vote(self.task, round_id, result, is_wrong=is_wrong)
            place = self.node, self.task, round_id
            commitment = compute_vote_commitment(*place, vote.salt, is_wrong=vote.is_wrong)
            call = votes.commit_vote(self.task, round_id, result, commitment)
            await self._send(call, f"vote:{result.hex()}", round_id)
        elif not any(ballot.commitment) or ballot.is_revealed:
            return
        own = self.journal.vote_of(self.task, round_id, result)
        if own is None:
            return  # committed by another daemon: only that one can reveal
        await self._wait(round_id, lambda case, at: at.timestamp >= case.commit_end)
        reveal = votes.reveal_vote(self.task, round_id, own.salt, is_wrong=own.is_wrong)
        await self._send(reveal, f"reveal-vote:{result.hex()}", round_id)

    async def _read_result(self, round_id: RoundId) -> Digest:
        """Return the hash of the result that a round has now."""
        return (await Coordinator(self.chain).round_of(self.task, round_id, self.chain.final())).result_hash

    async def _decide(self, round_id: RoundId, result: Digest, case: GradientCase) -> bool:
        """Return whether a gradient is wrong; one that cannot be had for most of the time to vote is.

        Reorged where the round has another result by then.
        """
        vote = self.journal.vote_of(self.task, round_id, result)
        if vote is not None:
            return vote.is_wrong
        patience = (case.reveal_end - case.commit_end) // 4
        for pause in pauses(longest=LONGEST_PAUSE):
            judgement = await self._judge(round_id, opens_all=True)
            is_late = self.chain.final().timestamp >= case.commit_end - patience
            if not judgement.is_missing or is_late:
                break
            await asyncio.sleep(pause)
        if await self._read_result(round_id) != result:
            raise Reorged(f"task {self.task} round {round_id}: has another result; it is judged anew")
        verdict = "wrong" if judgement.is_wrong else "right"
        _log.info("votes", task=self.task, round=round_id, vote=verdict, why=judgement.words)
        return judgement.is_wrong

    async def _count(self, round_id: RoundId) -> None:
        """Judge a case, and fine the jurors that owe it."""
        votes, reader, at = GradientVotes(self.chain), RoundReader(self.chain, self.task), self.chain.final()
        events = await reader.events_of(round_id, at)
        await self._send(votes.judge(self.task, round_id), "judge", round_id)
        case = await votes.case_of(self.task, round_id, self.chain.final())
        _log.warning("case over", task=self.task, round=round_id, verdict=case.verdict.name.lower())
        for juror in await reader.owners_of(events.opened):
            if await self._owes(round_id, juror, case):
                await self._send(votes.fine(self.task, round_id, juror), f"fine:{juror.hex()}", round_id)

    async def _owes(self, round_id: RoundId, juror: Address, case: GradientCase) -> bool:
        votes, at = GradientVotes(self.chain), self.chain.final()
        if case.verdict in (GradientVerdict.NONE, GradientVerdict.LAPSED):
            return False
        ballot = await votes.ballot_of(self.task, round_id, juror, at)
        lost = GradientVerdict.RIGHT if ballot.is_wrong else GradientVerdict.WRONG
        owes = not ballot.is_fined and (not ballot.is_revealed or case.verdict is lost)
        return owes and bool(await votes.weight_of(self.task, round_id, juror, at))

    async def _judge(self, round_id: RoundId, *, opens_all: bool) -> GradientJudgement:
        """Compute the gradients of a result again, one result at a time, by the app that the owner approved."""
        rules = await Coordinator(self.chain).rules_of_round(self.task, round_id, self.chain.final())
        async with self._keeper.borrow(rules) as evaluator:
            with tempfile.TemporaryDirectory(prefix="gradients-", dir=self.scratch) as folder:
                place = self.chain, self.source, self.task, round_id
                return await judge_gradients(*place, evaluator, Path(folder), opens_all=opens_all)

    async def _send(self, call: Call, what: str, round_id: RoundId) -> None:
        """Send a call once, also after a restart; one that is refused is logged: another was first, or it is too late."""
        try:
            await self.sender.send(call, f"{what}:{self.task}:{round_id}", most_gas=self.most_gas)
        except Reverted as error:
            _log.warning("refused", call=call.label, task=self.task, round=round_id, error=str(error))

    async def _wait(self, round_id: RoundId, holds: Callable[[GradientCase, BlockRef], bool]) -> GradientCase:
        """Return a case once it holds of it at a final block."""
        while True:
            at = self.chain.final()
            case = await GradientVotes(self.chain).case_of(self.task, round_id, at)
            if not any(case.accuser) or holds(case, at):
                return case
            await self.chain.changed(WAIT)
