"""Warns of what the chain would do with the DAO's tokens without a word, and the DAO hardly wants."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from dao.chain.deployment import ADDRESSES, Deployment
from dao.core.types import Address, TaskId, Wei, hex_of
from dao.gov.actions import Action, Approve, ChangeRules, CloseTask, CreateTask, Fund, Grant, RecoverUnclaimed
from dao.gov.units import format_amount

MUCH = Fraction(1, 2)  # of the treasury, for one proposal


@dataclass(frozen=True, slots=True)
class TaskEscrow:
    """What a task can still pay, and what a round of it costs."""

    available: Wei
    round_budget: Wei


def warn_of_money(
    actions: Sequence[Action], deployment: Deployment, treasury: Wei, escrows: Mapping[TaskId, TaskEscrow]
) -> list[str]:
    """Warn of tokens that nobody could take out again, of most of the treasury at once, of an escrow below a round.

    `escrows` are those of the tasks that actions fund or whose rules they change.
    """
    return [
        *_warn_of_lost_tokens(actions, deployment),
        *_warn_of_spending(actions, deployment, treasury),
        *_warn_of_small_escrows(actions, escrows),
    ]


def list_tasks(actions: Sequence[Action]) -> list[TaskId]:
    """List the tasks whose escrows `warn_of_money` wants to know."""
    return list(dict.fromkeys(action.task for action in actions if isinstance(action, Fund | ChangeRules)))


def _warn_of_lost_tokens(actions: Sequence[Action], deployment: Deployment) -> Iterator[str]:
    for action in actions:
        match action:
            case Grant(to, _):
                label = "grant"
            case CloseTask(_, to):
                label = "close_task"
            case RecoverUnclaimed(_, to):
                label = "recover_unclaimed"
            case _:
                continue
        name = next((name for name in ADDRESSES if getattr(deployment, name) == to), None)
        if name == "timelock" and label == "grant":
            yield "grant: the timelock is the treasury itself, so that nothing would be paid"
        elif name not in (None, "timelock"):
            yield (
                f"{label}: {hex_of(to)} is the network's own {str(name).replace('_', ' ')}: "
                "what is sent there, nobody can ever take out again"
            )


def _warn_of_spending(actions: Sequence[Action], deployment: Deployment, treasury: Wei) -> Iterator[str]:
    spent = Wei(sum(_get_spending(action, deployment.distributor) for action in actions))
    if treasury and spent <= treasury and Fraction(spent, treasury) >= MUCH:
        percent = int(Fraction(100_000 * spent, treasury)) / 1000  # never rounded up to all of it
        yield (
            f"treasury: this takes {percent:g} percent of it, {format_amount(spent)} of {format_amount(treasury)}, "
            "and what is paid cannot be taken back"
        )


def _get_spending(action: Action, distributor: Address) -> int:
    match action:
        case Grant(_, amount) | Fund(_, amount) | CreateTask(_, amount):
            return amount
        case Approve(spender, amount) if (
            spender != distributor
        ):  # the distributor's is part of funding a task
            return amount
    return 0


def _warn_of_small_escrows(actions: Sequence[Action], escrows: Mapping[TaskId, TaskEscrow]) -> Iterator[str]:
    for action in actions:
        if isinstance(action, CreateTask) and action.funds < action.rules.round_budget:
            yield _explain_escrow("create_task: the task", action.funds, action.rules.round_budget)
    for task, escrow in escrows.items():
        funds = sum(action.amount for action in actions if isinstance(action, Fund) and action.task == task)
        changes = [action for action in actions if isinstance(action, ChangeRules) and action.task == task]
        budget = changes[-1].rules.round_budget if changes else escrow.round_budget
        available = Wei(escrow.available + funds)
        if available < budget:
            yield _explain_escrow(f"{'change_rules' if changes else 'fund'}: task {task}", available, budget)


def _explain_escrow(who: str, available: Wei, budget: Wei) -> str:
    return (
        f"{who} would have {format_amount(available)} in escrow, less than the {format_amount(budget)} of one round: "
        "no round opens until it has more"
    )
