"""What events of tasks, rounds, members and escrows change."""

import json
from dataclasses import replace

from dao.chain import events as on
from dao.core.formats.json_form import get_form
from dao.core.settle import compute_result_hash
from dao.core.types import Phase, Result, RoundId, Rules, TaskId, Wei
from dao.index.rows import AdmissionRow, ClaimRow, MemberRow, RoundRow, TaskRow, UnitOfWork
from dao.index.schema import PLACES


def created(event: on.TaskCreated, book: UnitOfWork) -> None:
    """A task begins."""
    book.add("tasks", task=event.task, created_at=event.timestamp, app_hash=event.app_hash)
    book.add("task_rules", task=event.task, version=1, rules=_rules_text(event.rules))
    book.put(TaskRow(event.rules.superlink), event.task)


def rules_changed(event: on.RulesChanged, book: UnitOfWork) -> None:
    """A task's next rounds have other rules."""
    book.add("task_rules", task=event.task, version=event.version, rules=_rules_text(event.rules))
    task = book.get(TaskRow, event.task)
    book.put(replace(task, version=event.version, superlink=event.rules.superlink), event.task)


def task_changed(event: on.TaskClosed | on.SuperlinkReplaced, book: UnitOfWork) -> None:
    """A task ends, or has another Superlink from its next round on."""
    task = book.get(TaskRow, event.task)
    if isinstance(event, on.TaskClosed):
        book.put(replace(task, closed=True), event.task)
    else:
        book.put(replace(task, superlink=event.superlink), event.task)


def admitted(event: on.Admitted, book: UnitOfWork) -> None:
    """An owner may take part, or no longer."""
    book.put(AdmissionRow(event.admitted), event.task, event.owner)


def joined(event: on.Joined | on.Left, book: UnitOfWork) -> None:
    """A Supernode takes part, or no longer."""
    task = book.get(TaskRow, event.task)
    if isinstance(event, on.Joined):
        book.put(MemberRow(event.owner, joined=True), event.task, event.operator)
        book.put(replace(task, active=task.active + 1), event.task)
    else:
        member = book.get(MemberRow, event.task, event.operator)
        book.put(replace(member, joined=False), event.task, event.operator)
        book.put(replace(task, active=task.active - 1), event.task)


def opened(event: on.RoundOpened, book: UnitOfWork) -> None:
    """A round begins."""
    task = book.get(TaskRow, event.task)
    book.put(replace(task, last_round=event.round, in_flight=task.in_flight + 1), event.task)
    rules = task.superlink, task.version
    state = RoundRow(Phase.OPEN, *rules, event.block, event.timestamp, event.parent, event.eligible)
    book.put(state, event.task, event.round)


def forced(event: on.ForcedCommit, book: UnitOfWork) -> None:
    """A node committed on chain."""
    round_ = book.get(RoundRow, event.task, event.round)
    book.add(
        "forced_commits",
        task=event.task,
        round=event.round,
        node=event.node,
        place=event.block * PLACES + event.log_index,
        commitment=event.commitment,
    )
    if round_.phase in (Phase.OPEN, Phase.CLOSED):
        book.put(replace(round_, forced=round_.forced + 1), event.task, event.round)


def round_changed(
    event: on.CommitsClosed | on.ResultPosted | on.Contested | on.Dismissed | on.Challenged | on.Resolved,
    book: UnitOfWork,
) -> None:
    """A round goes on."""
    state, now = book.get(RoundRow, event.task, event.round), event.timestamp
    match event:
        case on.CommitsClosed():
            state = replace(state, phase=Phase.CLOSED, closed_at=now, commits=event.commits, seed=event.seed)
        case on.ResultPosted():
            state = _posted(event, state)
            book.put(replace(book.get(TaskRow, event.task), head=event.round), event.task)
        case on.Contested():
            state = replace(state, contested=state.contested + 1)
        case on.Dismissed():
            state = replace(state, contested=state.contested - 1)
        case on.Challenged():
            state = replace(
                state,
                phase=Phase.FROZEN,
                posted_at=now,
                challenger=event.challenger,
                challenge=plain(event.reason),
            )
        case on.Resolved() if event.valid:  # else Voided follows
            state = replace(state, phase=Phase.POSTED, posted_at=now)
    book.put(state, event.task, event.round)


def round_ended(event: on.Finalized | on.Aborted | on.Voided, book: UnitOfWork) -> None:
    """A round is decided."""
    state, task = book.get(RoundRow, event.task, event.round), book.get(TaskRow, event.task)
    task = replace(task, in_flight=task.in_flight - 1)
    phase = Phase.FINALIZED
    match event:
        case on.Finalized():
            task = replace(task, finalized=event.round)
        case on.Aborted():
            phase = Phase.ABORTED
        case on.Voided():
            phase = Phase.VOID
            if _descends(event.task, task.head, event.round, book):
                task = replace(task, head=state.parent)
    book.put(task, event.task)
    book.put(replace(state, phase=phase, ended_at=event.timestamp), event.task, event.round)


def escrow_changed(event: on.Funded | on.Activated | on.Claimed | on.Refunded, book: UnitOfWork) -> None:
    """Tokens went into a task's escrow, were promised, or left it."""
    task = book.get(TaskRow, event.task)
    match event:
        case on.Funded():
            task = replace(task, funded=Wei(task.funded + event.amount))
        case on.Activated():
            task = replace(task, rewarded=event.total)
        case on.Claimed():
            task = replace(task, claimed=Wei(task.claimed + event.amount))
            book.put(ClaimRow(event.cumulative), event.task, event.owner)
        case on.Refunded():
            task = replace(task, funded=Wei(task.funded - event.amount))
    book.put(task, event.task)


def plain(text: str) -> str:
    """A text as every database takes it: PostgreSQL has no NUL in texts."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}")


def result_text(result: Result) -> str:
    """A result as the table has it."""
    return json.dumps(get_form(Result).write(result), sort_keys=True)


def _rules_text(rules: Rules) -> str:
    return json.dumps(get_form(Rules).write(rules), sort_keys=True)


def _posted(event: on.ResultPosted, state: RoundRow) -> RoundRow:
    result = event.result
    return replace(
        state,
        phase=Phase.POSTED,
        posted_at=event.timestamp,
        result_hash=compute_result_hash(result),
        model_digest=result.model_digest,
        manifest_digest=result.manifest_digest,
        result=result_text(result),
    )


def _descends(task: TaskId, head: RoundId, round_: RoundId, book: UnitOfWork) -> bool:
    """Whether the head is the round or stands on it."""
    while head > round_:
        head = book.get(RoundRow, task, head).parent
    return head == round_
