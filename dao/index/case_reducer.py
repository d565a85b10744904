"""Turns events of disputes into cases: who accuses whom of what in a round, and how it ended.

`MOVES` says what each event does to the cases of its round; the reducer of an event that does nothing else does nothing.
Another kind of move is one more row there; another kind of case one more member of CaseKind, whose `CASE_TERMS` say whose
turn it is and what is at stake.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from dao.chain import events as on
from dao.chain import vote_events as votes
from dao.chain.event_types import Event, RoundEvent
from dao.chain.gradient_votes import GradientVerdict
from dao.core.types import Phase
from dao.index.rows import CaseRow, RoundRow
from dao.index.training_reducer import compute_place, strip_nuls
from dao.index.unit_of_work import UnitOfWork
from dao.proofs.leaf_places import DemandTree, LeafPlace


class CaseKind(StrEnum):
    """How a round is disputed.

    Its result by a bond that waits for the DAO, by a proof, by its own Superlink, by a demand of a leaf that it binds, or by
    a vote of jurors on its gradients; or one of its Supernodes by two commits that it signed.
    """

    CHALLENGE = "challenge"
    PROOF = "proof"
    CONCESSION = "concession"
    DEMAND = "demand"
    EQUIVOCATION = "equivocation"
    GRADIENT = "gradient"


class Verdict(StrEnum):
    """How a case ended; the round is void, but for the verdicts that say otherwise and for a Supernode's two commits."""

    REJECTED = "rejected"  # the DAO found the result right; the round stands
    UPHELD = "upheld"  # the DAO found it wrong
    PROVEN = "proven"
    CONCEDED = "conceded"
    UNDECIDED = "undecided"  # the DAO did not decide in time
    PARENT_VOID = "parent_void"  # the result that it was built on became void
    ANSWERED = "answered"  # the demanded leaf was shown; the round stands
    UNANSWERED = "unanswered"  # nobody showed it in time
    LAPSED = "lapsed"  # the round was over, void or final, before anybody showed it; or void before jurors had voted
    VOTED_WRONG = "voted_wrong"  # jurors found a gradient wrong
    VOTED_RIGHT = "voted_right"  # jurors found none wrong; the round stands, and the accuser lost the bond
    NO_MAJORITY = "no_majority"  # too few jurors voted, or as many for as against; the round stands


@dataclass(frozen=True, slots=True)
class CaseTerms:
    """What holds for all cases of a kind, by names of the round's rules; an open one waits for `turn`.

    A time that an event states comes before that of the rules.
    """

    accuser_stake: str | None = None
    accused_stake: str | None = None
    turn: str | None = None
    period: str | None = None  # of that turn


CASE_TERMS: Mapping[CaseKind, CaseTerms] = {
    CaseKind.CHALLENGE: CaseTerms(accuser_stake="challenge_bond", turn="dao", period="resolve_period"),
    CaseKind.PROOF: CaseTerms(accused_stake="superlink_bond"),
    CaseKind.CONCESSION: CaseTerms(),
    CaseKind.DEMAND: CaseTerms(accused_stake="superlink_bond", turn="superlink"),
    CaseKind.EQUIVOCATION: CaseTerms(),
    CaseKind.GRADIENT: CaseTerms(
        accuser_stake="challenge_bond", accused_stake="superlink_bond", turn="jurors"
    ),
}
GRADIENT_VERDICTS = {
    GradientVerdict.WRONG: Verdict.VOTED_WRONG,
    GradientVerdict.RIGHT: Verdict.VOTED_RIGHT,
    GradientVerdict.UNDECIDED: Verdict.NO_MAJORITY,
    GradientVerdict.LAPSED: Verdict.LAPSED,
}


@dataclass(frozen=True, slots=True)
class CaseMove:
    """What an event does: it `judges` the open cases of its round (those of the kind `only`), then `opens` one.

    A case that is opened by an event that judges is over at once. `unless_open`: it opens none where it judged one.
    `completes`: where a case ended with one of these verdicts, it opens none, but says what that one cost whom. `subject` reads
    from the event what its case is about: it judges those about the same, without one all. The others name fields of the
    event: `accuser` and `accused`, without one the round's Superlink; `until` that the event states; `fields` that the
    case keeps by the same names.
    """

    opens: CaseKind | None = None
    judges: Callable[[Any, UnitOfWork], Verdict] | None = None
    only: CaseKind = CaseKind.CHALLENGE
    unless_open: bool = False
    completes: Collection[Verdict] = ()
    subject: Callable[[Any], str] | None = None
    accuser: str | None = None
    accused: str | None = None
    until: str | None = None
    fields: tuple[str, ...] = ()


def _judge_resolved(event: on.Resolved, _: UnitOfWork) -> Verdict:
    return Verdict.REJECTED if event.valid else Verdict.UPHELD


def _judge_expired(event: on.Expired, _: UnitOfWork) -> Verdict:
    return Verdict.UNANSWERED if event.convicted else Verdict.LAPSED


def _judge_voided(event: on.Voided, uow: UnitOfWork) -> Verdict:
    parent = uow.get(RoundRow, event.task, event.round).parent
    is_void = bool(parent) and uow.get(RoundRow, event.task, parent).phase is Phase.VOID
    return Verdict.PARENT_VOID if is_void else Verdict.UNDECIDED


def _name_leaf(event: on.Demanded | on.Answered | on.Expired) -> str:
    tree, outer, index = event.place
    return str(LeafPlace(DemandTree(tree), outer, index))


COSTS = ("slashed", "paid")
MOVES: Mapping[type[Event], CaseMove] = {
    on.Challenged: CaseMove(opens=CaseKind.CHALLENGE, accuser="challenger", fields=("reason",)),
    on.Resolved: CaseMove(judges=_judge_resolved),
    on.Conceded: CaseMove(opens=CaseKind.CONCESSION, judges=lambda *_: Verdict.CONCEDED, unless_open=True),
    on.Convicted: CaseMove(
        opens=CaseKind.PROOF,
        judges=lambda *_: Verdict.PROVEN,
        # it follows Expired or GradientJudged in the same transaction
        completes=(Verdict.UNANSWERED, Verdict.VOTED_WRONG),
        accuser="accuser",
        fields=("prover", "claim", *COSTS),
    ),
    on.Voided: CaseMove(judges=_judge_voided),
    on.Demanded: CaseMove(
        opens=CaseKind.DEMAND, subject=_name_leaf, accuser="demander", until="deadline", fields=("bond",)
    ),
    on.Answered: CaseMove(judges=lambda *_: Verdict.ANSWERED, only=CaseKind.DEMAND, subject=_name_leaf),
    on.Expired: CaseMove(judges=_judge_expired, only=CaseKind.DEMAND, subject=_name_leaf),
    on.Equivocated: CaseMove(
        opens=CaseKind.EQUIVOCATION,
        judges=lambda *_: Verdict.PROVEN,
        only=CaseKind.EQUIVOCATION,
        accuser="accuser",
        accused="node",
        fields=COSTS,
    ),
    votes.GradientAccused: CaseMove(opens=CaseKind.GRADIENT, accuser="accuser", until="reveal_end"),
    votes.GradientJudged: CaseMove(
        judges=lambda event, _: GRADIENT_VERDICTS[GradientVerdict(event.verdict)], only=CaseKind.GRADIENT
    ),
}


def move_cases(event: RoundEvent, uow: UnitOfWork) -> None:
    """Open and judge cases of a round as an event says; nothing for an event that is no move."""
    move = MOVES.get(type(event))
    if move is None:
        return
    cases = [*_list_cases(event, uow)]
    end = _make_end(move, event, uow)
    has_judged = has_completed = False
    for number, case in enumerate(cases, 1):
        if _is_judged(case, move, event):
            has_judged = True
            uow.put(replace(case, **end), event.task, event.round, number)
        elif case.verdict in move.completes:
            has_completed = True
            costs = {name: getattr(event, name) for name in COSTS}
            uow.put(replace(case, **costs), event.task, event.round, number)
    if move.opens is not None and not has_completed and not (has_judged and move.unless_open):
        uow.put(_open_case(move, move.opens, event, uow, end), event.task, event.round, len(cases) + 1)


def _is_judged(case: CaseRow, move: CaseMove, event: RoundEvent) -> bool:
    if move.judges is None or case.ended_at or case.kind != move.only:
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
    if move.until is not None:
        kept["until"] = getattr(event, move.until)
    if "reason" in kept:
        kept["reason"] = strip_nuls(kept["reason"])
    return CaseRow(
        place=compute_place(event),
        kind=str(kind),
        accuser=superlink if move.accuser is None else getattr(event, move.accuser),
        accused=superlink if move.accused is None else getattr(event, move.accused),
        opened_at=event.timestamp,
        opened_tx=event.tx_hash,
        subject="" if move.subject is None else move.subject(event),
        **kept,
        **end,
    )
