"""Audits whole rounds in the background, drawn by this node's own chance, and proves on chain what is wrong.

One round at a time, at most until it could be final. Nobody can tell beforehand which rounds a node audits: it draws them
by signatures that it shows to nobody.
"""

import asyncio
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

import structlog

from dao.audit import Check, Outcome, audit, exit_code
from dao.audit.accusing import Proof, find_proof
from dao.audit.findings import UnusableManifest
from dao.chain.block_clock import BlockClock
from dao.chain.client import Chain
from dao.chain.final_reader import FinalReader
from dao.chain.signer import Signer
from dao.core.round_machine import STANDING, compute_challenge_deadline
from dao.core.types import Digest, Phase, RoundId, RoundState, Rules, TaskId, hex_of
from dao.errors import AuditError, DaoError, RuleError
from dao.store.layered import LayeredStore
from node.approvals import Approvals
from node.evaluators import EvaluatorOf, open_evaluator
from node.journal import SupernodeJournal
from node.self_defence import SelfDefence

AUDIT = "audit"  # a round's fact: what its audit found
AUDITED = "audited_result"  # another: the hash of the result, where nothing was done against it
HOLDS = "audited: all {} checks hold"
UNCHECKED = "audited: nothing differs, and {} could not be checked"
DIFFERS = "audited: {}"
UNPROVABLE = "no prover can show it; have the DAO decide: dao challenge --reason"
GRADIENTS = ("gate gradient", "reference gradient")  # checks of what jurors judge
LIMIT = 3600.0  # seconds of one audit at most
MOST_BEHIND = 8  # rounds back that are looked at: by a daemon which starts, and where blocks are gone
_NO_RESULT = (Phase.NONE, Phase.OPEN, Phase.CLOSED)
_log = structlog.get_logger()


@dataclass(frozen=True)
class RoundAuditor:
    """One task's audits by one node; `share` of its rounds, 0 to 1.

    `evaluator_of` makes what computes its gradients; `home` has its folders.
    """

    task: TaskId
    chain: Chain
    reader: FinalReader
    clock: BlockClock
    journal: SupernodeJournal
    store: LayeredStore
    defence: SelfDefence
    signer: Signer
    approvals: Approvals
    evaluator_of: EvaluatorOf
    home: Path
    share: float
    # what was audited of rounds that the journal does not know, as it does of others
    _unseen: dict[RoundId, str] = field(default_factory=dict, init=False, repr=False)

    async def run(self) -> None:
        """Audit round after round, until cancelled; those of late again where blocks are gone that may have voided them."""
        seen = RoundId(max(0, await self.reader.read_last_round() - MOST_BEHIND))
        while True:
            reorgs = self.reader.reorgs
            last = await self.reader.wait_next_round(seen, reorgs)
            for number in range(seen + 1, last + 1):
                await self.look(RoundId(number), reorgs)
            seen = last if self.reader.reorgs == reorgs else RoundId(max(0, last - MOST_BEHIND))

    async def look(self, round_id: RoundId, reorgs: int) -> None:
        """Wait for a round's result, or until blocks are gone since `reorgs` was this, and audit it where it is drawn and may yet be proven wrong."""
        state = await self.reader.wait_leaving(round_id, _NO_RESULT, reorgs)
        if state.phase not in STANDING or not self.is_drawn(state) or self._is_audited(round_id, state):
            return
        said, may_stand = await self.check(round_id, state)
        _log.info("audited", task=self.task, round=round_id, found=said)
        audited = hex_of(state.result_hash) if may_stand else ""
        try:
            step = self.journal.note_of(self.task, round_id).step
        except RuleError:  # a round that this node has not seen open
            for old in [one for one in self._unseen if one <= round_id - MOST_BEHIND]:
                del self._unseen[old]
            self._unseen[round_id] = audited
        else:
            self.journal.reach(self.task, round_id, step, facts={AUDIT: said, AUDITED: audited})

    def is_drawn(self, state: RoundState) -> bool:
        """Whether this node audits a round: the same after a restart, and foreseen by nobody else."""
        drawn = sha256(self.signer.sign(Digest(sha256(b"audit" + state.opening).digest()))).digest()
        return int.from_bytes(drawn[:8], "big") < self.share * 2**64

    async def check(self, round_id: RoundId, state: RoundState) -> tuple[str, bool]:
        """Audit a round and prove what is wrong; return what was found, and whether nothing was done against it."""
        rules = await self.reader.read_rules_of(round_id)
        limit = min(LIMIT, max(0.0, compute_challenge_deadline(rules, state) - self.clock.now()))
        try:
            async with asyncio.timeout(limit):
                checks = await self._audit(round_id, rules)
                if exit_code(checks) != 1:
                    return _describe(checks), True
                proof, why = await self._find_proof(round_id)
        except TimeoutError:
            return f"not audited: it took longer than {limit:.0f} s", True
        except UnusableManifest as error:
            return f"{_describe(checks)}; {await self.defence.contest(round_id, str(error))}", False
        except (DaoError, OSError) as error:
            return f"not audited: {error}", True
        # not within the limit: what is announced is shown, too
        if proof is not None:
            outcome = await self.defence.prove(round_id, proof)
        elif any(check.outcome is Outcome.FAILED and check.name in GRADIENTS for check in checks):
            outcome = await self.defence.accuse_gradients(round_id)
        else:
            return f"{_describe(checks)}; {why}", True
        return f"{_describe(checks)}; {outcome}", False

    async def _audit(self, round_id: RoundId, rules: Rules) -> list[Check]:
        opening = open_evaluator(
            *(self.store, self.approvals, self.task, rules, self.evaluator_of),
            app=self.home / f"audit-{self.task}" / "app",
            scratch=self.home / f"audit-{self.task}",
        )
        async with opening as evaluator:
            making = audit(
                self.chain, self.store, self.task, round_id, Path(sys.executable), evaluator=evaluator
            )
            return [check async for check in making]

    async def _find_proof(self, round_id: RoundId) -> tuple[Proof | None, str]:
        """Return a proof of what is wrong; None, and why there is none. UnusableManifest where that is the manifest's fault."""
        try:
            return await find_proof(self.chain, self.store, self.task, round_id), UNPROVABLE
        except UnusableManifest:
            raise
        except (AuditError, RuleError) as error:
            return None, str(error)

    def _is_audited(self, round_id: RoundId, state: RoundState) -> bool:
        try:
            audited = self.journal.note_of(self.task, round_id).facts.get(AUDITED)
        except RuleError:
            audited = self._unseen.get(round_id)
        return audited == hex_of(state.result_hash)


def _describe(checks: Sequence[Check]) -> str:
    match exit_code(checks):
        case 0:
            return HOLDS.format(len(checks))
        case 1:
            failed = (check for check in checks if check.outcome is Outcome.FAILED)
            return DIFFERS.format("; ".join(f"{check.name}: {check.detail}" for check in failed))
    return UNCHECKED.format(", ".join(check.name for check in checks if check.outcome is Outcome.UNCHECKED))
