"""Reads the disputes of results."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Select, and_, func, select

from dao.core.types import Phase, RoundId, TaskId, Timestamp, Wei
from dao.index import schema
from dao.index.case_reducer import CASE_TERMS, CaseKind
from dao.index.reads import records
from dao.index.reads.reader import LIMIT, Reader, is_newest, make_record, read_cursor, read_page
from dao.index.reads.training import parse_rules

_CASES = schema.cases
_ROUNDS = schema.rounds
_RULES = schema.task_rules


class CaseReads(Reader):
    """Reads cases: all, those of a task or of a round."""

    def list_cases(
        self,
        task: TaskId | None = None,
        round_id: RoundId | None = None,
        *,
        only_open: bool = False,
        cursor: str | None = None,
        limit: int = LIMIT,
    ) -> records.RecordPage[records.CaseRecord]:
        """List cases, the newest first."""
        query = _select_cases().order_by(_CASES.c.place.desc())
        if task is not None:
            query = query.where(_CASES.c.task == min(task, 2**62))
        if round_id is not None:
            query = query.where(_CASES.c.round == round_id)
        if only_open:
            query = query.where(_CASES.c.ended_at == 0)
        if cursor is not None:
            query = query.where(_CASES.c.place < min(read_cursor(cursor, int)[0], 2**62))
        with self._snapshot() as connection:
            return read_page(connection, query, limit, _make_cases, lambda row: (row.place,))

    def count_open_cases(self) -> int:
        """Count the cases that are not over."""
        query = select(func.count()).select_from(_CASES).where(is_newest(_CASES), _CASES.c.ended_at == 0)
        with self._snapshot() as connection:
            return int(connection.execute(query).scalar_one())


def _select_cases() -> Select[Any]:
    """Select the newest row of each case, with its round's rules and phase."""
    of_round = and_(
        _ROUNDS.c.task == _CASES.c.task,
        _ROUNDS.c.round == _CASES.c.round,
        is_newest(_ROUNDS, _CASES.c.task, _CASES.c.round),
    )
    rules = (_RULES.c.task == _ROUNDS.c.task) & (_RULES.c.version == _ROUNDS.c.version)
    joined = _CASES.join(_ROUNDS, of_round).join(_RULES, rules)
    query = select(_CASES, _RULES.c.rules, _ROUNDS.c.phase).select_from(joined)
    return query.where(is_newest(_CASES))


def _make_cases(rows: Sequence[Any]) -> list[records.CaseRecord]:
    return [_make_case(row) for row in rows]


def _make_case(row: Any) -> records.CaseRecord:
    rules, terms = parse_rules(row.rules), CASE_TERMS[CaseKind(row.kind)]

    def get_stake(name: str | None) -> Wei | None:
        return None if name is None else Wei(getattr(rules, name))

    # a demand is open until somebody ends it, but nobody need answer it once the round is over
    waits = not row.ended_at and row.phase in (Phase.POSTED, Phase.FROZEN)
    until = row.until or (row.opened_at + getattr(rules, terms.period) if terms.period is not None else 0)
    return make_record(
        records.CaseRecord,
        row,
        accuser_stake=get_stake(terms.accuser_stake),
        accused_stake=get_stake(terms.accused_stake),
        turn=terms.turn if waits else None,
        turn_ends_at=Timestamp(until) if waits and until else None,
        ended_at=row.ended_at or None,
    )
