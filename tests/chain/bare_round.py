"""A round without content: opened, closed and posted by its Superlink alone; and a prover that finds it wrong."""

from contextlib import AbstractAsyncContextManager

from dao.chain.client import Chain
from dao.chain.contracts import Call, Coordinator
from dao.chain.deploy import timelock_execute
from dao.chain.disputes import Disputes
from dao.chain.sender import Sender
from dao.chain.signer import Signer
from dao.core.statement import compute_statement_hash
from dao.core.types import ZERO_DIGEST, Address, Result, RoundId, Statement, TaskId, Wei
from tests.support import GAS_MONEY, Member, Network

ROUND = RoundId(1)
STATEMENT = Statement(  # type: ignore[misc]
    *[ZERO_DIGEST] * 12,  # type: ignore[arg-type]  # (12 digests, then numbers)
    gate_square=3,
    gradient_along=-4,
    step_square=5,
    along_median=6,
    norm_median=7,
    rows=1,
    accounts=1,
)
GUILTY = bytes.fromhex("6001600c60003960016000f300")  # creates a prover that holds whatever it is asked


async def post(network: Network, chain: Chain, task: TaskId, superlink: Member, passes: int = 0) -> Result:
    """Play a round in which one node commits, and so many others pass, to its result."""
    coordinator = Coordinator(chain)
    async with network.sender(chain, superlink.operator) as sender:
        opened = await sender.send(coordinator.open_round(task))
        place = (task, ROUND, opened.events[0].block)
        closed = await sender.send(coordinator.close_commits(*place, ZERO_DIGEST, ZERO_DIGEST, 1, passes))
        result = Result(
            commits_root=ZERO_DIGEST,
            seed=closed.events[0].seed,  # type: ignore[attr-defined]
            statement=compute_statement_hash(STATEMENT),
            model_digest=ZERO_DIGEST,
            manifest_digest=ZERO_DIGEST,
            accounts_root=ZERO_DIGEST,
            forced_hash=ZERO_DIGEST,
            inputs=0,
            revealed=1,
            weight_sum=0,
            reward_total=Wei(0),
        )
        await sender.send(coordinator.post_result(task, ROUND, result))
    return result


async def vote_prover(network: Network, chain: Chain) -> Address:
    """Have the DAO take a prover into the set that holds every claim."""
    async with network.dao(chain) as dao:
        created = (await dao.send(Call(None, GUILTY, "create"))).created
        assert created is not None
        await timelock_execute(chain, dao, [Disputes(chain).set_prover(created, allowed=True)])
    return created


def accuser(network: Network, chain: Chain) -> AbstractAsyncContextManager[Sender]:
    """Send as an account that has ether, and neither stake nor role."""
    signer = Signer.ephemeral()
    network.anvil.fund(signer.address, GAS_MONEY)
    return network.sender(chain, signer)
