"""The ledger of a site knows an update before its noise is drawn; a kill neither loses one nor counts one twice."""

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from dao.core.types import Address, Digest, Domain, RoundId, TaskId
from dao.errors import RuleError
from dao.runtime.failpoint import VARIABLE
from node.privacy.accounting import compute_epsilon, count_updates
from node.privacy.ledger import BudgetSpent, PrivacyLedger, UpdatePlace

ROOT = Path(__file__).parents[3]
DELTA, NOISE, BUDGET = 1e-6, 10.0, 3.0
PLACE = UpdatePlace(
    Domain(1, Address(b"c" * 20)), Address(b"n" * 20), TaskId(1), RoundId(1), Digest(b"o" * 32)
)
SPENDING = """
import sys
from pathlib import Path
from dao.core.types import Address, Digest, Domain, RoundId, TaskId
from node.privacy.ledger import PrivacyLedger, UpdatePlace
from node.privacy.mechanism import write_private_update
from dao.core.types import Codec
folder = Path(sys.argv[1])
place = UpdatePlace(Domain(1, Address(b"c" * 20)), Address(b"n" * 20), TaskId(1), RoundId(1), Digest(b"o" * 32))
print(PrivacyLedger(folder / "privacy.db").spend(place, 10.0, 1.0, 1e-6, 3.0))
write_private_update(folder / "base", folder / "trained", Codec.INT8, 1, folder / "update", clip=1.0, noise=10.0)
"""


@pytest.fixture
def ledger(tmp_path: Path) -> PrivacyLedger:
    return PrivacyLedger(tmp_path / "privacy.db")


def spend(ledger: PrivacyLedger, place: UpdatePlace, noise: float = NOISE) -> float:
    return ledger.spend(place, noise, 1.0, DELTA, BUDGET)


def test_spend__rounds_of_two_tasks__add_up(ledger: PrivacyLedger) -> None:
    assert spend(ledger, PLACE) == compute_epsilon([NOISE], DELTA)
    assert spend(ledger, replace(PLACE, task=TaskId(2))) == compute_epsilon([NOISE] * 2, DELTA)
    assert spend(ledger, replace(PLACE, round=RoundId(2)), 20.0) == pytest.approx(
        compute_epsilon([NOISE, NOISE, 20.0], DELTA)
    )


def test_spend__the_same_opening_again__is_one_entry_with_the_smaller_noise(ledger: PrivacyLedger) -> None:
    for _ in range(3):
        assert spend(ledger, PLACE) == compute_epsilon([NOISE], DELTA)
    spend(ledger, PLACE, 8.0)
    spend(ledger, PLACE, 30.0)
    assert ledger.read_noises() == [8.0]
    spend(ledger, replace(PLACE, opening=Digest(b"p" * 32)))  # another opening is another update
    assert ledger.read_noises() == [8.0, NOISE]


def test_spend__beyond_the_budget__is_refused_and_enters_nothing(ledger: PrivacyLedger) -> None:
    number = count_updates(NOISE, DELTA, BUDGET)
    for round_id in range(number):
        spend(ledger, replace(PLACE, round=RoundId(round_id)))
    with pytest.raises(BudgetSpent, match=r"^privacy budget used up: .* and you allow 3$"):
        spend(ledger, replace(PLACE, round=RoundId(number)))
    assert len(ledger.read_noises()) == number > 0
    assert compute_epsilon([NOISE] * number, DELTA) <= BUDGET < compute_epsilon([NOISE] * (number + 1), DELTA)
    with pytest.raises(RuleError):
        ledger.require(replace(PLACE, round=RoundId(99)), NOISE, DELTA, BUDGET)
    spend(ledger, PLACE)  # what is entered already may be made again


@pytest.mark.parametrize(
    ("failpoint", "entered"),
    [("before-spent", 0), ("during-spent", 0), ("after-spent", 1), ("noised", 1)],
)
def test_spend__killed__is_entered_before_any_noise_and_once(
    tmp_path: Path, failpoint: str, entered: int, models: None
) -> None:
    line = [sys.executable, "-c", SPENDING, str(tmp_path)]

    killed = subprocess.run(
        line, cwd=ROOT, env={**os.environ, VARIABLE: failpoint}, timeout=100, check=False, capture_output=True
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    ledger = PrivacyLedger(tmp_path / "privacy.db")
    assert len(ledger.read_noises()) == entered
    if entered == 0:
        assert not (tmp_path / "update").exists()
    assert spend(ledger, PLACE) == compute_epsilon([NOISE], DELTA)  # as the daemon that starts again does
    assert ledger.read_noises() == [NOISE]
