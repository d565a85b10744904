"""`dao audit`: recompute a round from chain and content alone, and compare it with what the Superlink stated."""

import asyncio
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import typer

from dao.audit import Check, audit, exit_code
from dao.audit.accusing import Proof, find_proof
from dao.audit.evidence import has_result
from dao.audit.findings import Missing
from dao.chain.client import Chain
from dao.chain.contracts import Coordinator
from dao.chain.rounds import PARALLEL
from dao.cli.chain_options import ChainOptions, open_chain
from dao.cli.content_options import ContentOptions
from dao.cli.option_groups import with_option_groups
from dao.cli.options import AppPythonOption, EvaluationLimitOption, JsonOption, TaskArgument
from dao.cli.output import print_json
from dao.core.types import RoundId, TaskId, hex_of
from dao.errors import ConfigError, DaoError, RuleError
from dao.store.source import Source

ProveOption = Annotated[
    bool,
    typer.Option(
        "--prove",
        help="Look for a proof that the chain itself accepts, and print it: dao challenge sends it.",
    ),
]
VERDICTS = ("all holds", "something differs", "not everything could be checked")


@dataclass
class AuditedRound:
    """The checks of a round, and a proof of what differs, if one was looked for and found."""

    checks: list[Check] = field(default_factory=list)
    proof: Proof | None = None


@with_option_groups
def command(
    task: TaskArgument,
    rounds: Annotated[
        str, typer.Argument(metavar="ROUND", help="Number of the round, or `all` that have a result.")
    ],
    *,
    network: ChainOptions,
    content: ContentOptions,
    app_python: AppPythonOption = None,
    evaluation_limit: EvaluationLimitOption = 600.0,
    prove: ProveOption = False,
    json: JsonOption = False,
) -> None:
    """Compute a round again: commits, draw, updates, weights, model, gradients, scores, payouts, roots.

    Nobody is trusted: the chain's record and the content, checked against its digests, must give what was stated.
    The task's app is run for the gradients: audit where that may be. Exit code 0: all holds; 1: something differs;
    2: nothing differs, but not everything could be checked.

    Example: dao audit 1 all --superlink superlink.example:8600
    """
    python = app_python or Path(sys.executable)
    try:
        audited = asyncio.run(
            _audit(network, content, TaskId(task), rounds, python, evaluation_limit, prove=prove, quiet=json)
        )
    except DaoError as error:
        sys.stderr.write(f"dao: {error}\n")
        raise typer.Exit(2) from None
    code = exit_code([check for one in audited.values() for check in one.checks])
    if json:
        rows = [
            {
                "round": round_id,
                "exit": exit_code(one.checks),
                "checks": [
                    {"name": check.name, "outcome": str(check.outcome), "detail": check.detail}
                    for check in one.checks
                ],
                **({"proof": _show_proof(one.proof)} if prove else {}),
            }
            for round_id, one in audited.items()
        ]
        print_json({"task": task, "exit": code, "rounds": rows})
    else:
        print(f"task {task}: {len(audited)} {'round' if len(audited) == 1 else 'rounds'}, {VERDICTS[code]}")
    raise typer.Exit(code)


async def _audit(
    network: ChainOptions,
    content: ContentOptions,
    task: TaskId,
    rounds: str,
    python: Path,
    limit: float,
    *,
    prove: bool,
    quiet: bool,
) -> dict[RoundId, AuditedRound]:
    """Make every check of every round, and print each when it is made unless `quiet`."""
    audited: dict[RoundId, AuditedRound] = {}
    async with open_chain(network) as chain, content.open(chain.domain) as source:
        for round_id in await _select_rounds(chain, task, rounds):
            one = audited[round_id] = AuditedRound()
            if not quiet:
                print(f"task {task} round {round_id}")
            async for check in audit(chain, source, task, round_id, python, limit):
                one.checks.append(check)
                if not quiet:
                    print(f"  {check.outcome:<9} {check.name}: {check.detail}", flush=True)
            if prove and exit_code(one.checks) == 1:
                one.proof = await _find_proof(chain, source, task, round_id, quiet=quiet)
    return audited


async def _find_proof(
    chain: Chain, source: Source, task: TaskId, round_id: RoundId, *, quiet: bool
) -> Proof | None:
    """Look for a proof, and print it in words and bytes unless `quiet`; None where there is none, with the reason."""
    try:
        proof = await find_proof(chain, source, task, round_id)
        words = (
            "nothing that differs can be shown on chain; a gradient is for jurors: "
            f"dao challenge {task} {round_id} --gradients; what else there is, for the DAO: dao challenge --reason"
        )
    except (Missing, RuleError) as error:
        proof, words = None, str(error)
    if proof is not None:
        claim = f"{proof.prover}, claim {proof.accusation.claim}, {len(proof.accusation.proof)} bytes"
        words = f"{proof.words} ({claim}); send it: dao challenge {task} {round_id}\n{hex_of(proof.accusation.proof)}"
    if not quiet:
        print(f"  proof     {words}", flush=True)
    return proof


def _show_proof(proof: Proof | None) -> dict[str, object] | None:
    if proof is None:
        return None
    accusation = proof.accusation
    return {
        "prover": proof.prover,
        "claim": accusation.claim,
        "words": proof.words,
        "proof": hex_of(accusation.proof),
    }


async def _select_rounds(chain: Chain, task: TaskId, rounds: str) -> list[RoundId]:
    """Return the rounds that `rounds` names; ConfigError when there are none.

    Which ones have a result is read from the contracts: by events alone, a node of the chain could hide a round.
    """
    coordinator, at = Coordinator(chain), chain.final()
    last = (await coordinator.task_of(task, at)).last_round
    if rounds == "all":
        turn = asyncio.Semaphore(PARALLEL)

        async def is_posted(round_id: RoundId) -> bool:
            async with turn:
                return has_result(await coordinator.round_of(task, round_id, at))

        numbers = [RoundId(number) for number in range(1, last + 1)]
        posted = await asyncio.gather(*map(is_posted, numbers))
        if selected := [number for number, has in zip(numbers, posted, strict=True) if has]:
            return selected
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
