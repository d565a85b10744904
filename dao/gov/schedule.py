"""When a proposal is voted on, queued, executed and withdrawn, in words for whoever comes too early or too late."""

from dataclasses import dataclass

from dao.chain.block_clock import moment
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
    """Where a proposal stands at `now`; `eta`: from when on it may be executed, 0 or None where it is not queued."""

    state: str
    starts_at: int
    ends_at: int
    eta: int | None
    now: int


async def times_of(chain: Chain, proposal: int) -> Times:
    """Where a proposal stands; Reverted when there is none."""
    governor, at = Governor(chain), chain.head()
    return Times(
        (await governor.state_of(proposal, at)).name.lower(),
        await governor.snapshot_of(proposal, at),
        await governor.deadline_of(proposal, at),
        await governor.eta_of(proposal, at),
        at.timestamp,
    )


def not_now(act: str, times: Times) -> str | None:  # noqa: PLR0911  (a case each)
    """Why a proposal cannot be voted on, queued, executed or withdrawn ("cancel") now; None when it can."""
    state, voting = times.state, f"from {moment(times.starts_at)} to {moment(times.ends_at)}"
    if state == _FITS[act]:
        if act == "execute" and times.eta and times.eta > times.now:
            return f"the proposal is in the timelock until {moment(times.eta)}; it is executed from then on"
        return None
    if state in OVER and not (act == "vote" and state == "defeated"):
        return f"the proposal {OVER[state]}"
    match act:
        case "vote":
            return f"the proposal is {state}; votes {'are' if state == 'pending' else 'were'} cast {voting}"
        case "cancel":
            return f"the proposal is {state}; its proposer may withdraw it before voting begins, and that was {moment(times.starts_at)}"
        case "queue" if state == "queued":
            since = f"; it is executed from {moment(times.eta)} on" if times.eta else ""
            return f"the proposal was queued already{since}"
        case "execute" if state == "succeeded":
            return "the proposal has succeeded and is not queued yet; it is executed once it was queued and the timelock's delay is over"
    return f"the proposal is {state}; votes are cast {voting}, and once it has succeeded it is queued, then executed"


def is_over(act: str, state: str) -> bool:
    """Whether the time to queue or execute a proposal is past, whatever happens."""
    return state in OVER or (act == "queue" and state == "queued")
