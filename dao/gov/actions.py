"""The actions of proposals as plain records, encoded as calls of the timelock and decoded; other calls are Unknown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, get_type_hints

from dao.chain.contract_table import NAMES
from dao.chain.deployment import Deployment
from dao.chain.governance import Actions
from dao.chain.interface import decode as decode_values
from dao.chain.interface import encode, load
from dao.chain.structs import rules_fields, rules_of
from dao.core.engine.keccak import keccak256
from dao.core.types import Address, Digest, RoundId, Rules, TaskId, Wei
from dao.errors import DecodeError


@dataclass(frozen=True, slots=True)
class CreateTask:
    """Create a task; `funds` come from the treasury, which must Approve the distributor for them before."""

    rules: Rules
    funds: Wei


@dataclass(frozen=True, slots=True)
class CloseTask:
    """End a task for good; what is left of its escrow goes to `refund_to`."""

    task: TaskId
    refund_to: Address


@dataclass(frozen=True, slots=True)
class RecoverUnclaimed:
    """Take back what nobody claimed of a task that closed a year ago or earlier; it goes to `to`."""

    task: TaskId
    to: Address


@dataclass(frozen=True, slots=True)
class ChangeRules:
    """Change the rules of a task for the rounds that open from then on; it states all of them."""

    task: TaskId
    rules: Rules


@dataclass(frozen=True, slots=True)
class Admit:
    """Admit an owner to a task that is for admitted owners only, or remove it."""

    task: TaskId
    owner: Address
    admitted: bool


@dataclass(frozen=True, slots=True)
class ReplaceSuperlink:
    """Have another Superlink serve the rounds of a task that open from then on."""

    task: TaskId
    superlink: Address


@dataclass(frozen=True, slots=True)
class AppendShards:
    """Append validation shards to a task's own, for the rounds that open from then on; `shards` counts old and new ones.

    `first` is the hash of the first new leaf of the shard tree, `path` its 16 siblings there, from the bottom up.
    """

    task: TaskId
    shards: int
    first: Digest
    path: tuple[Digest, ...]


@dataclass(frozen=True, slots=True)
class Resolve:
    """Decide the challenge of a result: it stands, or it is void."""

    task: TaskId
    round: RoundId
    valid: bool


@dataclass(frozen=True, slots=True)
class Grant:
    """Pay tokens of the treasury to an account."""

    to: Address
    amount: Wei


@dataclass(frozen=True, slots=True)
class Approve:
    """Let a contract take tokens of the treasury, as CreateTask and Fund need it of the distributor."""

    spender: Address
    amount: Wei


@dataclass(frozen=True, slots=True)
class Fund:
    """Move tokens of the treasury into a task's escrow; the treasury must Approve the distributor for them before."""

    task: TaskId
    amount: Wei


@dataclass(frozen=True, slots=True)
class PauseTasks:
    """Stop new tasks, new members of tasks and new rounds."""


@dataclass(frozen=True, slots=True)
class UnpauseTasks:
    """Let new tasks, members and rounds begin again."""


@dataclass(frozen=True, slots=True)
class PauseStaking:
    """Stop new stakes; what is staked can leave."""


@dataclass(frozen=True, slots=True)
class UnpauseStaking:
    """Let stakes be added again."""


@dataclass(frozen=True, slots=True)
class SetSlasher:
    """Let a contract take stake, or no longer."""

    slasher: Address
    allowed: bool


@dataclass(frozen=True, slots=True)
class SetProver:
    """Let a prover show that results of rounds which open from then on are wrong, or no longer."""

    prover: Address
    allowed: bool


@dataclass(frozen=True, slots=True)
class SetDisputes:
    """Let another contract strike results."""

    disputes: Address


@dataclass(frozen=True, slots=True)
class SetVotingDelay:
    """Seconds from a proposal to its voting."""

    seconds: int


@dataclass(frozen=True, slots=True)
class SetVotingPeriod:
    """Seconds of voting."""

    seconds: int


@dataclass(frozen=True, slots=True)
class SetThreshold:
    """The votes that a proposer needs."""

    votes: Wei


@dataclass(frozen=True, slots=True)
class SetQuorum:
    """The quorum, in percent of the supply that counts."""

    percent: int


@dataclass(frozen=True, slots=True)
class SetLateExtension:
    """Least seconds of voting that are left once the quorum is reached."""

    seconds: int


@dataclass(frozen=True, slots=True)
class SetTimelockDelay:
    """Seconds between decision and execution."""

    seconds: int


@dataclass(frozen=True, slots=True)
class Unknown:
    """A call of none of these kinds."""

    target: Address
    value: Wei
    calldata: bytes


Known = (
    CreateTask
    | CloseTask
    | RecoverUnclaimed
    | ChangeRules
    | Admit
    | ReplaceSuperlink
    | AppendShards
    | Resolve
    | Grant
    | Approve
    | Fund
    | PauseTasks
    | UnpauseTasks
    | PauseStaking
    | UnpauseStaking
    | SetSlasher
    | SetProver
    | SetDisputes
    | SetVotingDelay
    | SetVotingPeriod
    | SetThreshold
    | SetQuorum
    | SetLateExtension
    | SetTimelockDelay
)
Action = Known | Unknown


@dataclass(frozen=True, slots=True)
class _Kind:
    address: str  # field of Deployment
    function: str

    @property
    def contract(self) -> str:
        return NAMES[self.address]


KINDS: Mapping[type[Known], _Kind] = {
    CreateTask: _Kind("coordinator", "createTask"),
    CloseTask: _Kind("coordinator", "closeTask"),
    RecoverUnclaimed: _Kind("distributor", "recoverUnclaimed"),
    ChangeRules: _Kind("coordinator", "changeRules"),
    Admit: _Kind("coordinator", "admit"),
    ReplaceSuperlink: _Kind("coordinator", "setSuperlink"),
    AppendShards: _Kind("coordinator", "appendShards"),
    Resolve: _Kind("coordinator", "resolve"),
    PauseTasks: _Kind("coordinator", "pause"),
    UnpauseTasks: _Kind("coordinator", "unpause"),
    Grant: _Kind("token", "transfer"),
    Approve: _Kind("token", "approve"),
    Fund: _Kind("distributor", "fund"),
    PauseStaking: _Kind("registry", "pause"),
    UnpauseStaking: _Kind("registry", "unpause"),
    SetSlasher: _Kind("registry", "setSlasher"),
    SetProver: _Kind("disputes", "setProver"),
    SetDisputes: _Kind("coordinator", "setDisputes"),
    SetVotingDelay: _Kind("governor", "setVotingDelay"),
    SetVotingPeriod: _Kind("governor", "setVotingPeriod"),
    SetThreshold: _Kind("governor", "setProposalThreshold"),
    SetQuorum: _Kind("governor", "updateQuorumNumerator"),
    SetLateExtension: _Kind("governor", "setLateQuorumVoteExtension"),
    SetTimelockDelay: _Kind("timelock", "updateDelay"),
}


def encode_action(action: Action, deployment: Deployment) -> tuple[Address, Wei, bytes]:
    """Return the call that does it: target, wei of ether, calldata; DecodeError for values that do not fit."""
    if isinstance(action, Unknown):
        return action.target, action.value, action.calldata
    kind = KINDS[type(action)]
    values = [getattr(action, name) for name in action.__slots__]
    arguments = [rules_fields(value) if isinstance(value, Rules) else value for value in values]
    data = load(kind.contract).functions[kind.function].encode(*arguments)
    return getattr(deployment, kind.address), Wei(0), data


def encode_actions(actions: Sequence[Action], deployment: Deployment) -> Actions:
    """Encode all calls of a proposal. CreateTask and Fund are preceded by the approval of their tokens."""
    calls = []
    for action in actions:
        funds = action.funds if isinstance(action, CreateTask) else getattr(action, "amount", Wei(0))
        if isinstance(action, CreateTask | Fund) and funds:
            calls.append(encode_action(Approve(deployment.distributor, funds), deployment))
        calls.append(encode_action(action, deployment))
    targets, values, calldatas = zip(*calls, strict=True) if calls else ((), (), ())
    return Actions(tuple(targets), tuple(values), tuple(calldatas))


def decode_action(target: Address, value: Wei, calldata: bytes, deployment: Deployment) -> Action:
    """Decode a call of the timelock; Unknown unless it is, to the byte, the call of one of the known kinds."""
    unknown = Unknown(target, value, calldata)
    kind: Any = _by_selector(deployment).get((target, calldata[:4]))
    if kind is None or value:
        return unknown
    call = KINDS[kind]
    function = load(call.contract).functions[call.function]
    try:
        arguments: list[Any] = list(decode_values(function.inputs, calldata[4:], kind.__name__))
        takes = zip(get_type_hints(kind).values(), arguments, strict=True)
        action: Known = kind(*(rules_of(value) if hint is Rules else value for hint, value in takes))
        return action if encode_action(action, deployment)[2] == calldata else unknown
    except DecodeError:
        return unknown


def compute_proposal_id(actions: Actions, description: str) -> int:
    """Compute a proposal's number from its calls and its description (IGovernor.hashProposal)."""
    fields = (
        *(list(actions.targets), list(actions.values), list(actions.calldatas)),
        keccak256(description.encode()),
    )
    packed = encode(("address[]", "uint256[]", "bytes[]", "bytes32"), fields, "proposal")
    return int.from_bytes(keccak256(packed), "big")


@cache
def _by_selector(deployment: Deployment) -> Mapping[tuple[Address, bytes], type[Known]]:
    return {
        (
            getattr(deployment, kind.address),
            load(kind.contract).functions[kind.function].selector,
        ): action
        for action, kind in KINDS.items()
    }
