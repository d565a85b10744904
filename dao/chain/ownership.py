"""Does what the owner of Supernodes does by its own key alone: it needs no file of an operator's."""

from dataclasses import dataclass

from dao.chain.client import Chain
from dao.chain.contracts import Call, Coordinator, Registry, SupernodeStake
from dao.chain.events import Joined, Registered
from dao.chain.sender import Sender
from dao.core.types import Address, TaskId, hex_of
from dao.errors import Reverted, RuleError


@dataclass(frozen=True, slots=True)
class TaskSeat:
    """An owner's place in a task: the operator that joined it."""

    task: TaskId
    operator: Address


@dataclass(frozen=True, slots=True)
class Move:
    """A task that a Supernode left; `trouble` says why its new operator could not join it."""

    task: TaskId
    trouble: str = ""


async def list_supernodes(chain: Chain, owner: Address) -> list[SupernodeStake]:
    """List the Supernodes that an owner ever registered, in order."""
    registry, at = Registry(chain), chain.final()
    registered = await chain.past(Registered, to_block=at.number)
    return [await registry.supernode(event.operator, at) for event in registered if event.owner == owner]


async def find_supernode(chain: Chain, owner: Address, operator: Address | None = None) -> SupernodeStake:
    """Find an owner's Supernode by any operator that it ever had; None: the only one.

    RuleError when it is another's, or it takes a name to say which one is meant.
    """
    if operator is not None:
        found = await Registry(chain).supernode(operator, chain.final())
        if found.owner != owner:
            raise RuleError(f"operator {hex_of(operator)}: serves no Supernode of owner {hex_of(owner)}")
        return found
    supernodes = await list_supernodes(chain, owner)
    if not supernodes:
        raise RuleError(f"owner {hex_of(owner)}: has no Supernode in this network")
    if len(supernodes) > 1:
        names = " ".join(hex_of(one.operator) for one in supernodes)
        raise RuleError(f"--operator: this owner has several Supernodes, expected one of {names}")
    return supernodes[0]


async def list_tasks(chain: Chain, owner: Address) -> list[TaskId]:
    """List the tasks that an owner ever joined."""
    joined = await chain.past(Joined, to_block=chain.final().number)
    return sorted({event.task for event in joined if event.owner == owner})


async def list_seats(chain: Chain, owner: Address) -> list[TaskSeat]:
    """List an owner's seats, at most one in a task."""
    coordinator, at = Coordinator(chain), chain.final()
    joined = await chain.past(Joined, to_block=at.number)
    seats = {(event.task, event.operator) for event in joined if event.owner == owner}
    return [TaskSeat(*seat) for seat in sorted(seats) if await coordinator.is_joined(*seat, at)]


async def rotate(
    chain: Chain, sender: Sender, supernode: SupernodeStake, successor: Address, consent: bytes
) -> list[Move]:
    """Have another operator, which signed `consent`, serve a Supernode, in its tasks too; return these.

    Called again after it was cut short, it goes on with the tasks that the old operator has not left.
    """
    registry, coordinator = Registry(chain), Coordinator(chain)
    current = await registry.supernode(supernode.operator, chain.final())
    is_done = current.operator == successor
    seats = await _list_seats_of(chain, supernode.owner, None if is_done else current.operator)
    if not is_done:
        await sender.send(registry.rotate(supernode.operator, successor, consent))
    moves = []
    for seat in seats:
        # anyone may have removed it meanwhile
        await _try(sender, coordinator.leave(seat.task, seat.operator))
        moves.append(Move(seat.task, await _try(sender, coordinator.join(seat.task, successor))))
    return moves


async def revoke(chain: Chain, sender: Sender, supernode: SupernodeStake) -> list[TaskId]:
    """Have nobody serve a Supernode, and leave its tasks; return these."""
    current = await Registry(chain).supernode(supernode.operator, chain.final())
    seats = await _list_seats_of(chain, supernode.owner, current.operator)
    if not (current.revoked and seats):  # cut short before it had left them
        await sender.send(Registry(chain).revoke(supernode.operator))
    for seat in seats:
        await _try(sender, Coordinator(chain).leave(seat.task, seat.operator))
    return [seat.task for seat in seats]


async def leave(chain: Chain, sender: Sender, owner: Address, task: TaskId) -> None:
    """Leave a task; RuleError when no Supernode of the owner takes part."""
    for seat in await list_seats(chain, owner):
        if seat.task == task:
            await sender.send(Coordinator(chain).leave(task, seat.operator))
            return
    raise RuleError(f"task {task}: no Supernode of owner {hex_of(owner)} takes part")


async def _list_seats_of(chain: Chain, owner: Address, operator: Address | None) -> list[TaskSeat]:
    """List an owner's seats of this operator, if any, and those whose operator has no stake any more."""
    registry, at = Registry(chain), chain.final()
    return [
        seat
        for seat in await list_seats(chain, owner)
        if seat.operator == operator or not await registry.stake_of(seat.operator, at)
    ]


async def _try(sender: Sender, call: Call) -> str:
    """Send a call; return why it was refused."""
    try:
        await sender.send(call)
    except Reverted as error:
        return str(error)
    return ""
