"""Demands a leaf that a result binds, lists the demands that are open, and ends one that nobody answered."""

from collections.abc import Mapping

from dao.chain.block_clock import format_time
from dao.chain.client import Chain
from dao.chain.disputes import Demandable, DemandState, Disputes
from dao.chain.events import Demanded, Expired
from dao.chain.sender import Sender
from dao.core.types import RoundId, RoundState, TaskId, Wei
from dao.proofs.leaf_places import DemandTree, LeafPlace

MARGIN = 2  # the base fee may rise until the demand is in a block; what is more pays the answer too


def encode_leaf_place(place: LeafPlace) -> Demandable:
    """Return a place as the contract has it."""
    return int(place.tree), place.outer, place.index


def decode_leaf_place(place: Demandable) -> LeafPlace:
    """Return a place as an event has it."""
    tree, outer, index = place
    return LeafPlace(DemandTree(tree), outer, index)


async def read_demand_bond(chain: Chain, place: LeafPlace) -> Wei:
    """Return the bond to send with a demand, in the chain's coin."""
    return Wei(MARGIN * await Disputes(chain).demand_bond(int(place.tree), chain.head()))


async def read_demand(chain: Chain, task: TaskId, round_id: RoundId, place: LeafPlace) -> DemandState:
    """Return what the chain has of a demand; all 0 where there was none."""
    return await Disputes(chain).demand_of(task, round_id, encode_leaf_place(place), chain.final())


async def demand_leaf(
    chain: Chain, sender: Sender, task: TaskId, round_id: RoundId, place: LeafPlace
) -> Demanded:
    """Demand a leaf; Reverted where the round does not stand, it is too late, or the leaf was demanded before."""
    bond = await read_demand_bond(chain, place)
    call = Disputes(chain).demand(task, round_id, encode_leaf_place(place), bond)
    receipt = await sender.send(call, f"demand:{task}:{round_id}:{place}")
    return receipt.get_event(Demanded, "demand", "the disputes' address")


async def end_demand(
    chain: Chain, sender: Sender, task: TaskId, round_id: RoundId, place: LeafPlace
) -> Expired:
    """End a demand past its deadline, which convicts; Reverted before it, or where it was answered."""
    call = Disputes(chain).expire_demand(task, round_id, encode_leaf_place(place))
    receipt = await sender.send(call, f"expire:{task}:{round_id}:{place}")
    return receipt.get_event(Expired, "expire", "the disputes' address")


async def list_open_demands(
    chain: Chain, task: TaskId, rounds: Mapping[RoundId, RoundState] | None = None
) -> list[Demanded]:
    """Return the demands of a task that are open, of some rounds by their states or of all, oldest first."""
    disputes, at = Disputes(chain), chain.final()
    if rounds is not None and not rounds:
        return []
    first = None if rounds is None else min(state.open_block for state in rounds.values())
    return [
        event
        for event in await chain.past(Demanded, task=task, from_block=first, to_block=at.number)
        if (rounds is None or event.round in rounds)
        and (await disputes.demand_of(task, event.round, event.place, at)).is_open
    ]


async def describe_open_demands(chain: Chain, task: TaskId) -> list[str]:
    """Return which leaves of a task's results are demanded, and until when, in words."""
    return [
        f"round {one.round} {decode_leaf_place(one.place)} until {format_time(one.deadline)}"
        for one in await list_open_demands(chain, task)
    ]
