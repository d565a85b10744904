"""The times at which a proposal is voted on, queued, executed and withdrawn, and words for acts out of time."""

from dataclasses import dataclass

from dao.chain.block_clock import format_time
from dao.chain.client import Chain
from dao.chain.governance import Governor

VOTED = "this account has voted on this proposal, and a vote is final"
NO_VOTES = "this account had no votes when the voting began; delegate for the next one"
_FITS = {"vote": "active", "queue": "succeeded", "execute": "queued", "cancel": "pending"}
OVER = {  # nothing follows these
    "canceled": "was withdrawn already",
    "executed": "was executed already",
    "defeated": "was defeated",
    "expired": "has expired",
}


@dataclass(frozen=True, slots=True)
class Times:
    """A proposal's state and times at `now`; `eta`: when it may be executed, 0 or None where it is not queued."""

    state: str
    starts_at: int
    ends_at: int
    eta: int | None
    now: int


async def read_times(chain: Chain, proposal: int) -> Times:
    """Read a proposal's state and times; Reverted when there is none."""
    governor, at = Governor(chain), chain.head()
    return Times(
        (await governor.state_of(proposal, at)).name.lower(),
        await governor.snapshot_of(proposal, at),
        await governor.deadline_of(proposal, at),
        await governor.eta_of(proposal, at),
        at.timestamp,
    )


def explain_refusal(act: str, times: Times) -> str | None:  # noqa: PLR0911  (a case each)
    """Return why a proposal cannot be voted on, queued, executed or withdrawn ("cancel") now; None when it can."""
    state, voting = times.state, f"from {format_time(times.starts_at)} to {format_time(times.ends_at)}"
    if state == _FITS[act]:
        if act == "execute" and times.eta and times.eta > times.now:
            return (
                f"the proposal is in the timelock until {format_time(times.eta)}; it is executed from then on"
            )
        return None
    if state in OVER and not (act == "vote" and state == "defeated"):
        return f"the proposal {OVER[state]}"
    match act:
        case "vote":
            return f"the proposal is {state}; votes {'are' if state == 'pending' else 'were'} cast {voting}"
        case "cancel":
            return f"the proposal is {state}; its proposer may withdraw it before voting begins, and that was {format_time(times.starts_at)}"
        case "queue" if state == "queued":
            since = f"; it is executed from {format_time(times.eta)} on" if times.eta else ""
            return f"the proposal was queued already{since}"
        case "execute" if state == "succeeded":
            return "the proposal has succeeded and is not queued yet; it is executed once it was queued and the timelock's delay is over"
    return f"the proposal is {state}; votes are cast {voting}, and once it has succeeded it is queued, then executed"


def is_too_late(act: str, state: str) -> bool:
    """Return whether a proposal can never be queued or executed any more."""
    return state in OVER or (act == "queue" and state == "queued")
