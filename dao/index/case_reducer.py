"""Turns events of disputes into cases: who accuses whom of what in a round, and how it ended.

`MOVES` says what each event does to the cases of its round; the reducer of an event that does nothing else does nothing.
Another kind of move is one more row there; another kind of case one more member of CaseKind, whose `CASE_TERMS` say whose
turn it is and what is at stake.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from dao.chain import events as on
from dao.chain.event_types import Event, RoundEvent
from dao.core.types import Phase
from dao.index.rows import CaseRow, RoundRow
from dao.index.schema import PLACES
from dao.index.training_reducer import strip_nuls
from dao.index.unit_of_work import UnitOfWork


class CaseKind(StrEnum):
    """How a result is disputed: by a bond that waits for the DAO, by a proof, or by its own Superlink."""

    CHALLENGE = "challenge"
    PROOF = "proof"
    CONCESSION = "concession"


class Verdict(StrEnum):
    """How a case ended; with all but `rejected` the round is void."""

    REJECTED = "rejected"  # the DAO found the result right
    UPHELD = "upheld"  # the DAO found it wrong
    PROVEN = "proven"
    CONCEDED = "conceded"
    UNDECIDED = "undecided"  # the DAO did not decide in time
    PARENT_VOID = "parent_void"  # the result that it was built on became void


@dataclass(frozen=True, slots=True)
class CaseTerms:
    """What holds for all cases of a kind, by names of the round's rules; an open one waits for `turn`.

    A stake and a time that an event states come before those of the rules.
    """

    accuser_stake: str | None = None
    accused_stake: str | None = None
    turn: str | None = None
    period: str | None = None  # of that turn


CASE_TERMS: Mapping[CaseKind, CaseTerms] = {
    CaseKind.CHALLENGE: CaseTerms(accuser_stake="challenge_bond", turn="dao", period="resolve_period"),
    CaseKind.PROOF: CaseTerms(accused_stake="superlink_bond"),
    CaseKind.CONCESSION: CaseTerms(),
}


@dataclass(frozen=True, slots=True)
class CaseMove:
    """What an event does: it `judges` the open cases of its round (those of `only`), then `opens` one.

    A case that is opened by an event that judges is over at once. `unless_open`: it opens none where it judged one.
    `subject` reads from the event what its case is about: it judges those about the same, without one all. The others
    name fields of the event: `accuser` and `accused`, without one the round's Superlink; `stake` and `until` that the
    event states; `fields` that the case keeps by the same names.
    """

    opens: CaseKind | None = None
    judges: Callable[[Any, UnitOfWork], Verdict] | None = None
    only: frozenset[CaseKind] = frozenset(CaseKind)
    unless_open: bool = False
    subject: Callable[[Any], str] | None = None
    accuser: str | None = None
    accused: str | None = None
    stake: str | None = None
    until: str | None = None
    fields: tuple[str, ...] = ()


def _judge_resolved(event: on.Resolved, _: UnitOfWork) -> Verdict:
    return Verdict.REJECTED if event.valid else Verdict.UPHELD


def _judge_voided(event: on.Voided, uow: UnitOfWork) -> Verdict:
    parent = uow.get(RoundRow, event.task, event.round).parent
    is_void = bool(parent) and uow.get(RoundRow, event.task, parent).phase is Phase.VOID
    return Verdict.PARENT_VOID if is_void else Verdict.UNDECIDED


MOVES: Mapping[type[Event], CaseMove] = {
    on.Challenged: CaseMove(opens=CaseKind.CHALLENGE, accuser="challenger", fields=("reason",)),
    on.Resolved: CaseMove(judges=_judge_resolved, only=frozenset({CaseKind.CHALLENGE})),
    on.Conceded: CaseMove(opens=CaseKind.CONCESSION, judges=lambda *_: Verdict.CONCEDED, unless_open=True),
    on.Convicted: CaseMove(
        opens=CaseKind.PROOF,
        judges=lambda *_: Verdict.PROVEN,
        accuser="accuser",
        fields=("prover", "claim", "slashed", "paid"),
    ),
    on.Voided: CaseMove(judges=_judge_voided),
}


def move_cases(event: RoundEvent, uow: UnitOfWork) -> None:
    """Open and judge cases of a round as an event says; nothing for an event that is no move."""
    move = MOVES.get(type(event))
    if move is None:
        return
    cases = [*_list_cases(event, uow)]
    judged = [number for number, case in enumerate(cases, 1) if _is_judged(case, move, event)]
    end = _make_end(move, event, uow)
    for number in judged:
        uow.put(replace(cases[number - 1], **end), event.task, event.round, number)
    if move.opens is not None and not (judged and move.unless_open):
        uow.put(_open_case(move, move.opens, event, uow, end), event.task, event.round, len(cases) + 1)


def _is_judged(case: CaseRow, move: CaseMove, event: RoundEvent) -> bool:
    if move.judges is None or case.ended_at or CaseKind(case.kind) not in move.only:
        return False
    return move.subject is None or move.subject(event) == case.subject


def _list_cases(event: RoundEvent, uow: UnitOfWork) -> Iterator[CaseRow]:
    number = 1
    while (case := uow.find(CaseRow, event.task, event.round, number)) is not None:
        yield case
        number += 1


def _make_end(move: CaseMove, event: RoundEvent, uow: UnitOfWork) -> dict[str, Any]:
    if move.judges is None:
        return {}
    verdict = move.judges(event, uow)
    return {"verdict": str(verdict), "ended_at": event.timestamp, "ended_tx": event.tx_hash}


def _open_case(
    move: CaseMove, kind: CaseKind, event: RoundEvent, uow: UnitOfWork, end: Mapping[str, Any]
) -> CaseRow:
    superlink = uow.get(RoundRow, event.task, event.round).superlink
    kept = {name: getattr(event, name) for name in move.fields}
    kept |= {
        name: getattr(event, field)
        for name, field in (("stake", move.stake), ("until", move.until))
        if field is not None
    }
    if "reason" in kept:
        kept["reason"] = strip_nuls(kept["reason"])
    return CaseRow(
        place=event.block * PLACES + event.log_index,
        kind=str(kind),
        accuser=superlink if move.accuser is None else getattr(event, move.accuser),
        accused=superlink if move.accused is None else getattr(event, move.accused),
        opened_at=event.timestamp,
        opened_tx=event.tx_hash,
        subject="" if move.subject is None else move.subject(event),
        **kept,
        **end,
    )
