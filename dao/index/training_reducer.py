"""Turns events of tasks, rounds, members and escrows into rows."""

import json
from dataclasses import replace

from dao.chain import events as on
from dao.chain.event_types import Event
from dao.core.formats.json_form import get_form
from dao.core.statement import compute_result_hash
from dao.core.types import Phase, Result, RoundId, Rules, TaskId, Wei
from dao.index.rows import AdmissionRow, ClaimRow, MemberRow, RoundRow, TaskRow
from dao.index.schema import PLACES
from dao.index.unit_of_work import UnitOfWork


def create_task(event: on.TaskCreated, uow: UnitOfWork) -> None:
    """Create a task."""
    uow.add("tasks", task=event.task, created_at=event.timestamp, app_hash=event.app_hash)
    uow.add("task_rules", task=event.task, version=1, rules=_dump_rules(event.rules))
    _name_card(event, uow)
    uow.put(TaskRow(event.rules.superlink), event.task)


def change_rules(event: on.RulesChanged, uow: UnitOfWork) -> None:
    """Change the rules of a task's next rounds."""
    uow.add("task_rules", task=event.task, version=event.version, rules=_dump_rules(event.rules))
    _name_card(event, uow)
    task = uow.get(TaskRow, event.task)
    uow.put(replace(task, version=event.version, superlink=event.rules.superlink), event.task)


def change_task(event: on.TaskClosed | on.SuperlinkReplaced, uow: UnitOfWork) -> None:
    """Close a task, or change the Superlink of its next rounds."""
    task = uow.get(TaskRow, event.task)
    if isinstance(event, on.TaskClosed):
        uow.put(replace(task, closed=True), event.task)
    else:
        uow.put(replace(task, superlink=event.superlink), event.task)


def admit_owner(event: on.Admitted, uow: UnitOfWork) -> None:
    """Admit an owner to a task, or end the admission."""
    uow.put(AdmissionRow(event.admitted), event.task, event.owner)


def change_member(event: on.Joined | on.Left, uow: UnitOfWork) -> None:
    """Have a Supernode join or leave a task."""
    task = uow.get(TaskRow, event.task)
    if isinstance(event, on.Joined):
        uow.put(MemberRow(event.owner, joined=True), event.task, event.operator)
        uow.put(replace(task, active=task.active + 1), event.task)
    else:
        member = uow.get(MemberRow, event.task, event.operator)
        uow.put(replace(member, joined=False), event.task, event.operator)
        uow.put(replace(task, active=task.active - 1), event.task)


def open_round(event: on.RoundOpened, uow: UnitOfWork) -> None:
    """Open a round."""
    task = uow.get(TaskRow, event.task)
    uow.put(replace(task, last_round=event.round, in_flight=task.in_flight + 1), event.task)
    rules = task.superlink, task.version
    row = RoundRow(Phase.OPEN, *rules, event.block, event.timestamp, event.parent, event.eligible)
    uow.put(row, event.task, event.round)


def add_forced_commit(event: on.ForcedCommit, uow: UnitOfWork) -> None:
    """Add a commit that a node made on chain."""
    row = uow.get(RoundRow, event.task, event.round)
    uow.add(
        "forced_commits",
        task=event.task,
        round=event.round,
        node=event.node,
        place=compute_place(event),
        commitment=event.commitment,
    )
    uow.put(replace(row, forced=row.forced + 1), event.task, event.round)


def change_round(
    event: on.CommitsClosed | on.ResultPosted | on.Challenged | on.Resolved | on.Conceded | on.Convicted,
    uow: UnitOfWork,
) -> None:
    """Move a round on, short of its end; after a concession, a conviction or a challenge that was right, Voided follows."""
    row, now = uow.get(RoundRow, event.task, event.round), event.timestamp
    match event:
        case on.CommitsClosed():
            row = replace(
                row,
                phase=Phase.CLOSED,
                closed_at=now,
                commits=event.commits,
                passes=event.passes,
                seed=event.seed,
            )
        case on.ResultPosted():
            row = _post_result(event, row)
            uow.put(replace(uow.get(TaskRow, event.task), head=event.round), event.task)
        case on.Challenged():
            row = replace(
                row,
                phase=Phase.FROZEN,
                posted_at=now,
                challenger=event.challenger,
                challenge=strip_nuls(event.reason),
            )
        case on.Resolved() if event.valid:
            row = replace(row, phase=Phase.POSTED, posted_at=now)
    uow.put(row, event.task, event.round)


def end_round(event: on.Finalized | on.Aborted | on.Voided, uow: UnitOfWork) -> None:
    """End a round: final, aborted or void."""
    row, task = uow.get(RoundRow, event.task, event.round), uow.get(TaskRow, event.task)
    task = replace(task, in_flight=task.in_flight - 1)
    phase = Phase.FINALIZED
    match event:
        case on.Finalized():
            task = replace(task, finalized=event.round)
        case on.Aborted():
            phase = Phase.ABORTED
        case on.Voided():
            phase = Phase.VOID
            if _is_ancestor(event.task, task.head, event.round, uow):
                task = replace(task, head=row.parent)
    uow.put(task, event.task)
    uow.put(replace(row, phase=phase, ended_at=event.timestamp), event.task, event.round)


def change_escrow(
    event: on.Funded | on.Activated | on.Claimed | on.Refunded | on.Recovered, uow: UnitOfWork
) -> None:
    """Change a task's escrow: its tokens are deposited, promised, paid or returned."""
    task = uow.get(TaskRow, event.task)
    match event:
        case on.Funded():
            task = replace(task, funded=Wei(task.funded + event.amount))
        case on.Activated():
            task = replace(task, rewarded=event.total)
        case on.Claimed():
            task = replace(task, claimed=Wei(task.claimed + event.amount))
            uow.put(ClaimRow(event.cumulative), event.task, event.owner)
        case on.Refunded():
            task = replace(task, funded=Wei(task.funded - event.amount))
        case on.Recovered():
            task = replace(task, funded=Wei(task.funded - event.amount), rewarded=task.claimed)
    uow.put(task, event.task)


def compute_place(event: Event) -> int:
    """Return an event's place: one number, by which events stand in the order of the chain."""
    return event.block * PLACES + event.log_index


def strip_nuls(text: str) -> str:
    """Replace NUL characters, which PostgreSQL does not store in texts."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}")


def dump_result(result: Result) -> str:
    """Dump a result as the table stores it."""
    return json.dumps(get_form(Result).write(result), sort_keys=True)


def _name_card(event: on.TaskCreated | on.RulesChanged, uow: UnitOfWork) -> None:
    uow.add("named_cards", place=compute_place(event), digest=event.rules.card)


def _dump_rules(rules: Rules) -> str:
    return json.dumps(get_form(Rules).write(rules), sort_keys=True)


def _post_result(event: on.ResultPosted, row: RoundRow) -> RoundRow:
    result = event.result
    return replace(
        row,
        phase=Phase.POSTED,
        posted_at=event.timestamp,
        result_hash=compute_result_hash(result),
        model_digest=result.model_digest,
        manifest_digest=result.manifest_digest,
        result=dump_result(result),
    )


def _is_ancestor(task: TaskId, head: RoundId, round_id: RoundId, uow: UnitOfWork) -> bool:
    """Whether a round is a task's head or one of its ancestors."""
    while head > round_id:
        head = uow.get(RoundRow, task, head).parent
    return head == round_id
