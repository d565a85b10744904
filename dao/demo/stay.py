"""`dao demo --keep` after its rounds: says how to join, and plays rounds for each newcomer."""

import contextlib
import sys

from rich.console import Console

from dao.chain.events import Joined
from dao.core.types import hex_of
from dao.demo.demo_network import DemoNetwork
from dao.demo.demo_state import Seat
from dao.demo.images import SHARDS
from dao.demo.plan import DemoMember, Role
from dao.demo.play import RunningDemo
from dao.demo.site import describe_voting
from dao.demo.terminal_view import format_whole_tokens

POLL = 30.0  # seconds at most between checks for newcomers
TRIES = 3  # rounds for a newcomer who is late


def describe_joining(network: DemoNetwork) -> str:
    """Return the commands that set up one more Supernode, in its own folder."""
    assert network.guest is not None  # noqa: S101  (for mypy: the network was made with one)
    home, data = network.guest, network.data.members[-1]
    owner = f"--owner-keystore {home}/owner.json --owner-password-file {home}/owner-password"
    joining = f"{network.task} --home {home}/node {owner} --data {data} --superlink {network.address}"
    return "\n".join(
        (
            f". {sys.prefix}/bin/activate",
            f"dao node init --home {home}/node --rpc {network.anvil.ws} --deployment {network.deployment}",
            f"dao node register --home {home}/node {owner} --stake 100",
            f"dao node join {joining} --approve {hex_of(network.app)} --approve {hex_of(network.card)}",
            f"dao node start --home {home}/node",
        )
    )


async def stay(demo: RunningDemo, console: Console) -> None:
    """Play rounds for each Supernode that joins, until it had a part in one; goes on until interrupted."""
    network, state = demo.network, demo.state
    console.print("\nThe network stays up. Join it from another terminal (Ctrl-C here ends it):\n")
    console.print(describe_joining(network), soft_wrap=True, highlight=False)
    console.print(
        "\nA round is played as soon as somebody has joined. Members decide with a browser and its wallet:\n"
    )
    console.print(describe_voting(network, state.page), soft_wrap=True, highlight=False)
    joined_before = len(state.seats)
    while True:
        with contextlib.suppress(TimeoutError):
            await network.chain.changed(POLL)
        joined = await network.chain.past(Joined, task=network.task)
        newcomers, joined_before = joined[joined_before:], len(joined)
        for event in newcomers:
            await _welcome(demo, console, event)


async def _welcome(demo: RunningDemo, console: Console, event: Joined) -> None:
    """Play rounds until the newcomer has revealed an update, a few at most."""
    state, operator = demo.state, hex_of(event.operator)
    if operator not in [seat.operator for seat in state.seats]:  # else it comes back
        member = DemoMember(len(state.seats), f"guest {len(state.seats)}", Role.GOOD)
        state.seats.append(Seat(member, hex_of(event.owner), operator))
    console.print(f"{operator} has joined")
    for _ in range(TRIES):
        played = sum(view.accuracy is not None for view in state.rounds)
        if played == SHARDS:
            console.print(f"All {SHARDS} validation shards are used: no more rounds. Ctrl-C, and begin anew.")
            return
        console.print(f"One more round: {played + 1} of {SHARDS}")
        await demo.play_more(1)
        await demo.follow(played + 1)
        part = state.rounds[-1].nodes[operator]
        console.print(
            f"{operator}: {part.status}, {format_whole_tokens(part.reward_wei)} tokens: {part.reason}"
        )
        if part.revealed:
            return
    console.print(
        f"{operator} took no part in {TRIES} rounds: see its log. dao node leave and join begin anew."
    )
