"""Fees that a transaction offers for its gas, and those with which it may take another's place."""

from dataclasses import dataclass

from dao.core.types import Wei

GWEI = 10**9


@dataclass(frozen=True, slots=True)
class Fees:
    """Wei per gas: at most `max_fee` in all, of which `tip` goes to the block's builder."""

    max_fee: Wei
    tip: Wei


def compute_fees(base_fee: Wei, tip: Wei, cap: Wei) -> Fees:
    """Return fees that last six full blocks of rising base fee, within the cap."""
    max_fee = Wei(min(2 * base_fee + tip, cap))
    return Fees(max_fee, Wei(min(tip, max_fee)))


def compute_raised_fees(fees: Fees, base_fee: Wei, tip: Wei, cap: Wei) -> Fees | None:
    """Return fees with which nodes let a transaction replace its like: both a tenth higher, or today's if these are more.

    None where the cap does not allow it.
    """
    usual = compute_fees(base_fee, tip, cap)
    max_fee = max(_tenth_more(fees.max_fee), usual.max_fee)
    new_tip = max(_tenth_more(fees.tip), usual.tip)
    if max_fee > cap or new_tip > max_fee:
        return None
    return Fees(Wei(max_fee), Wei(new_tip))


def _tenth_more(value: int) -> int:
    return value + value // 10 + 1
