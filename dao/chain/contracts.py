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
    """What a transaction does; `to` None creates a contract. `label` names it in logs and errors."""

    to: Address | None
    data: bytes
    label: str


@dataclass(frozen=True, slots=True)
class SupernodeStake:
    """What the registry holds of an operator (ISupernodeRegistry.Supernode); no owner: the zero address."""

    owner: Address
    active: Wei
    unbonding: Wei
    release_time: Timestamp


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
        """The rules that a task's next round opens with; Reverted when there is no such task."""
        return rules_of(await self._read("rulesOf", task, at=at))

    async def rules_of_round(self, task: TaskId, round_: RoundId, at: At) -> Rules:
        """The rules that a round opened with; Reverted when there is no such round."""
        return rules_of(await self._read("rulesOfRound", task, round_, at=at))

    async def task_of(self, task: TaskId, at: At) -> TaskState:
        """What a task has come to; Reverted when there is none."""
        return TaskState(*await self._read("taskOf", task, at=at))

    async def round_of(self, task: TaskId, round_: RoundId, at: At) -> RoundState:
        """What a round has come to; phase NONE when there is none."""
        fields = await self._read("roundOf", task, round_, at=at)
        return replace(RoundState(*fields), phase=Phase(fields[7]))

    async def forced_hash_of(self, task: TaskId, round_: RoundId, at: At) -> Digest:
        """The chain over the round's forced commits, which the result must state."""
        return Digest(await self._read("forcedHashOf", task, round_, at=at))

    async def contested_count_of(self, task: TaskId, round_: RoundId, at: At) -> int:
        """How many forced commits after the result nobody has dismissed."""
        return int(await self._read("contestedCountOf", task, round_, at=at))

    async def is_joined(self, task: TaskId, operator: Address, at: At) -> bool:
        """Whether a Supernode takes part in a task."""
        return bool(await self._read("isJoined", task, operator, at=at))

    async def task_count(self, at: At) -> int:
        """How many tasks there are; they are numbered from 1."""
        return int(await self._read("taskCount", at=at))

    def create_task(self, rules: Rules, funds: Wei) -> Call:
        """By the DAO, which has approved the distributor for `funds`."""
        return self._call("createTask", rules_fields(rules), funds)

    def close_task(self, task: TaskId, refund_to: Address) -> Call:
        """By the DAO."""
        return self._call("closeTask", task, refund_to)

    def change_rules(self, task: TaskId, rules: Rules) -> Call:
        """By the DAO, for the rounds that open from then on."""
        return self._call("changeRules", task, rules_fields(rules))

    def set_superlink(self, task: TaskId, superlink: Address) -> Call:
        """By the DAO, for the rounds that open from then on."""
        return self._call("setSuperlink", task, superlink)

    def admit(self, task: TaskId, owner: Address, admitted: bool = True) -> Call:
        """By the DAO."""
        return self._call("admit", task, owner, admitted)

    def resolve(self, task: TaskId, round_: RoundId, valid: bool) -> Call:
        """By the DAO."""
        return self._call("resolve", task, round_, valid)

    def pause(self) -> Call:
        """By the DAO."""
        return self._call("pause")

    def unpause(self) -> Call:
        """By the DAO."""
        return self._call("unpause")

    def join(self, task: TaskId, operator: Address) -> Call:
        """By the Supernode's owner."""
        return self._call("join", task, operator)

    def leave(self, task: TaskId, operator: Address) -> Call:
        """By the Supernode's owner or operator."""
        return self._call("leave", task, operator)

    def expire(self, task: TaskId, operator: Address) -> Call:
        """By anyone."""
        return self._call("expire", task, operator)

    def open_round(self, task: TaskId) -> Call:
        """By anyone."""
        return self._call("openRound", task)

    def commit(
        self, task: TaskId, round_: RoundId, node: Address, commitment: Digest, signature: bytes
    ) -> Call:
        """A node's signed commit, by anyone."""
        return self._call("commit", task, round_, node, commitment, signature)

    def close_commits(self, task: TaskId, round_: RoundId, root: Digest, commits: int) -> Call:
        """By the Superlink."""
        return self._call("closeCommits", task, round_, root, commits)

    def post_result(self, task: TaskId, round_: RoundId, seed: Digest, result: Result) -> Call:
        """By the Superlink; `seed` is the one that commits were closed with."""
        return self._call("postResult", task, round_, seed, astuple(result))

    def dismiss(
        self,
        task: TaskId,
        round_: RoundId,
        node: Address,
        commitment: Digest,
        index: int,
        proof: Sequence[Digest],
        result: Result,
    ) -> Call:
        """By anyone: the contested commit is number `index` under the posted result's commits root."""
        return self._call("dismiss", task, round_, node, commitment, index, list(proof), astuple(result))

    def challenge(self, task: TaskId, round_: RoundId, reason: str) -> Call:
        """By anyone who has approved the coordinator for the bond."""
        return self._call("challenge", task, round_, reason)

    def finalize(self, task: TaskId, round_: RoundId, result: Result) -> Call:
        """By anyone, with the posted result."""
        return self._call("finalize", task, round_, astuple(result))

    def abort(self, task: TaskId, round_: RoundId) -> Call:
        """By anyone, past a deadline."""
        return self._call("abort", task, round_)

    def void_round(self, task: TaskId, round_: RoundId) -> Call:
        """By anyone, when a result does not stand."""
        return self._call("voidRound", task, round_)


class Votes(Contract):
    """What token and registry have in common: votes that are delegated, and counted by time (ERC-5805)."""

    async def delegate_of(self, account: Address, at: At) -> Address:
        """Whom an account's tokens here vote for; the zero address: nobody."""
        return Address(await self._read("delegates", account, at=at))

    async def votes_of(self, account: Address, at: At) -> Wei:
        """The votes delegated to an account."""
        return Wei(await self._read("getVotes", account, at=at))

    async def past_votes_of(self, account: Address, when: Timestamp, at: At) -> Wei:
        """The votes of an account at a time before that of block `at`."""
        return Wei(await self._read("getPastVotes", account, when, at=at))

    async def nonce_of(self, account: Address, at: At) -> int:
        """The nonce of an account's next signature for this contract."""
        return int(await self._read("nonces", account, at=at))

    def delegate(self, to: Address) -> Call:
        """By the holder: votes count only once delegated, to oneself or another."""
        return self._call("delegate", to)

    def delegate_by_sig(self, to: Address, nonce: int, expiry: Timestamp, signature: bytes) -> Call:
        """By anyone, with the holder's 65 bytes of signature of Delegation (EIP-712); good until `expiry`."""
        r, s, v = signature[:32], signature[32:64], signature[64]
        return self._call("delegateBySig", to, nonce, expiry, v, r, s)


class Registry(Votes):
    """SupernodeRegistry: who stakes behind whom."""

    name = "SupernodeRegistry"

    async def supernode(self, operator: Address, at: At) -> SupernodeStake:
        """What is held of an operator."""
        return SupernodeStake(*await self._read("supernode", operator, at=at))

    async def owner_of(self, operator: Address, at: At) -> Address:
        """The owner, or the zero address where the operator is not registered."""
        return Address(await self._read("ownerOf", operator, at=at))

    async def stake_of(self, operator: Address, at: At) -> Wei:
        """The active stake."""
        return Wei(await self._read("stakeOf", operator, at=at))

    async def stake_at(self, operator: Address, block: BlockNumber, at: At) -> Wei:
        """The active stake at the end of `block`, which lies before `at`."""
        return Wei(await self._read("stakeAt", operator, block, at=at))

    async def unbonding_period(self, at: At) -> int:
        """How long stake stays locked on its way out, in seconds."""
        return int(await self._read("unbondingPeriod", at=at))

    async def minimum_stake(self, at: At) -> Wei:
        """The least stake of a Supernode."""
        return Wei(await self._read("minimumStake", at=at))

    def register(self, operator: Address, amount: Wei, signature: bytes) -> Call:
        """By the owner, who has approved the registry; `signature` of `operator_digest` by the operator."""
        return self._call("register", operator, amount, signature)

    def add_stake(self, operator: Address, amount: Wei) -> Call:
        """By the owner, who has approved the registry."""
        return self._call("addStake", operator, amount)

    def unbond(self, operator: Address, amount: Wei) -> Call:
        """By the owner."""
        return self._call("unbond", operator, amount)

    def withdraw(self, operator: Address) -> Call:
        """By anyone: released stake goes to the owner."""
        return self._call("withdraw", operator)

    def pause(self) -> Call:
        """By the DAO."""
        return self._call("pause")

    def unpause(self) -> Call:
        """By the DAO."""
        return self._call("unpause")


class Distributor(Contract):
    """RewardDistributor: escrows and claims."""

    name = "RewardDistributor"

    async def funded_of(self, task: TaskId, at: At) -> Wei:
        """What went into a task's escrow, less refunds."""
        return Wei(await self._read("fundedOf", task, at=at))

    async def total_of(self, task: TaskId, at: At) -> Wei:
        """All rewards under the active root, paid ones included."""
        return Wei(await self._read("totalOf", task, at=at))

    async def available_of(self, task: TaskId, at: At) -> Wei:
        """What no active root has promised."""
        return Wei(await self._read("availableOf", task, at=at))

    async def root_of(self, task: TaskId, at: At) -> Digest:
        """The active reward root."""
        return Digest(await self._read("rootOf", task, at=at))

    async def claimed_of(self, task: TaskId, owner: Address, at: At) -> Wei:
        """What an owner has been paid."""
        return Wei(await self._read("claimedOf", task, owner, at=at))

    def fund(self, task: TaskId, amount: Wei) -> Call:
        """By anyone who has approved the distributor."""
        return self._call("fund", task, amount)

    def claim(self, task: TaskId, owner: Address, cumulative: Wei, proof: Sequence[Digest]) -> Call:
        """By anyone: the owner is paid."""
        return self._call("claim", task, owner, cumulative, list(proof))


class Token(Votes):
    """DaoToken: stakes, rewards, wallet votes."""

    name = "DaoToken"

    async def balance_of(self, account: Address, at: At) -> Wei:
        """What an account holds."""
        return Wei(await self._read("balanceOf", account, at=at))

    async def allowance(self, owner: Address, spender: Address, at: At) -> Wei:
        """What `spender` may take of `owner`'s."""
        return Wei(await self._read("allowance", owner, spender, at=at))

    async def total_supply(self, at: At) -> Wei:
        """All tokens there are."""
        return Wei(await self._read("totalSupply", at=at))

    def transfer(self, to: Address, amount: Wei) -> Call:
        """By the holder."""
        return self._call("transfer", to, amount)

    def approve(self, spender: Address, amount: Wei) -> Call:
        """By the holder."""
        return self._call("approve", spender, amount)
