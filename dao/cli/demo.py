"""`dao demo`: run a whole network of real processes on this machine: train, audit, pay."""

import asyncio
import shutil
import signal
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.live import Live

from dao.cli import options
from dao.cli.options import JSON_FILE, DemoNodesOption
from dao.cli.output import require_writable
from dao.demo.demo_network import open_demo_network
from dao.demo.demo_report import write_json, write_plot
from dao.demo.demo_state import DemoState
from dao.demo.images import APP, SHARDS, deal
from dao.demo.plan import DemoMember, Role, list_members
from dao.demo.play import Display, RunningDemo, play
from dao.demo.stay import stay
from dao.demo.terminal_view import render, render_summary
from dao.errors import ConfigError


def command(
    nodes: DemoNodesOption = 5,
    rounds: Annotated[int, options.rounds(most=SHARDS)] = 5,
    with_ipfs: Annotated[
        bool,
        typer.Option("--with-ipfs", help="Give each daemon an IPFS node, and exchange content over these."),
    ] = False,
    json: Annotated[Path | None, JSON_FILE] = None,
    keep: Annotated[
        bool,
        typer.Option("--keep", help="Stay up, serve the members' page, and say how to join and to vote."),
    ] = False,
    home: Annotated[
        Path | None, options.own_home("a temporary one; any other must not exist yet, and stays")
    ] = None,
) -> None:
    """Run a DAO on this machine: a chain, one Superlink and some Supernodes, each a process with its own key and data.

    They train a digit classifier on real images, commit, reveal, are scored and paid; every round is audited, and the
    owners claim. Two have good data, one a tenth of it and three digits alone, one 40% wrong labels, one trains nothing and sends
    noise.

    Example: dao demo --rounds 3 --json results.json
    """
    console = Console()
    require_writable(json, "--json")
    with ExitStack() as stack:
        if home is not None and home.exists():
            raise ConfigError(f"--home {home}: expected a folder that does not exist yet")
        folder = Path(tempfile.mkdtemp(prefix="commonweight-")) if home is None else home.absolute()
        folder.mkdir(parents=True, exist_ok=True)
        if home is None:
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
        console.print(f"setting up a chain, contracts, data and keys in {folder}; logs are there, too")

        def report(state: DemoState) -> None:
            console.print(render_summary(state))
            plot = Path.cwd() / "commonweight-demo.png"
            write_plot(state, plot)
            console.print(f"plot: {plot}")
            if json:
                write_json(state, json)

        try:
            asyncio.run(_play(nodes, rounds, with_ipfs, folder, console, report, keep=keep))
        except asyncio.CancelledError:  # by SIGTERM
            raise typer.Exit(128 + signal.SIGTERM) from None


async def _play(
    nodes: int,
    rounds: int,
    with_ipfs: bool,
    folder: Path,
    console: Console,
    report: Callable[[DemoState], None],
    *,
    keep: bool,
) -> None:
    seated = list(list_members(nodes))
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None  # noqa: S101  (for mypy)
    loop.add_signal_handler(signal.SIGTERM, task.cancel)
    funded_rounds = SHARDS if keep else rounds
    guest = [DemoMember(nodes, "Guest", Role.GOOD)] if keep else []
    data = await asyncio.to_thread(deal, [*seated, *guest], folder / "data")
    names = [member.name for member in seated]
    async with open_demo_network(folder, APP, data, names, funded_rounds, guest=keep) as network:
        with ExitStack() as stack:
            display = _open_live(stack, console) if console.is_terminal else _print_rounds(console)

            async def finish(demo: RunningDemo) -> None:
                stack.close()  # the live view, so that what follows can be read
                report(demo.state)
                if keep:
                    demo.display = _print_rounds(console)
                    await stay(demo, console)

            await play(network, seated, rounds, with_ipfs=with_ipfs, display=display, then=finish)


def _open_live(stack: ExitStack, console: Console) -> Display:
    live = stack.enter_context(Live(console=console, auto_refresh=False, transient=True))

    def display(state: DemoState) -> None:
        live.update(render(state, time.time()), refresh=True)

    return display


def _print_rounds(console: Console) -> Display:
    """Without a terminal: print a line for each round."""
    printed: set[int] = set()

    def display(state: DemoState) -> None:
        for view in state.rounds:
            if view.accuracy is not None and view.round not in printed:
                printed.add(view.round)
                console.print(
                    f"round {view.round} of {state.rounds_wanted}: accuracy {100 * view.accuracy:.1f}%, "
                    f"{view.seconds:.1f} s"
                )

    return display
