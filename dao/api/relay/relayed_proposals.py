"""The proposals that relayed jobs are about, and how many of an account may be undecided: the slot is what one costs."""

import time
from collections.abc import Sequence

from dao.api.http.problems import Problem
from dao.api.relay.relay_jobs import Act, JobState, NonceSpace, RelayJob
from dao.chain.client import Chain
from dao.chain.governance import Actions
from dao.chain.interface import decode, load
from dao.errors import Reverted
from dao.gov.actions import compute_proposal_id
from dao.gov.schedule import Times, read_times

_UNDECIDED = ("pending", "active")


def find_proposal(job: RelayJob) -> int | None:
    """Find the proposal that a job is about, from its call."""
    if job.space.is_open:
        return job.nonce  # see NonceSpace
    if job.space is not NonceSpace.GOVERNOR:
        return None
    functions = load("DaoGovernor").functions.values()
    function = next(abi for abi in functions if abi.selector == job.call.data[:4])
    values = decode(function.inputs, job.call.data[4:], function.name)
    if job.act is not Act.PROPOSE:
        return int(values[0])
    _, *calls, description, _, _ = values
    return compute_proposal_id(Actions(*map(tuple, calls)), description)


async def check_slot(chain: Chain, jobs: Sequence[RelayJob], limit: int) -> None:
    """Raise Problem 429 where `limit` proposals of an account that were relayed wait, or are not decided."""
    waiting, ends = 0, []
    for job in jobs:
        if job.state is JobState.PENDING:
            waiting += 1
        elif (times := await _read_times(chain, job)) is not None and times.state in _UNDECIDED:
            ends.append(times.ends_at)
    if waiting + len(ends) < limit:
        return
    raise Problem(
        429,
        "too-many",
        f"at most {limit} undecided of an account's proposals are relayed; wait until the votes on "
        "yours are counted, or send this one yourself",
        retry_after=max(1.0, min(ends) - time.time()) if ends else 15,
    )


async def _read_times(chain: Chain, job: RelayJob) -> Times | None:
    """Read the times of a relayed proposal; None where a reorg took it back."""
    try:
        return await read_times(chain, find_proposal(job) or 0)
    except Reverted:
        return None
