"""`dao task`: propose what to train, and see what became of it."""

import asyncio
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from dao.chain.client import Chain
from dao.chain.contracts import Coordinator, Distributor
from dao.chain.deploy import create_task
from dao.chain.governance import PROPOSER_ROLE, Timelock
from dao.cli.chain_options import (
    DEPLOYMENT_DEFAULT,
    RPC_DEFAULT,
    DeploymentOption,
    DevAccountOption,
    JsonOption,
    KeystoreOption,
    PasswordOption,
    Paying,
    RpcOption,
    connected,
    expanded,
    paying,
)
from dao.cli.output import amount, print_fields, print_json, print_table, tokens, writable
from dao.core.errors import ConfigError, RuleError
from dao.core.formats.address import address_of
from dao.core.types import RULE_AMOUNTS, Address, Codec, Rules, TaskId, Wei, hex_of
from dao.devnet.anvil import CHAIN_ID, dev_signer

app = typer.Typer(no_args_is_help=True)
HOUR, DAY = 3600, 86_400
STORE_DEFAULT = Path("~/.commonweight/content")

TaskArgument = Annotated[int, typer.Argument(metavar="TASK", min=1, help="The task's number.")]


def _seconds(text: str) -> Any:
    return typer.Option(min=1, help=f"Seconds {text}.")


@app.command()
def create(
    app_folder: Annotated[
        Path, typer.Option("--app", help="Folder of the app: app.py and other text files.")
    ],
    shards: Annotated[
        Path, typer.Option(help="Folder of the validation shards, which only the Superlink gets.")
    ],
    superlink: Annotated[str, typer.Option(help="Address of the Superlink's operator.")],
    rpc: RpcOption = RPC_DEFAULT,
    deployment: DeploymentOption = DEPLOYMENT_DEFAULT,
    keystore: KeystoreOption = None,
    password_file: PasswordOption = None,
    dev_account: DevAccountOption = None,
    model: Annotated[
        Path | None, typer.Option(help="The first model, safetensors of float32; without, the app makes it.")
    ] = None,
    store: Annotated[Path, typer.Option(help="Folder where app and first model are stored.")] = STORE_DEFAULT,
    ipfs: Annotated[
        str | None,
        typer.Option(help="API of an IPFS node to put them in, too: /ip4/127.0.0.1/tcp/5001/http."),
    ] = None,
    app_python: Annotated[
        Path | None, typer.Option(help="Interpreter of the app's environment; without, this one.")
    ] = None,
    trial: Annotated[
        float,
        typer.Option(
            min=1, help="Seconds that each of the app's functions may take on a shard, at its trial."
        ),
    ] = 120.0,
    untried: Annotated[
        bool,
        typer.Option(
            "--untried", help="Do not try the app on a shard first; with --model it is not run at all."
        ),
    ] = False,
    rounds: Annotated[int, typer.Option(min=0, help="How many rounds to fund now.")] = 10,
    round_budget: Annotated[str, typer.Option(help="Tokens that a round pays out.")] = "1000",
    quorum: Annotated[int, typer.Option(min=1, help="Least commits of a round.")] = 3,
    codec: Annotated[Codec, typer.Option(help="How updates are encoded.")] = Codec.INT8,
    admitted_only: Annotated[
        bool, typer.Option(help="Only for owners that the DAO admits, all equal.")
    ] = False,
    min_stake: Annotated[str, typer.Option(help="Tokens that a Supernode must stake.")] = "1",
    max_stake: Annotated[
        str, typer.Option(help="Tokens of stake above which more does not weigh more.")
    ] = "1000",
    superlink_bond: Annotated[str, typer.Option(help="Tokens that the Superlink must stake.")] = "500",
    challenge_bond: Annotated[str, typer.Option(help="Tokens that a challenge puts at risk; not 0.")] = "500",
    commit_period: Annotated[int, _seconds("to train and commit")] = HOUR,
    reveal_period: Annotated[int, _seconds("to reveal")] = HOUR // 2,
    result_period: Annotated[int, _seconds("for the result, after the reveals")] = HOUR,
    force_period: Annotated[int, _seconds("after closing in which commits may be forced on chain")] = HOUR
    // 2,
    challenge_period: Annotated[int, _seconds("in which a result can be challenged")] = DAY,
    resolve_period: Annotated[
        int, _seconds("for the DAO to decide a challenge; longer than a proposal takes")
    ] = 4 * DAY,
    draft: Annotated[
        Path | None,
        typer.Option(
            help="Write the task to this file for dao propose --file, where members decide; nothing is sent."
        ),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Create a task through the DAO's timelock: what to train, on whose rules, for how much.

    The app is tried on a shard: its loss gradient thrice, as Superlink and auditor take it, and a training. Then it is
    bundled and stored together with the first model; the rules bind the digests of both, and the root over the shards.
    Funds for the rounds come from the DAO's tokens. Where members govern, nobody creates a task alone:
    write a draft, and propose that.

    Example: dao task create --app apps/mnist --shards shards --superlink 0x7099… --dev-account 0 --rounds 5
    """
    from dao.app.shards import read_shards
    from dao.cli.task_content import publish, write_draft

    link = address_of(superlink, "--superlink")
    amounts = {
        name: tokens(text, f"--{name.replace('_', '-')}")
        for name, text in {
            "round_budget": round_budget,
            "min_stake": min_stake,
            "max_stake": max_stake,
            "superlink_bond": superlink_bond,
            "challenge_bond": challenge_bond,
        }.items()
    }
    account = Paying(keystore, password_file, dev_account)
    writable(draft, "--draft")

    async def make() -> tuple[Rules, Wei, dict[str, object]]:
        """Publish the content; the rules, the funds, and what to tell of them."""
        hashed = await asyncio.to_thread(read_shards, shards)
        if rounds > len(hashed.paths):
            raise ConfigError(
                f"--rounds {rounds}: expected at most one for each of the {len(hashed.paths)} shards in {shards}"
            )
        content = await publish(
            app_folder, model, hashed, expanded(store), ipfs, app_python, None if untried else trial
        )
        rules = Rules(
            superlink=link,
            commit_period=commit_period,
            reveal_period=reveal_period,
            result_period=result_period,
            force_period=force_period,
            challenge_period=challenge_period,
            resolve_period=resolve_period,
            quorum=quorum,
            shards=content.shards,
            body_depth=content.body_depth,
            codec=codec,
            admitted_only=admitted_only,
            app_hash=content.app.digest,
            base_model=content.base_model.digest,
            validation_root=content.validation_root,
            **amounts,
        )
        funds = Wei(rounds * rules.round_budget)
        told: dict[str, object] = {
            "app": str(content.app),
            "base_model": str(content.base_model),
            "validation_root": hex_of(content.validation_root),
            "shards": content.shards,
            "values": content.values,
            "funds_wei": str(funds),
            "store": str(expanded(store)),
        }
        return rules, funds, told

    async def propose() -> dict[str, object]:
        if draft is not None:
            rules, funds, told = await make()
            write_draft(draft, rules, funds)
            return {"draft": str(draft), **told}
        async with paying(rpc, deployment, account) as (chain, sender):
            await _require_proposer(chain, sender.address)
            rules, funds, told = await make()
            return {"task": await create_task(chain, sender, rules, funds), **told}

    fields = asyncio.run(propose())
    (print_json if json else print_fields)(fields if json else _in_tokens(fields))


@app.command()
def show(
    task: TaskArgument,
    rpc: RpcOption = RPC_DEFAULT,
    deployment: DeploymentOption = DEPLOYMENT_DEFAULT,
    json: JsonOption = False,
) -> None:
    """Show the rules of a task's next round and what the task has come to.

    Example: dao task show 1
    """

    async def read() -> dict[str, object]:
        async with connected(rpc, deployment) as chain:
            rules = await Coordinator(chain).rules_of(TaskId(task), chain.final())
            return {**await _state(chain, TaskId(task)), **_written(rules)}

    fields = asyncio.run(read())
    (print_json if json else print_fields)(fields if json else _in_tokens(fields))


@app.command()
def ls(
    rpc: RpcOption = RPC_DEFAULT, deployment: DeploymentOption = DEPLOYMENT_DEFAULT, json: JsonOption = False
) -> None:
    """List the network's tasks.

    Example: dao task ls --json
    """

    async def read() -> list[dict[str, object]]:
        async with connected(rpc, deployment) as chain:
            count = await Coordinator(chain).task_count(chain.final())
            return [await _state(chain, TaskId(number)) for number in range(1, count + 1)]

    rows = asyncio.run(read())
    if json:
        print_json(rows)
    else:
        print_table([_in_tokens(row) for row in rows], "no task yet: dao task create")


async def _require_proposer(chain: Chain, account: Address) -> None:
    """RuleError, with what to do, unless an account may have the timelock create a task."""
    timelock, at = Timelock(chain), chain.head()
    if await timelock.has_role(PROPOSER_ROLE, account, at):
        return
    instead = "it takes a proposal that members accept: give --draft FILE, then dao propose --file FILE"
    if chain.chain_id == CHAIN_ID and await timelock.has_role(PROPOSER_ROLE, dev_signer(0).address, at):
        instead = "on this devnet, --dev-account 0 may"
    raise RuleError(f"account {hex_of(account)}: may not create a task on behalf of the DAO; {instead}")


async def _state(chain: Chain, task: TaskId) -> dict[str, object]:
    at, distributor = chain.final(), Distributor(chain)
    state = await Coordinator(chain).task_of(task, at)
    return {
        "task": task,
        "state": "closed" if state.closed else "open",
        "active": state.active,
        "last_round": state.last_round,
        "head": state.head,
        "in_flight": state.in_flight,
        "funded_wei": str(await distributor.funded_of(task, at)),
        "rewarded_wei": str(await distributor.total_of(task, at)),
        "available_wei": str(await distributor.available_of(task, at)),
    }


def _written(rules: Rules) -> dict[str, object]:
    """The rules with addresses and digests in hex, and amounts as text."""
    return {
        (f"{name}_wei" if name in RULE_AMOUNTS else name): (
            hex_of(value) if isinstance(value, bytes) else str(value) if name in RULE_AMOUNTS else value
        )
        for name, value in asdict(rules).items()
    }


def _in_tokens(fields: dict[str, object]) -> dict[str, object]:
    """The fields with amounts in whole tokens, for people."""
    return {
        name.removesuffix("_wei"): amount(int(str(value))) if name.endswith("_wei") else value
        for name, value in fields.items()
    }
