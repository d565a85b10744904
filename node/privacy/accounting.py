"""What noised updates have told of a site together, as epsilon at a delta; by Google's dp-accounting.

The unit is the site's whole update: two tables of the site, however different, give updates that are at most twice the
clip apart, so an update with noise of `noise` times the clip is a Gaussian mechanism of multiplier `noise / 2`. Gaussian
mechanisms compose to one: the inverse squares of their multipliers add up, also where each depends on those before (Dong, Roth and Su,
arXiv:1905.02383, Corollary 3.3). Its epsilon is exact (Balle and Wang, arXiv:1805.06530).
"""

import math
from collections.abc import Iterable

SENSITIVITY = 2.0  # clips between the updates of two tables


def compute_epsilon(noises: Iterable[float], delta: float) -> float:
    """Return the epsilon of updates with these noises, in clips each, released one after the other; 0 of none."""
    from dp_accounting import get_epsilon_gaussian

    inverse = sum((SENSITIVITY / noise) ** 2 for noise in noises)
    return float(get_epsilon_gaussian(1 / math.sqrt(inverse), delta)) if inverse else 0.0


def count_updates(noise: float, delta: float, budget: float) -> int:
    """Return how many updates with this noise a budget lasts for, at most a million."""
    low, high = 0, 1_000_000
    while low < high:
        middle = (low + high + 1) // 2
        # so many of one noise are one of a smaller
        if compute_epsilon([noise / math.sqrt(middle)], delta) <= budget:
            low = middle
        else:
            high = middle - 1
    return low
