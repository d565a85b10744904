"""The contracts as typed classes: views that name their block, and calls ready to be sent."""

from collections.abc import Sequence
from dataclasses import astuple, dataclass, replace
from typing import Any

from dao.chain.client import At, Chain
from dao.chain.contract_table import FIELDS
from dao.chain.interface import Interface, load
from dao.chain.structs import rules_fields, rules_of
from dao.core.types import (
    Address,
    BlockNumber,
    Digest,
    Phase,
    Result,
    RoundId,
    RoundState,
    Rules,
    TaskId,
    TaskState,
    Timestamp,
    Wei,
)

NO_LIMIT = Wei((1 << 256) - 1)


@dataclass(frozen=True, slots=True)
class Call:
    """The content of a transaction; `to` None creates a contract. `label` names it in logs and errors.

    `value` goes along in the chain's coin, in wei.
    """

    to: Address | None
    data: bytes
    label: str
    value: int = 0


@dataclass(frozen=True, slots=True)
class SupernodeStake:
    """A Supernode's stake and its newest operator (ISupernodeRegistry.Supernode); without an owner: the zero address.

    While the operator is `revoked`, the active stake counts for nobody.
    """

    owner: Address
    active: Wei
    unbonding: Wei
    release_time: Timestamp
    operator: Address
    revoked: bool

    def active_of(self, operator: Address) -> Wei:
        """Return the active stake that counts for an operator: none once it was replaced or revoked."""
        return Wei(0) if self.revoked or operator != self.operator else self.active


class Contract:
    """A contract of the network, at its address; `name` is its row's in CONTRACTS, and set by each class below."""

    name: str

    def __init__(self, chain: Chain, name: str | None = None) -> None:
        self.name = name or self.name
        self.address: Address = getattr(chain.deployment, FIELDS[self.name])
        self._chain = chain
        self._interface: Interface = load(self.name)

    @property
    def has_owner(self) -> bool:
        """Whether some settings may be changed by one account alone."""
        return "owner" in self._interface.functions

    async def owner(self, at: At) -> Address:
        """Return the account that may change its settings; it should be the timelock."""
        return Address(await self._read("owner", at=at))

    async def _read(self, function: str, *args: object, at: At) -> Any:
        values = await self._chain.call(self.address, self._interface.functions[function], *args, at=at)
        return values[0] if len(values) == 1 else values

    def _call(self, function: str, *args: object, label: str = "") -> Call:
        data = self._interface.functions[function].encode(*args)
        return Call(self.address, data, label or function)


class Coordinator(Contract):
    """TrainingCoordinator: tasks and rounds."""

    name = "TrainingCoordinator"

    async def rules_of(self, task: TaskId, at: At) -> Rules:
        """Return the rules that a task's next round opens with; Reverted when there is no such task."""
        return rules_of(await self._read("rulesOf", task, at=at))

    async def rules_of_round(self, task: TaskId, round_id: RoundId, at: At) -> Rules:
        """Return the rules that a round opened with; Reverted when there is no such round."""
        return rules_of(await self._read("rulesOfRound", task, round_id, at=at))

    async def task_of(self, task: TaskId, at: At) -> TaskState:
        """Return the state of a task; Reverted when there is none."""
        return TaskState(*await self._read("taskOf", task, at=at))

    async def round_of(self, task: TaskId, round_id: RoundId, at: At) -> RoundState:
        """Return the state of a round; its phase is NONE when there is none."""
        fields = await self._read("roundOf", task, round_id, at=at)
        return replace(RoundState(*fields), phase=Phase(fields[7]))

    async def forced_hash_of(self, task: TaskId, round_id: RoundId, at: At) -> Digest:
        """Return the chained hash of the round's forced commits, which the result must state."""
        return Digest(await self._read("forcedHashOf", task, round_id, at=at))

    async def disputes(self, at: At) -> Address:
        """Return the contract that may strike results."""
        return Address(await self._read("disputes", at=at))

    async def is_joined(self, task: TaskId, operator: Address, at: At) -> bool:
        """Whether a Supernode takes part in a task."""
        return bool(await self._read("isJoined", task, operator, at=at))

    async def task_count(self, at: At) -> int:
        """Return the number of tasks; they are numbered from 1."""
        return int(await self._read("taskCount", at=at))

    def create_task(self, rules: Rules, funds: Wei) -> Call:
        """Create a task with funds in escrow. Only the DAO, which has approved the distributor for `funds`."""
        return self._call("createTask", rules_fields(rules), funds)

    def close_task(self, task: TaskId, refund_to: Address) -> Call:
        """Close a task for good and refund its escrow. Only the DAO."""
        return self._call("closeTask", task, refund_to)

    def change_rules(self, task: TaskId, rules: Rules) -> Call:
        """Change the rules of the rounds that open from then on. Only the DAO."""
        return self._call("changeRules", task, rules_fields(rules))

    def set_superlink(self, task: TaskId, superlink: Address) -> Call:
        """Change the Superlink of the rounds that open from then on. Only the DAO."""
        return self._call("setSuperlink", task, superlink)

    def admit(self, task: TaskId, owner: Address, admitted: bool = True) -> Call:
        """Admit an owner to a task, or (`admitted` False) no longer. Only the DAO."""
        return self._call("admit", task, owner, admitted)

    def resolve(self, task: TaskId, round_id: RoundId, valid: bool) -> Call:
        """Decide a challenge: the result is valid, or void. Only the DAO."""
        return self._call("resolve", task, round_id, valid)

    def pause(self) -> Call:
        """Stop new tasks, members and rounds. Only the DAO."""
        return self._call("pause")

    def unpause(self) -> Call:
        """Let entries work again. Only the DAO."""
        return self._call("unpause")

    def join(self, task: TaskId, operator: Address) -> Call:
        """Let a Supernode take part in a task. Only its owner."""
        return self._call("join", task, operator)

    def leave(self, task: TaskId, operator: Address) -> Call:
        """Take a Supernode out of a task. Only its owner or operator."""
        return self._call("leave", task, operator)

    def expire(self, task: TaskId, operator: Address) -> Call:
        """Take out a Supernode that no longer meets the task's rules. Anyone."""
        return self._call("expire", task, operator)

    def open_round(self, task: TaskId) -> Call:
        """Open the task's next round. Anyone."""
        return self._call("openRound", task)

    def commit(
        self, task: TaskId, round_id: RoundId, node: Address, commitment: Digest, signature: bytes
    ) -> Call:
        """Force a node's signed commit into the round. Anyone."""
        return self._call("commit", task, round_id, node, commitment, signature)

    def close_commits(
        self,
        task: TaskId,
        round_id: RoundId,
        open_block: BlockNumber,
        root: Digest,
        forced_hash: Digest,
        commits: int,
        passes: int,
    ) -> Call:
        """Close the commits to the opening in a block with the root of them and the passes. Only the Superlink.

        Refused unless `forced_hash` is that of the round's forced commits.
        """
        return self._call("closeCommits", task, round_id, open_block, root, forced_hash, commits, passes)

    def post_result(self, task: TaskId, round_id: RoundId, result: Result) -> Call:
        """Post the result; `seed` is the one that commits were closed with. Only the Superlink."""
        return self._call("postResult", task, round_id, astuple(result))

    def concede(self, task: TaskId, round_id: RoundId) -> Call:
        """Void a posted or frozen result of one's own. Only the round's Superlink."""
        return self._call("concede", task, round_id)

    def set_disputes(self, disputes: Address) -> Call:
        """Appoint the contract that may strike results. Only the DAO."""
        return self._call("setDisputes", disputes)

    def challenge(self, task: TaskId, round_id: RoundId, reason: str) -> Call:
        """Freeze the posted result until the DAO decides. Anyone who has approved the coordinator for the bond."""
        return self._call("challenge", task, round_id, reason)

    def finalize(self, task: TaskId, round_id: RoundId, result: Result) -> Call:
        """Activate the posted result's rewards after the challenge period. Anyone."""
        return self._call("finalize", task, round_id, astuple(result))

    def multicall(self, calls: Sequence[Call]) -> Call:
        """Send calls of this contract as one transaction: all, or none."""
        label = " + ".join(call.label for call in calls)
        return self._call("multicall", [call.data for call in calls], label=label)

    def abort(self, task: TaskId, round_id: RoundId) -> Call:
        """End a round that missed a deadline or its quorum. Anyone."""
        return self._call("abort", task, round_id)

    def void_round(self, task: TaskId, round_id: RoundId) -> Call:
        """Void a result that does not stand. Anyone."""
        return self._call("voidRound", task, round_id)


class Votes(Contract):
    """The votes of token and registry: delegated, and counted by time (ERC-5805)."""

    async def delegate_of(self, account: Address, at: At) -> Address:
        """Return the delegate of an account's tokens here; the zero address: none."""
        return Address(await self._read("delegates", account, at=at))

    async def votes_of(self, account: Address, at: At) -> Wei:
        """Return the votes delegated to an account."""
        return Wei(await self._read("getVotes", account, at=at))

    async def past_votes_of(self, account: Address, when: Timestamp, at: At) -> Wei:
        """Return the votes of an account at a time before that of block `at`."""
        return Wei(await self._read("getPastVotes", account, when, at=at))

    async def nonce_of(self, account: Address, at: At) -> int:
        """Return the nonce of an account's next signature for this contract."""
        return int(await self._read("nonces", account, at=at))

    def delegate(self, to: Address) -> Call:
        """Delegate the sender's votes; they count only once delegated, to oneself or another."""
        return self._call("delegate", to)

    def delegate_by_sig(self, to: Address, nonce: int, expiry: Timestamp, signature: bytes) -> Call:
        """Delegate by the holder's 65-byte signature of Delegation (EIP-712), good until `expiry`. Anyone."""
        r, s, v = signature[:32], signature[32:64], signature[64]
        return self._call("delegateBySig", to, nonce, expiry, v, r, s)


class Registry(Votes):
    """SupernodeRegistry: the stakes of owners behind operators."""

    name = "SupernodeRegistry"

    async def supernode(self, operator: Address, at: At) -> SupernodeStake:
        """Return the Supernode of an operator, which need not be its newest one."""
        return SupernodeStake(*await self._read("supernode", operator, at=at))

    async def owner_of(self, operator: Address, at: At) -> Address:
        """Return the owner, or the zero address where the operator is not registered."""
        return Address(await self._read("ownerOf", operator, at=at))

    async def stake_of(self, operator: Address, at: At) -> Wei:
        """Return the active stake."""
        return Wei(await self._read("stakeOf", operator, at=at))

    async def stake_at(self, operator: Address, block: BlockNumber, at: At) -> Wei:
        """Return the active stake at the end of `block`, which lies before `at`."""
        return Wei(await self._read("stakeAt", operator, block, at=at))

    async def unbonding_period(self, at: At) -> int:
        """Return how long stake stays locked on its way out, in seconds."""
        return int(await self._read("unbondingPeriod", at=at))

    async def minimum_stake(self, at: At) -> Wei:
        """Return the least stake of a Supernode."""
        return Wei(await self._read("minimumStake", at=at))

    def register(self, operator: Address, amount: Wei, signature: bytes) -> Call:
        """Stake behind a new operator, whose `signature` of `operator_digest` consents. The owner, who has approved the registry."""
        return self._call("register", operator, amount, signature)

    def rotate(self, operator: Address, successor: Address, signature: bytes) -> Call:
        """Have another operator serve a Supernode; its `signature` of `operator_digest` consents. Only the owner."""
        return self._call("rotate", operator, successor, signature)

    def revoke(self, operator: Address) -> Call:
        """Have nobody serve a Supernode. Only the owner."""
        return self._call("revoke", operator)

    def add_stake(self, operator: Address, amount: Wei) -> Call:
        """Add stake. Only the owner, who has approved the registry."""
        return self._call("addStake", operator, amount)

    def unbond(self, operator: Address, amount: Wei) -> Call:
        """Start the unbonding of stake. Only the owner."""
        return self._call("unbond", operator, amount)

    def withdraw(self, operator: Address) -> Call:
        """Return released stake to the owner. Anyone."""
        return self._call("withdraw", operator)

    def set_slasher(self, slasher: Address, *, allowed: bool) -> Call:
        """Let a contract take stake, or no longer. Only the DAO."""
        return self._call("setSlasher", slasher, allowed)

    def pause(self) -> Call:
        """Stop new stakes. Only the DAO."""
        return self._call("pause")

    def unpause(self) -> Call:
        """Let stakes in again. Only the DAO."""
        return self._call("unpause")


class Distributor(Contract):
    """RewardDistributor: escrows and claims."""

    name = "RewardDistributor"

    async def funded_of(self, task: TaskId, at: At) -> Wei:
        """Return all funds of a task's escrow, less refunds."""
        return Wei(await self._read("fundedOf", task, at=at))

    async def total_of(self, task: TaskId, at: At) -> Wei:
        """Return all rewards under the active root, paid ones included."""
        return Wei(await self._read("totalOf", task, at=at))

    async def available_of(self, task: TaskId, at: At) -> Wei:
        """Return the funds that no active root has promised."""
        return Wei(await self._read("availableOf", task, at=at))

    async def root_of(self, task: TaskId, at: At) -> Digest:
        """Return the newest reward root."""
        return Digest(await self._read("rootOf", task, at=at))

    async def is_recent(self, task: TaskId, root: Digest, at: At) -> bool:
        """Return whether a reward root is one of the newest 64, by which claims are paid."""
        return bool(await self._read("isRecent", task, root, at=at))

    async def claimed_of(self, task: TaskId, owner: Address, at: At) -> Wei:
        """Return the rewards that an owner has been paid."""
        return Wei(await self._read("claimedOf", task, owner, at=at))

    def fund(self, task: TaskId, amount: Wei) -> Call:
        """Put tokens into a task's escrow. Anyone who has approved the distributor."""
        return self._call("fund", task, amount)

    def recover_unclaimed(self, task: TaskId, to: Address) -> Call:
        """Take back what nobody claimed of a task a year after it closed. Only the DAO."""
        return self._call("recoverUnclaimed", task, to)

    def claim(self, task: TaskId, leaf: bytes, index: int, proof: Sequence[Digest]) -> Call:
        """Pay an owner its rewards up to `cumulative`. Anyone."""
        return self._call("claim", task, leaf, index, list(proof))


class Token(Votes):
    """DaoToken: stakes, rewards, wallet votes."""

    name = "DaoToken"

    async def balance_of(self, account: Address, at: At) -> Wei:
        """Return an account's tokens."""
        return Wei(await self._read("balanceOf", account, at=at))

    async def allowance(self, owner: Address, spender: Address, at: At) -> Wei:
        """Return how many of `owner`'s tokens `spender` may take."""
        return Wei(await self._read("allowance", owner, spender, at=at))

    async def total_supply(self, at: At) -> Wei:
        """Return all tokens there are."""
        return Wei(await self._read("totalSupply", at=at))

    def transfer(self, to: Address, amount: Wei) -> Call:
        """Send tokens of the sender."""
        return self._call("transfer", to, amount)

    def approve(self, spender: Address, amount: Wei) -> Call:
        """Let a spender take tokens of the sender."""
        return self._call("approve", spender, amount)
