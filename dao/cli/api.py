"""`dao api`: serve the API, and pay the gas of what members sign."""

import asyncio
import gc
from pathlib import Path
from typing import Annotated

import typer

from dao.api.settings import LISTEN, ApiSettings
from dao.api.settings import init as init_home
from dao.chain.deployment import Deployment
from dao.cli import options
from dao.cli.chain_options import DEPLOYMENT_DEFAULT, ChainOptions, absolute
from dao.cli.option_groups import with_option_groups
from dao.cli.options import JsonOption
from dao.cli.output import log_to_stderr, print_json
from dao.core.types import hex_of
from dao.devnet.anvil import CHAIN_ID
from dao.errors import ConfigError
from dao.runtime.config import FILE, default_home

app = typer.Typer(no_args_is_help=True)

HomeOption = Annotated[Path | None, options.home("api")]


@app.command()
@with_option_groups
def init(
    home: HomeOption = None,
    *,
    network: ChainOptions,
    listen: Annotated[str, options.listen(LISTEN)] = LISTEN,
    json: JsonOption = False,
) -> None:
    """Make the API's folder: settings, and the key of the relayer, which needs some ether for gas.

    The network's file is copied into the folder.

    Example: dao api init --rpc ws://127.0.0.1:8545 --deployment deployment.json
    """
    folder, file = absolute(home or default_home("api")), absolute(network.deployment)
    if network.deployment == DEPLOYMENT_DEFAULT and not file.exists() and not (folder / FILE).exists():
        raise ConfigError(
            "--deployment: expected the file with the network's contracts; dao devnet up makes one for a network of your own"
        )
    address = init_home(folder, network.rpc, file, listen)
    if json:
        print_json({"relayer": hex_of(address), "home": str(folder)})
        return
    print(f"relayer {hex_of(address)} in {folder}, for the network of {file}")
    is_devnet = Deployment.load(file).chain_id == CHAIN_ID
    fund = (
        f"dao devnet fund {hex_of(address)} --tokens 0"
        if is_devnet
        else "send the relayer some ether for gas"
    )
    print(f"next: {fund}, then dao api start")


@app.command()
def start(
    home: HomeOption = None,
    listen: Annotated[str | None, options.listen("the settings'")] = None,
) -> None:
    """Serve the API until Ctrl-C or SIGTERM: it prints its address once it does, and logs to stderr.

    Example: dao api start --listen 127.0.0.1:8460
    """
    settings = _settings(home, **({} if listen is None else {"api": {"listen": listen}}))
    log_to_stderr()
    asyncio.run(_serve(settings))


@app.command()
def migrate(home: HomeOption = None) -> None:
    """Bring the index's database up to date, as `start` does by itself: for operators who give that right to nobody else.

    Example: dao api migrate
    """
    from dao.index import database

    database.migrate(database.open_database(_settings(home).database()))
    print("the index's database is up to date")


@app.command()
def mcp(home: HomeOption = None) -> None:
    """Offer reads and drafts to an agent by the Model Context Protocol, on stdin and stdout; it never signs or sends.

    Name this command in the agent's settings. It may run beside `dao api start`, on the same folder.

    Example: dao api mcp --home ~/.commonweight/api
    """
    settings = _settings(home)
    log_to_stderr()
    asyncio.run(_offer_mcp(settings))


async def _offer_mcp(settings: ApiSettings) -> None:
    from dao.api.mcp import make_server, open_dependencies

    async with open_dependencies(settings) as deps:
        await make_server(deps).run_stdio_async()


async def _serve(settings: ApiSettings) -> None:
    from dao.api.daemon import open_api
    from dao.runtime.open_files import allow_open_files
    from dao.runtime.signals import run_until_signal

    async def serve() -> None:
        async with open_api(settings) as running:
            gc.collect()
            gc.freeze()  # without: each collection looks at all modules, and stops all answers for a tenth of a second
            print(f"API at {running.url}", flush=True)
            await running.wait()

    allow_open_files()
    gc.freeze()
    await run_until_signal(serve())


def _settings(home: Path | None, **flags: object) -> ApiSettings:
    folder = absolute(home or default_home("api"))
    settings = ApiSettings.load(folder, **flags)
    if not settings.at(settings.chain.deployment).exists():
        raise ConfigError(f"{folder}: not the folder of an API; dao api init makes one")
    return settings
