"""Checks what a posted result says of this node, and proves on chain what is wrong: its owner need not look."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from dao.audit.accusing import Proof, find_proof
from dao.audit.findings import UnusableManifest
from dao.chain.block_clock import format_time
from dao.chain.client import Chain
from dao.chain.contracts import Coordinator
from dao.chain.convictions import convict_result
from dao.chain.demanding import demand_leaf, end_demand, read_demand
from dao.chain.gradient_votes import accuse_gradients
from dao.chain.rounds import RoundReader
from dao.chain.sender import Sender
from dao.chain.signer import recover
from dao.core.formats.manifest import Node
from dao.core.formats.reasons import format_tokens
from dao.core.formats.signed_messages import compute_commit_digest
from dao.core.round_machine import STANDING
from dao.core.types import Address, RoundId, TaskId, hex_of
from dao.errors import DaoError, DecodeError, Reverted
from dao.proofs.leaf_places import DemandTree, LeafPlace
from dao.proofs.suspicions import Receipt
from dao.store.source import Source
from node.journal import CommitEntry

NOTHING = "nothing of it is wrong, as far as a proof can show"
PROVEN = "{}; proven on chain: the round is void, and the Superlink lost {} tokens"
UNPROVEN = "{}; no proof was sent: {}"
ACCUSED = "no prover can show it: accused on chain, where jurors vote until {}"
UNACCUSED = "no prover can show it, and jurors were not asked: {}; {} asks them"
UNASKED = "its content was not demanded on chain: {}"
UNSHOWN = "its {} was demanded on chain, and nobody showed it: the round is void"
FALLEN = "its {} was demanded on chain, and the round stands no longer"
SHOWN = "its {} was demanded on chain, and shown there"
WAIT = 60.0  # seconds without a new block until a demand is looked at again
_log = structlog.get_logger()


@dataclass(frozen=True)
class SelfDefence:
    """The claims about one node and its owner in one task; `proves`: what is wrong is sent, from the operator's gas."""

    chain: Chain
    sender: Sender
    source: Source
    task: TaskId
    node: Address
    proves: bool
    most_gas: int | None = None  # of one transaction of a proof; None: whatever it takes

    async def check(
        self, round_id: RoundId, entry: CommitEntry, owner: Address | None, others: Sequence[Receipt] = ()
    ) -> str:
        """Look for what a result has wrong of this node, prove it, and say what was found.

        `owner`: as the result has it. `others` are what the Superlink signed for other nodes' updates, which this one handed over.
        UnusableManifest where nothing can be opened by the result's manifest, or it is of another round.
        """
        subjects = {self.node, *(one.node for one in others)} | ({owner} if owner else set())
        signatures = entry.receipt, entry.revealed
        receipt = Receipt(self.node, entry.commit.commitment, *signatures, entry.reveal.body_root)
        try:
            proof = await find_proof(
                self.chain, self.source, self.task, round_id, of=subjects, receipts=[receipt, *others]
            )
        except UnusableManifest:
            raise
        except (DaoError, OSError) as error:
            return f"could not be checked: {error}"
        if proof is None:
            return NOTHING
        _log.error("the result is wrong", task=self.task, round=round_id, what=proof.words)
        return await self.prove(round_id, proof)

    def is_signed_elsewhere(self, entry: CommitEntry, row: Node) -> bool:
        """Whether a row of this node has another commit than the journal's, signed by its key: then the key runs twice."""
        commit = entry.commit
        place = (commit.task, commit.round, commit.opening, self.node)
        try:
            signer = recover(compute_commit_digest(self.chain.domain, *place, row.commitment), row.signature)
        except DecodeError:
            return False
        return row.commitment != commit.commitment and signer == self.node

    async def contest(self, round_id: RoundId, problem: str) -> str:
        """Demand what a result with an unusable manifest binds; where that does not end it, have jurors vote. Say what came of it.

        A Superlink may answer any demand, or have so many made that there is room for no other, and the result could still not be
        checked: jurors find it wrong for its manifest alone.
        """
        _log.error("the manifest is unusable", task=self.task, round=round_id, what=problem)
        said, may_stand = await self._demand(round_id)
        accused = f"; {await self.accuse_gradients(round_id)}" if may_stand else ""
        return f"{problem}; {said}{accused}"

    async def demand(self, round_id: RoundId) -> str:
        """Demand this node's row of a result whose content nobody gives, see what comes of it, and say so.

        The row is at the node's place among those who might commit, where all of them did; whatever is there, it must be shown.
        """
        return (await self._demand(round_id))[0]

    async def _demand(self, round_id: RoundId) -> tuple[str, bool]:
        """Demand a row; return what came of it in words, and whether the result may stand all the same."""
        reader, at = RoundReader(self.chain, self.task), self.chain.final()
        try:
            members = await reader.owners_of((await reader.events_of(round_id, at)).opened)
            # who took no part in the round looks at a row beside its place, as others of them do at theirs
            index = min(bisect_left(sorted(members), self.node), len(members) - 1)
            place = LeafPlace(DemandTree.ROWS, 0, max(index, 0))
            if not self.proves:
                command = f"dao challenge {self.task} {round_id} --demand {place}"
                return UNASKED.format(f"`prove = false` in its settings; {command}"), True
            await self._send_demand(round_id, place)
            while (demand := await read_demand(self.chain, self.task, round_id, place)).is_open:
                if self.chain.final().timestamp >= demand.deadline:
                    ended = await end_demand(self.chain, self.sender, self.task, round_id, place)
                    return (UNSHOWN if ended.convicted else FALLEN).format(place), False
                await self.chain.changed(WAIT)
            state = await Coordinator(self.chain).round_of(self.task, round_id, self.chain.final())
            if state.phase not in STANDING:
                return FALLEN.format(place), False
        except DaoError as error:
            return UNASKED.format(error), True
        return SHOWN.format(place), True

    async def _send_demand(self, round_id: RoundId, place: LeafPlace) -> None:
        """Demand a leaf, unless another did: then what comes of that one counts."""
        try:
            await demand_leaf(self.chain, self.sender, self.task, round_id, place)
        except Reverted:
            if not any((await read_demand(self.chain, self.task, round_id, place)).demander):
                raise
        else:
            _log.warning("demanded", task=self.task, round=round_id, leaf=str(place))

    async def accuse_gradients(self, round_id: RoundId) -> str:
        """Have jurors vote on a result's gradients, where the owner lets this node, and say what came of it."""
        command = f"dao challenge {self.task} {round_id} --gradients"
        if not self.proves:
            return UNACCUSED.format("`prove = false` in its settings", command)
        try:
            accused = await accuse_gradients(
                self.chain, self.sender, self.task, round_id, most_gas=self.most_gas
            )
        except DaoError as error:
            return UNACCUSED.format(error, command)
        _log.warning("gradients accused", task=self.task, round=round_id, until=accused.reveal_end)
        return ACCUSED.format(format_time(accused.reveal_end))

    async def prove(self, round_id: RoundId, proof: Proof) -> str:
        """Send a proof that a result is wrong, where the owner lets this node, and say what came of it."""
        command = f"dao challenge {self.task} {round_id}"
        if not self.proves:
            return UNPROVEN.format(proof.words, f"`prove = false` in its settings; {command} sends it")
        try:
            convicted = await convict_result(
                *(self.chain, self.sender, proof.accusation, proof.result, proof.statement, proof.records),
                most_gas=self.most_gas,
            )
        except Reverted as error:  # another was first, or the result does not stand any more
            return UNPROVEN.format(proof.words, error)
        except DaoError as error:
            return UNPROVEN.format(proof.words, f"{error}; {command} sends it")
        _log.warning(
            "proven wrong",
            task=self.task,
            round=round_id,
            prover=proof.prover,
            paid=convicted.paid,
            accuser=hex_of(convicted.accuser),
        )
        return PROVEN.format(proof.words, format_tokens(convicted.slashed))
