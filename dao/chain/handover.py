"""Leaves a network to its governor: the deployer gives every role away, and anyone can check that it did."""

from collections.abc import AsyncIterator, Iterator

from dao.chain.blocks import BlockRef
from dao.chain.client import At, Chain
from dao.chain.contract_table import CONTRACTS
from dao.chain.contracts import Call, Contract, Coordinator, Token
from dao.chain.deploy import timelock_execute
from dao.chain.disputes import Disputes, read_coordinator
from dao.chain.events import ProverSet, SlasherSet
from dao.chain.governance import (
    ADMIN_ROLE,
    CANCELLER_ROLE,
    EXECUTOR_ROLE,
    PROPOSER_ROLE,
    Actions,
    Governor,
    Timelock,
    VotingPower,
)
from dao.chain.governance_events import (
    Approval,
    CallScheduled,
    ProposalCreated,
    ProposalQueued,
    RoleGranted,
    RoleRevoked,
)
from dao.chain.gradient_votes import GradientVotes
from dao.chain.sender import Sender
from dao.core.types import ZERO_ADDRESS, Address, BlockNumber, Digest, hex_of
from dao.errors import ChainError

_NAMES = {
    PROPOSER_ROLE: "proposer",
    EXECUTOR_ROLE: "executor",
    CANCELLER_ROLE: "canceller",
    ADMIN_ROLE: "admin",
}


async def hand_over(chain: Chain, sender: Sender, min_delay: int | None = None) -> None:
    """Give the timelock's roles to the governor, and execution to anyone; the sender, its deployer, has none afterwards.

    `min_delay` (seconds) becomes the timelock's delay. An interrupted hand-over can be repeated. ChainError when
    afterwards anyone else could still do something; see `find_faults`.
    """
    timelock, governor = Timelock(chain), chain.deployment.governor
    calls: list[Call] = [] if min_delay is None else [timelock.update_delay(min_delay)]
    calls += [
        timelock.grant_role(PROPOSER_ROLE, governor),
        timelock.grant_role(CANCELLER_ROLE, governor),
        timelock.grant_role(EXECUTOR_ROLE, ZERO_ADDRESS),
        *(
            timelock.revoke_role(role, sender.address)
            for role in (PROPOSER_ROLE, CANCELLER_ROLE, EXECUTOR_ROLE)
        ),
    ]
    receipt = await timelock_execute(chain, sender, calls, "hand-over")
    remaining = [fault async for fault in find_faults(chain, receipt.block)]
    if remaining:
        raise ChainError(f"hand-over: {'; '.join(remaining)}; do not use this network")


async def find_faults(chain: Chain, at: At) -> AsyncIterator[str]:
    """Yield all that keeps a network from being governed by its members alone, a sentence each."""
    deployment = chain.deployment
    block = at.number if isinstance(at, BlockRef) else at
    expected_roles = {
        (PROPOSER_ROLE, deployment.governor),
        (CANCELLER_ROLE, deployment.governor),
        (EXECUTOR_ROLE, ZERO_ADDRESS),
        (ADMIN_ROLE, deployment.timelock),
    }
    roles = await _read_roles(chain, block)
    for role, account in sorted(roles - expected_roles):
        yield f"{hex_of(account)} is {_NAMES.get(role, hex_of(role))} of the timelock"
    for role, account in sorted(expected_roles - roles):
        yield f"{hex_of(account)} is not {_NAMES[role]} of the timelock"
    for operation in await _find_unvoted(chain, at):
        yield f"operation {hex_of(operation)} was scheduled without a vote and can still be executed"
    slashers = {event.slasher: event.allowed for event in await chain.past(SlasherSet, to_block=block)}
    expected_slashers = {deployment.disputes, deployment.gradient_vote}
    for fault in _compare(slashers, expected_slashers, "may take anyone's stake"):
        yield fault
    provers = {event.prover: event.allowed for event in await chain.past(ProverSet, to_block=block)}
    expected_provers = {*deployment.provers.values(), deployment.gradient_vote}
    for fault in _compare(provers, expected_provers, "may prove results wrong"):
        yield fault
    approvals = await chain.past(Approval, owner=deployment.timelock, to_block=block)
    for spender in dict.fromkeys(event.spender for event in approvals):
        if await Token(chain).allowance(deployment.timelock, spender, at):
            yield f"{hex_of(spender)} may take tokens of the treasury"
    for name, address, expected in await _read_ties(chain, at):
        if address != expected:
            yield f"{name} is {hex_of(address)}, expected {hex_of(expected)}"


def _compare(allowed: dict[Address, bool], expected: set[Address], right: str) -> Iterator[str]:
    """Yield who has a right and should not, and who should and has not."""
    actual = {account for account, is_allowed in allowed.items() if is_allowed}
    for account in sorted(actual - expected):
        yield f"{hex_of(account)} {right}"
    for account in sorted(expected - actual):
        yield f"{hex_of(account)}: it should be one that {right}, and is none"


async def _read_roles(chain: Chain, block: BlockNumber) -> set[tuple[Digest, Address]]:
    changes: list[RoleGranted | RoleRevoked] = [
        *await chain.past(RoleGranted, to_block=block),
        *await chain.past(RoleRevoked, to_block=block),
    ]
    roles = set()
    for change in sorted(changes, key=lambda change: (change.block, change.log_index)):
        if isinstance(change, RoleGranted):
            roles.add((change.role, change.account))
        else:
            roles.discard((change.role, change.account))
    return roles


async def _find_unvoted(chain: Chain, at: At) -> list[Digest]:
    """Operations that can still be executed, and were scheduled otherwise than by queuing their proposal.

    A queued operation may have been cancelled and scheduled again, by an account with that role: the last time counts,
    and the governor's event of a queued proposal follows its calls in the same transaction.
    """
    block = at.number if isinstance(at, BlockRef) else at
    timelock = Timelock(chain)
    scheduled = {event.id: event for event in await chain.past(CallScheduled, to_block=block)}
    pending = [operation for operation in scheduled if await timelock.is_pending(operation, at)]
    if not pending:
        return []
    queued = {event.proposal_id: event for event in await chain.past(ProposalQueued, to_block=block)}
    voted = {
        timelock.operation_of(
            Actions(event.targets, event.values, event.calldatas), event.description
        ): queuing
        for event in await chain.past(ProposalCreated, to_block=block)
        if (queuing := queued.get(event.proposal_id)) is not None
    }
    return [
        operation
        for operation in pending
        if (queuing := voted.get(operation)) is None
        or queuing.tx_hash != scheduled[operation].tx_hash
        or queuing.log_index < scheduled[operation].log_index
    ]


async def _read_ties(chain: Chain, at: At) -> list[tuple[str, Address, Address]]:
    """Return owners and references of the contracts: (name, address, expected address)."""
    d = chain.deployment
    governor, power = Governor(chain), VotingPower(chain)
    disputes, jury = Disputes(chain), GradientVotes(chain)
    return [
        *[
            (f"the {row.field}'s owner", await contract.owner(at), d.timelock)
            for row in CONTRACTS
            if (contract := Contract(chain, row.name)).has_owner
        ],
        ("the coordinator's disputes", await Coordinator(chain).disputes(at), d.disputes),
        *[
            (f"the {name} of the disputes", await disputes.part(name, at), getattr(d, name))
            for name in ("token", "registry", "distributor", "coordinator")
        ],
        *[
            (f"the {name} of the votes on gradients", await jury.part(name, at), getattr(d, name))
            for name in ("token", "registry", "coordinator", "disputes")
        ],
        *[
            (f"the coordinator of {name}", await read_coordinator(chain, name, at), d.coordinator)
            for name in d.provers
        ],
        ("the governor's timelock", await governor.timelock(at), d.timelock),
        ("the governor's source of votes", await governor.votes(at), d.voting_power),
        *[
            (f"the {name} of the voting power", await power.part(name, at), expected)
            for name, expected in (
                *(("token", d.token), ("registry", d.registry)),
                *(("treasury", d.timelock), ("escrow", d.distributor)),
            )
        ],
        *[
            (f"the {name}'s delegate", await Token(chain).delegate_of(account, at), account)
            for name, account in (("treasury", d.timelock), ("escrow", d.distributor))
        ],
    ]
