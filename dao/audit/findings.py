"""What an audit finds: one check after the other, each held, broken, or not possible and why."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from dao.errors import AuditError, RuleError


class Outcome(StrEnum):
    """How a check ended."""

    OK = "ok"
    FAILED = "failed"
    UNCHECKED = "unchecked"


@dataclass(frozen=True, slots=True)
class Check:
    """One check; `detail` says what was compared, what differs, or what was missing."""

    name: str
    outcome: Outcome
    detail: str


class Differs(AuditError):  # noqa: N818  (a leaf of the tree)
    """What was stated is not what chain and content say."""


class Missing(AuditError):  # noqa: N818  (a leaf of the tree)
    """A check cannot be made without something that could not be had."""


class UnusableManifest(RuleError):  # noqa: N818  (a leaf of the tree)
    """A result's manifest is none that goes with it: what the result binds is as good as withheld."""


def expect(holds: bool, message: str) -> None:
    """Raise Differs unless it holds."""
    if not holds:
        raise Differs(message)


def exit_code(checks: Sequence[Check]) -> int:
    """0: all held; 1: something differs; 2: nothing differs, but something could not be checked."""
    outcomes = {check.outcome for check in checks}
    if Outcome.FAILED in outcomes:
        return 1
    return 2 if Outcome.UNCHECKED in outcomes else 0
