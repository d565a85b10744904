"""A proposal's actions in plain words, with units, for the members who decide on them."""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress

from dao.chain.contract_table import NAMES
from dao.chain.deployment import ADDRESSES, Deployment
from dao.chain.governance import Actions
from dao.chain.interface import decode, load
from dao.core.formats.address import checksummed
from dao.core.types import ZERO_ADDRESS, Address, Rules, TaskId, hex_of
from dao.errors import DecodeError, Refused, Reverted
from dao.gov import actions as do
from dao.gov.rules_diff import CHANGEABLE, describe_changes, describe_rules
from dao.gov.units import format_amount, format_decimal, format_duration

_NOTHING: Mapping[TaskId, Rules] = {}


def describe_action(  # noqa: C901, PLR0911, PLR0912  (a case each)
    action: do.Action, deployment: Deployment, current: Mapping[TaskId, Rules] = _NOTHING
) -> str:
    """Write a sentence that says what the action does; addresses of the network's own contracts by their names.

    `current` are the rules that tasks have, for what a change of them changes.
    """

    def who(address: Address) -> str:
        name = next((name for name in ADDRESSES if getattr(deployment, name) == address), None)
        return f"the {name.replace('_', ' ')} ({hex_of(address)})" if name else hex_of(address)

    match action:
        case do.CreateTask(rules, funds):
            return f"Create a task with {format_amount(funds)} in escrow: {describe_rules(rules)}."
        case do.CloseTask(task, refund_to):
            return f"Close task {task} for good; what is left of its escrow goes to {who(refund_to)}."
        case do.RecoverUnclaimed(task, to):
            return (
                f"Take what nobody claimed of task {task}, which closed a year ago or earlier, to {who(to)}."
            )
        case do.ChangeRules(task, rules):
            before = current.get(task)
            what = describe_changes(before, rules) if before else describe_rules(rules, CHANGEABLE)
            return f"Change the rules of task {task} for the rounds that open from then on: {what}."
        case do.Admit(task, owner, admitted):
            verb = "Admit" if admitted else "No longer admit"
            return f"{verb} the owner {who(owner)} to task {task}."
        case do.ReplaceSuperlink(task, superlink):
            return f"Have the Superlink {who(superlink)} serve task {task} from its next round on."
        case do.AppendShards(task, shards, first):
            before = current.get(task)
            more = (
                f"{shards - before.shards} more validation shards, {shards} in all"
                if before
                else f"more validation shards, {shards} in all"
            )
            return f"Give task {task} {more}; the first new one has the leaf {hex_of(first)}."
        case do.Resolve(task, round_id, valid):
            verdict = "let its result stand; the challenger's bond goes to the treasury"
            verdict = verdict if valid else "make its result void; the challenger's bond goes back"
            return f"Decide the challenge of round {round_id} of task {task}: {verdict}."
        case do.Grant(to, value):
            return f"Pay {format_amount(value)} of the treasury to {who(to)}."
        case do.Approve(spender, value):
            return f"Let {who(spender)} take {format_amount(value)} of the treasury."
        case do.Fund(task, value):
            return f"Move {format_amount(value)} of the treasury into the escrow of task {task}."
        case do.PauseTasks():
            return "Stop new tasks, new members of tasks and new rounds; rounds in flight end."
        case do.UnpauseTasks():
            return "Let new tasks, members and rounds begin again."
        case do.PauseStaking():
            return "Stop new stakes; what is staked can leave."
        case do.UnpauseStaking():
            return "Let stakes be added again."
        case do.SetSlasher(slasher, allowed):
            return f"{'Let' if allowed else 'No longer let'} {who(slasher)} take stake of any Supernode."
        case do.SetProver(prover, allowed):
            return (
                f"{'Let' if allowed else 'No longer let'} {who(prover)} prove results of later rounds wrong."
            )
        case do.SetDisputes(disputes):
            return f"Let {who(disputes)} strike results that are proved wrong, and no other contract."
        case do.SetVotingDelay(seconds):
            return f"Begin voting {format_duration(seconds)} after a proposal."
        case do.SetVotingPeriod(seconds):
            return f"Let members vote for {format_duration(seconds)}."
        case do.SetThreshold(votes):
            return f"Ask of a proposer {format_amount(votes)} of votes."
        case do.SetQuorum(percent):
            return f"Ask of a proposal a quorum of {percent} percent of the supply that counts."
        case do.SetLateExtension(seconds):
            return f"Leave at least {format_duration(seconds)} to vote once the quorum is reached."
        case do.SetTimelockDelay(seconds):
            return f"Wait {format_duration(seconds)} between what is decided and what is done."
        case do.Unknown(target, value, calldata):
            ether = f" with {format_decimal(value)} ether" if value else ""
            return f"Call {who(target)}{ether}: {_call(target, calldata, deployment)}."


async def describe_calls(
    actions: Actions, deployment: Deployment, read_rules: Callable[[TaskId], Awaitable[Rules]] | None
) -> list[str]:
    """Write a sentence for each call of a proposal.

    `read_rules` reads the rules that a task has; None where a proposal is over, and they are not those that it changed.
    """
    calls = zip(actions.targets, actions.values, actions.calldatas, strict=True)
    decoded = [do.decode_action(*call, deployment) for call in calls]
    current: dict[TaskId, Rules] = {}
    for action in decoded:
        if isinstance(action, do.ChangeRules | do.AppendShards) and read_rules is not None:
            with suppress(Reverted, Refused):  # there is no such task
                current[action.task] = await read_rules(action.task)
    return [describe_action(action, deployment, current) for action in decoded]


def describe_delegation(what: str, to: Address, own: Address) -> str:
    """Write what delegating the votes of `what` ("your staked tokens") to an account means to its owner."""
    if to == ZERO_ADDRESS:
        return f"Let {what} vote for nobody: their votes count for nothing."
    return f"Let {what} vote as {'you do' if to == own else f'{checksummed(to)} does'}."


def _call(target: Address, calldata: bytes, deployment: Deployment) -> str:
    """The function and its arguments where the target is one of the network's contracts, else the bytes."""
    fallback = f"{len(calldata)} bytes of a kind that is not known here, selector {hex_of(calldata[:4])}"
    for place, contract in NAMES.items():
        if getattr(deployment, place) != target:
            continue
        for function in load(contract).functions.values():
            if function.selector != calldata[:4]:
                continue
            try:
                values = decode(function.inputs, calldata[4:], function.name)
            except DecodeError:
                return fallback
            shown = ", ".join(hex_of(v) if isinstance(v, bytes) else str(v) for v in values)
            return f"{function.name}({shown})"
    return fallback
