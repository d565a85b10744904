"""Deploys a network's contracts, and makes calls through its timelock while the deployer still may."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dao.chain.client import Chain
from dao.chain.contract_table import PROVERS
from dao.chain.contracts import Call, Coordinator, Registry, Token
from dao.chain.deployment import Deployment
from dao.chain.disputes import Disputes
from dao.chain.events import TaskCreated
from dao.chain.governance import Timelock
from dao.chain.interface import load
from dao.chain.receipts import TxReceipt
from dao.chain.sender import Sender
from dao.chain.signer import Signer
from dao.core.engine.keccak import keccak256
from dao.core.types import Address, BlockNumber, Digest, Rules, TaskId, Wei, hex_of
from dao.errors import ChainError

TOKEN = Wei(10**18)
_SUPPLY = Wei(10**9 * TOKEN)
_BATCH = 100  # transfers in one transaction
READY_LIMIT = 60.0  # seconds beyond the timelock's delay until an operation must be ready


@dataclass(frozen=True, slots=True)
class Params:
    """The parameters of a new network. Periods in seconds, amounts in wei.

    The whole supply goes to the timelock, which owns every contract; the deployer proposes and executes there until
    dao.chain.handover.hand_over leaves both to the governor.
    """

    name: str = "Commonweight"
    symbol: str = "CWT"
    supply: Wei = _SUPPLY
    minimum_stake: Wei = TOKEN
    unbonding_period: int = 7 * 86_400
    voting_delay: int = 3600  # from a proposal to its voting
    voting_period: int = 2 * 86_400
    threshold: Wei = TOKEN  # votes that a proposer needs
    quorum_percent: int = 4  # of all tokens but the treasury's and those in escrow
    late_extension: int = 43_200  # least time to vote once the quorum is reached


async def deploy(url: str, signer: Signer, params: Params, path: Path) -> Deployment:
    """Create the contracts from a funded account, and return where they are.

    `path` is the file of the account's transactions: a deployment that was interrupted goes on from there. Raises
    ConfigError, RpcError, Reverted.
    """
    async with await Chain.connect(url) as chain, Sender(chain, signer, path) as sender:
        deployment = await _create_all(chain, sender, signer.address, params)
        await _check(chain, deployment)
    async with await Chain.connect(url, deployment) as chain, Sender(chain, signer, path) as sender:
        await _appoint(chain, sender)
    return deployment


async def _create_all(chain: Chain, sender: Sender, account: Address, params: Params) -> Deployment:
    """Create the contracts by this account, the sender's."""
    timelock, begin = await _create(sender, "TimelockController", 0, [account], [account], bytes(20))
    token, _ = await _create(sender, "DaoToken", params.name, params.symbol, timelock, params.supply)
    registry, _ = await _create(
        sender, "SupernodeRegistry", token, params.minimum_stake, params.unbonding_period, timelock
    )
    # distributor and coordinator must know each other: the first is made with the address that the second will
    # have if the account sends nothing else in between
    nonce = int(await chain.request("eth_getTransactionCount", hex_of(account), "latest"), 16)
    distributor, _ = await _create(
        sender, "RewardDistributor", token, compute_created_address(account, nonce + 1)
    )
    coordinator, _ = await _create(sender, "TrainingCoordinator", token, registry, distributor, timelock)
    reveals, _ = await _create(sender, "ForcedReveals", coordinator)
    disputes, _ = await _create(sender, "Disputes", token, registry, distributor, coordinator, timelock)
    jury, _ = await _create(sender, "GradientVote", token, registry, coordinator, disputes)
    more = {"AvailabilityProver": [reveals]}  # what a prover reads beside the coordinator
    provers = {name: (await _create(sender, name, coordinator, *more.get(name, ())))[0] for name in PROVERS}
    power, _ = await _create(sender, "VotingPower", token, registry, timelock, distributor)
    governor, _ = await _create(
        *(sender, "DaoGovernor", power, timelock, params.voting_delay, params.voting_period),
        *(params.threshold, params.quorum_percent, params.late_extension),
    )
    return Deployment(
        *(
            chain.chain_id,
            begin,
            token,
            registry,
            coordinator,
            distributor,
            reveals,
            disputes,
            jury,
            timelock,
            power,
            governor,
        ),
        provers=provers,
    )


async def _appoint(chain: Chain, sender: Sender) -> None:
    """Let the disputes strike results and take stake, by what the provers show and jurors vote."""
    deployment, disputes = chain.deployment, Disputes(chain)
    calls = [
        Coordinator(chain).set_disputes(disputes.address),
        Registry(chain).set_slasher(disputes.address, allowed=True),
        Registry(chain).set_slasher(deployment.gradient_vote, allowed=True),
        disputes.set_prover(deployment.gradient_vote, allowed=True),
        *(disputes.set_prover(deployment.provers[name], allowed=True) for name in PROVERS),
    ]
    await timelock_execute(chain, sender, calls, "appoint")


def compute_created_address(account: Address, nonce: int) -> Address:
    """Return the address of the contract that a transaction of this nonce creates: the end of keccak256(rlp)."""
    number = nonce.to_bytes((nonce.bit_length() + 7) // 8, "big")
    encoded = number if len(number) == 1 and number[0] < 0x80 else bytes([0x80 + len(number)]) + number
    body = b"\x94" + account + encoded
    return Address(keccak256(bytes([0xC0 + len(body)]) + body)[12:])


async def timelock_execute(
    chain: Chain, sender: Sender, calls: Sequence[Call], key: str | None = None
) -> TxReceipt:
    """Make calls through the timelock, all or none: schedule, wait for its delay, execute; return the last receipt.

    The sender is proposer and executor. With a `key`, an interrupted call can be repeated. Reverted when one call is
    refused.
    """
    timelock = Timelock(chain)
    salt = keccak256(key.encode()) if key else Digest(secrets.token_bytes(32))
    delay = await timelock.min_delay(chain.head())
    scheduled = await sender.send(timelock.schedule(calls, salt, delay), key and f"{key}:schedule")
    operation = await timelock.operation(calls, salt, scheduled.block)
    ready = await timelock.ready_time(operation, scheduled.block)
    await chain.reach(timestamp=ready, limit=delay + READY_LIMIT)
    return await sender.send(timelock.execute(calls, salt), key and f"{key}:execute")


async def create_task(
    chain: Chain, sender: Sender, rules: Rules, funds: Wei, key: str | None = None
) -> TaskId:
    """Create a task by the timelock, funded from its tokens."""
    approve = Token(chain).approve(chain.deployment.distributor, funds)
    receipt = await timelock_execute(
        chain, sender, [approve, Coordinator(chain).create_task(rules, funds)], key
    )
    return receipt.get_event(TaskCreated, "createTask", "the coordinator's address").task


async def grant(chain: Chain, sender: Sender, amounts: Mapping[Address, Wei], key: str | None = None) -> None:
    """Send tokens of the timelock to accounts, _BATCH accounts at a time."""
    token = Token(chain)
    transfers = [token.transfer(account, amount) for account, amount in amounts.items()]
    for start in range(0, len(transfers), _BATCH):
        await timelock_execute(chain, sender, transfers[start : start + _BATCH], key and f"{key}:{start}")


async def _create(sender: Sender, contract: str, *args: object) -> tuple[Address, BlockNumber]:
    call = Call(None, load(contract).create(*args), f"create {contract}")
    receipt = await sender.send(call, f"deploy:{contract}")
    if receipt.created is None:
        raise ChainError(f"{contract}: not created by its transaction; is this a chain with contracts?")
    return receipt.created, receipt.block


async def _check(chain: Chain, deployment: Deployment) -> None:
    """Fail where the distributor and the coordinator do not know each other."""
    function = load("RewardDistributor").functions["coordinator"]
    (coordinator,) = await chain.call(deployment.distributor, function, at=chain.head())
    if coordinator != deployment.coordinator:
        raise ChainError(
            f"RewardDistributor: made for a coordinator at {hex_of(coordinator)}, which is at "
            f"{hex_of(deployment.coordinator)}; deploy again, from an account that does nothing else meanwhile"
        )
