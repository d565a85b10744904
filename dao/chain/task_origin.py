"""By whose decision a task exists, as the chain has it."""

from dao.chain.client import Chain
from dao.chain.events import TaskCreated
from dao.chain.governance_events import ProposalExecuted
from dao.core.types import BlockNumber, TaskId
from dao.errors import ChainError


async def read_task_origin(chain: Chain, task: TaskId) -> str:
    """Return `proposal NUMBER` where members voted for a task, else `account ADDRESS`, who sent its creation.

    ChainError where the chain's node does not show it.
    """
    span = chain.deployment.block, BlockNumber(chain.final().number)
    logs = await chain.logs(chain.filter_of((TaskCreated,), task), span)
    if not logs:
        raise ChainError(f"task {task}: no event of its creation; use a node with more history")
    receipt = await chain.request("eth_getTransactionReceipt", logs[0]["transactionHash"])
    if receipt is None:
        raise ChainError(f"task {task}: no receipt of its creation; use a node with more history")
    for event in await chain.decode(receipt["logs"]):
        if isinstance(event, ProposalExecuted):
            return f"proposal {event.proposal_id}"
    return f"account {receipt['from'].lower()}"
