"""What `dao demo --keep` does after the rounds: it tells how to join, and plays rounds for whoever does."""

import contextlib
import sys

from rich.console import Console

from dao.chain.events import Joined
from dao.core.types import hex_of
from dao.demo.demo_network import World
from dao.demo.demo_state import Seat
from dao.demo.images import SHARDS
from dao.demo.plan import DemoMember, Role
from dao.demo.show import Stage
from dao.demo.site import how_to_vote
from dao.demo.terminal_view import tokens

LOOK = 30.0  # seconds at most between looks at who has joined
TRIES = 3  # rounds for a newcomer who is late


def how_to_join(world: World) -> str:
    """The commands that make one more Supernode, in its own folder."""
    assert world.guest is not None  # noqa: S101  (for mypy: the world was made with one)
    home, data = world.guest, world.dealt.members[-1]
    owner = f"--owner-keystore {home}/owner.json --owner-password-file {home}/owner-password"
    return "\n".join(
        (
            f". {sys.prefix}/bin/activate",
            f"dao node init --home {home}/node --rpc {world.anvil.ws} --deployment {world.deployment}",
            f"dao node register --home {home}/node {owner} --stake 100",
            f"dao node join {world.task} --home {home}/node {owner} --data {data} --superlink {world.address}",
            f"dao node start --home {home}/node",
        )
    )


async def stay(stage: Stage, console: Console) -> None:
    """Play rounds for each Supernode that joins, until it had a part in one; until interrupted."""
    world, state = stage.world, stage.state
    console.print("\nThe network stays up. Join it from another terminal (Ctrl-C here ends it):\n")
    console.print(how_to_join(world), soft_wrap=True, highlight=False)
    console.print(
        "\nA round is played as soon as somebody has joined. Members decide with a browser and its wallet:\n"
    )
    console.print(how_to_vote(world, state.page), soft_wrap=True, highlight=False)
    known = len(state.seats)
    while True:
        with contextlib.suppress(TimeoutError):
            await world.chain.changed(LOOK)
        joined = await world.chain.past(Joined, task=world.task)
        new, known = joined[known:], len(joined)
        for event in new:
            await _welcome(stage, console, event)


async def _welcome(stage: Stage, console: Console, event: Joined) -> None:
    """Play rounds until the newcomer's update came, a few at most."""
    state, operator = stage.state, hex_of(event.operator)
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
        await stage.more_rounds(1)
        await stage.follow(played + 1)
        part = state.rounds[-1].nodes[operator]
        console.print(f"{operator}: {part.status}, {tokens(part.reward_wei)} tokens: {part.reason}")
        if part.revealed:
            return
    console.print(
        f"{operator} took no part in {TRIES} rounds: see its log. dao node leave and join begin anew."
    )
