"""`dao audit`: computes again what a Superlink stated of a round, from chain and content alone."""

import asyncio
import re
import sys
from pathlib import Path
from typing import Annotated

import typer

from dao.audit import Check, audit, exit_code
from dao.audit.evidence import has_result
from dao.chain.client import Chain
from dao.chain.contracts import Coordinator
from dao.chain.rounds import PARALLEL
from dao.cli.chain_options import (
    DEPLOYMENT_DEFAULT,
    RPC_DEFAULT,
    DeploymentOption,
    JsonOption,
    RpcOption,
    connected,
)
from dao.cli.content_options import (
    AuthoritiesOption,
    GatewayOption,
    IpfsOption,
    Sources,
    StoreOption,
    SuperlinkOption,
    TlsOption,
)
from dao.cli.output import print_json
from dao.core.errors import ConfigError, DaoError
from dao.core.types import RoundId, TaskId

VERDICTS = ("all holds", "something differs", "not everything could be checked")


def command(
    task: Annotated[int, typer.Argument(metavar="TASK", min=1, help="The task's number.")],
    rounds: Annotated[
        str, typer.Argument(metavar="ROUND", help="The round's number, or `all` that have a result.")
    ],
    rpc: RpcOption = RPC_DEFAULT,
    deployment: DeploymentOption = DEPLOYMENT_DEFAULT,
    superlink: SuperlinkOption = None,
    tls: TlsOption = False,
    authorities: AuthoritiesOption = None,
    store: StoreOption = None,
    ipfs: IpfsOption = None,
    gateway: GatewayOption = None,
    app_python: Annotated[
        Path | None, typer.Option(help="Interpreter of the app's environment; without, this one.")
    ] = None,
    limit: Annotated[float, typer.Option(min=1, help="Seconds that one gradient may take.")] = 600.0,
    json: JsonOption = False,
) -> None:
    """Compute a round again: commits, draw, updates, weights, model, gradients, scores, payouts, roots.

    Nobody is trusted: the chain's record and the content, checked against its digests, must give what was stated.
    The task's app is run for the gradients: audit where that may be. Exit code 0: all holds; 1: something differs;
    2: nothing differs, but not everything could be checked.

    Example: dao audit 1 all --superlink superlink.example:8600
    """
    sources = Sources(superlink, tls, authorities, store, ipfs, gateway)
    python = app_python or Path(sys.executable)
    try:
        found = asyncio.run(
            _audited(rpc, deployment, sources, TaskId(task), rounds, python, limit, quiet=json)
        )
    except DaoError as error:
        sys.stderr.write(f"dao: {error}\n")
        raise typer.Exit(2) from None
    code = exit_code([check for checks in found.values() for check in checks])
    if json:
        listed = [
            {
                "round": round_,
                "exit": exit_code(checks),
                "checks": [
                    {"name": check.name, "outcome": str(check.outcome), "detail": check.detail}
                    for check in checks
                ],
            }
            for round_, checks in found.items()
        ]
        print_json({"task": task, "exit": code, "rounds": listed})
    else:
        print(f"task {task}: {len(found)} {'round' if len(found) == 1 else 'rounds'}, {VERDICTS[code]}")
    raise typer.Exit(code)


async def _audited(
    rpc: str,
    deployment: Path,
    sources: Sources,
    task: TaskId,
    rounds: str,
    python: Path,
    limit: float,
    *,
    quiet: bool,
) -> dict[RoundId, list[Check]]:
    """Make every check of every round, and print each when it is made unless `quiet`."""
    found: dict[RoundId, list[Check]] = {}
    async with connected(rpc, deployment) as chain, sources.opened(chain.domain) as source:
        for round_ in await _chosen(chain, task, rounds):
            found[round_] = []
            if not quiet:
                print(f"task {task} round {round_}")
            async for check in audit(chain, source, task, round_, python, limit):
                found[round_].append(check)
                if not quiet:
                    print(f"  {check.outcome:<9} {check.name}: {check.detail}", flush=True)
    return found


async def _chosen(chain: Chain, task: TaskId, rounds: str) -> list[RoundId]:
    """The rounds that are meant; ConfigError when there are none.

    Which ones have a result is read from the contracts: by events alone, a node of the chain could hide a round.
    """
    coordinator, at = Coordinator(chain), chain.final()
    last = (await coordinator.task_of(task, at)).last_round
    if rounds == "all":
        turn = asyncio.Semaphore(PARALLEL)

        async def is_posted(round_: RoundId) -> bool:
            async with turn:
                return has_result(await coordinator.round_of(task, round_, at))

        numbers = [RoundId(number) for number in range(1, last + 1)]
        posted = await asyncio.gather(*map(is_posted, numbers))
        if chosen := [number for number, has in zip(numbers, posted, strict=True) if has]:
            return chosen
        raise ConfigError(f"task {task}: no round has a result yet; see dao round ls {task}")
    if not re.fullmatch(r"[1-9]\d{0,18}", rounds, re.ASCII) or int(rounds) > last:
        raise ConfigError(
            f"round {rounds[:20]!r}: expected a number from 1 to {last}, or all; see dao round ls {task}"
        )
    state = await coordinator.round_of(task, RoundId(int(rounds)), at)
    if not has_result(state):
        raise ConfigError(
            f"round {rounds}: is {state.phase.name.lower()} and has no result to audit; see dao round ls {task}"
        )
    return [RoundId(int(rounds))]
