"""The epsilon that is told is the accountant's, however the updates came."""

import pytest
from dp_accounting import dp_event
from dp_accounting.pld import pld_privacy_accountant
from dp_accounting.rdp import rdp_privacy_accountant

from node.privacy.accounting import compute_epsilon, count_updates


@pytest.mark.parametrize("noises", [[2.0], [10.0] * 5, [20.0, 4.0, 40.0], [60.0] * 300])
@pytest.mark.parametrize("delta", [1e-5, 1e-6])
def test_epsilon__of_updates__is_the_accountants_within_a_hundredth(
    noises: list[float], delta: float
) -> None:
    exact, bound = pld_privacy_accountant.PLDAccountant(), rdp_privacy_accountant.RdpAccountant()
    for accountant in (exact, bound):
        for noise in noises:
            accountant.compose(dp_event.GaussianDpEvent(noise / 2))
    told = compute_epsilon(noises, delta)
    assert told == pytest.approx(exact.get_epsilon(delta), rel=0.01)
    assert told <= bound.get_epsilon(delta)


def test_epsilon__of_no_update__is_none() -> None:
    assert compute_epsilon([], 1e-6) == 0


def test_count__of_updates__is_the_most_that_the_budget_holds() -> None:
    count = count_updates(20.0, 1e-6, 3.0)
    assert compute_epsilon([20.0] * count, 1e-6) <= 3.0 < compute_epsilon([20.0] * (count + 1), 1e-6)
    assert count_updates(0.5, 1e-6, 1.0) == 0
