"""The options that several commands have, each defined once: a flag means one thing, and only its default differs."""

from pathlib import Path
from typing import Annotated, Any

import typer

from dao.runtime.config import HOME_VARIABLE, PASSWORD_VARIABLE

OWNER_PASSWORD = "COMMONWEIGHT_OWNER_PASSWORD"  # noqa: S105  (its name only)
IPFS_EXAMPLE = "/ip4/127.0.0.1/tcp/5001/http"

# the chain and the account
RPC = typer.Option("--rpc", envvar="COMMONWEIGHT_CHAIN__RPC", help="A node of the chain: ws://… or http://….")
RpcOption = Annotated[str, RPC]
_DEPLOYMENT = "File with the addresses of the network's contracts."
DeploymentOption = Annotated[
    Path, typer.Option("--deployment", envvar="COMMONWEIGHT_CHAIN__DEPLOYMENT", help=_DEPLOYMENT)
]
CopiedDeploymentOption = Annotated[
    Path | None,
    typer.Option("--deployment", help=_DEPLOYMENT, show_default="none is copied"),
]
KeystoreOption = Annotated[
    Path | None, typer.Option("--keystore", help="Keystore of the account that pays and signs (mode 0600).")
]
PasswordFileOption = Annotated[
    Path | None,
    typer.Option(
        "--password-file",
        help="File with the keystore's password (mode 0600).",
        show_default=f"the variable {PASSWORD_VARIABLE}",
    ),
]
DevAccountOption = Annotated[
    int | None,
    typer.Option(
        "--dev-account",
        min=0,
        max=9,
        help="Instead of a keystore: a funded account of the devnet, by number.",
    ),
]
ApiOption = Annotated[
    str | None,
    typer.Option(
        "--api",
        envvar="COMMONWEIGHT_API_URL",
        help="Go through the API at this address, such as https://dao.example, and pay no gas.",
        show_default="straight to the chain",
    ),
]

_OWNER = "Keystore of the owner, who holds the stake and is paid. Keep it elsewhere (mode 0600)."
OwnerKeystoreOption = Annotated[Path, typer.Option("--owner-keystore", help=_OWNER)]
OptionalOwnerKeystoreOption = Annotated[Path | None, typer.Option("--owner-keystore", help=_OWNER)]
OwnerPayingOption = Annotated[
    Path | None,
    typer.Option(
        "--owner-keystore",
        help=_OWNER,
        show_default="the operator pays for gas, while no daemon runs",
    ),
]
OwnerPasswordFileOption = Annotated[
    Path | None,
    typer.Option(
        "--owner-password-file",
        help="File with the password of the owner's keystore (mode 0600).",
        show_default=f"the variable {OWNER_PASSWORD}",
    ),
]


# daemons
def home(role: str) -> Any:
    """The option for the home folder of a daemon."""
    text = "Home folder: settings, keys and data."
    return typer.Option("--home", envvar=HOME_VARIABLE, help=text, show_default=f"~/.commonweight/{role}")


def own_home(default: str | None = None) -> Any:
    """The option for a folder of the same use, of what is no daemon with settings."""
    return typer.Option("--home", help="Home folder: settings, keys and data.", show_default=default or True)


def listen(default: str) -> Any:
    """The option for where to serve."""
    return typer.Option("--listen", help="host:port to serve at.", show_default=default)


def stake(default: str | None = None) -> Any:
    """The option for tokens to stake."""
    return typer.Option(
        "--stake", help="Tokens staked in all afterwards, such as 100 or 0.5.", show_default=default or False
    )


KeepStakeOption = Annotated[
    str, typer.Option("--keep-stake", help="Tokens that stay staked, such as 100 or 0.5.")
]
LastOption = Annotated[int, typer.Option("--last", min=1, max=1000, help="How many of the newest to show.")]

# content
SuperlinkOption = Annotated[
    str | None, typer.Option("--superlink", help="The task's Superlink, which serves its content: host:port.")
]
RequiredSuperlinkOption = Annotated[
    str, typer.Option("--superlink", help="The task's Superlink, which serves its content: host:port.")
]
TlsOption = Annotated[bool, typer.Option("--tls", help="Speak TLS to the Superlink.")]
CaFileOption = Annotated[
    Path | None,
    typer.Option(
        "--ca-file",
        help="PEM file of the authorities to trust for TLS.",
        show_default="the usual ones",
    ),
]
StoreOption = Annotated[
    list[Path] | None,
    typer.Option("--store", help="Folder of a store to read content from, never written; repeatable."),
]
CONTENT_DEFAULT = Path("~/.commonweight/content")
IpfsOption = Annotated[str | None, typer.Option("--ipfs", help=f"API of an IPFS node: {IPFS_EXAMPLE}.")]
GatewayOption = Annotated[
    list[str] | None, typer.Option("--gateway", help="Address of an IPFS gateway; repeatable.")
]

# apps and rounds
APP = typer.Option("--app", help="Folder of the app: app.py and other text files.")
SHARDS = typer.Option("--shards", help="Folder of the task's validation shards.")
AppPythonOption = Annotated[
    Path | None,
    typer.Option(
        "--app-python",
        help="Interpreter of an environment that has what the app imports.",
        show_default="the one that runs this",
    ),
]
BuiltAppPythonOption = Annotated[
    Path | None,
    typer.Option(
        "--app-python",
        help="Interpreter of an environment that has what the app imports.",
        show_default="one with what the app's pyproject.toml names, built once",
    ),
]
DATA = typer.Option("--data", help="What the app's data() reads as a contributor's data. It never leaves.")
EvaluationLimitOption = Annotated[
    float, typer.Option("--evaluation-limit", min=1, help="Seconds that one gradient may take.")
]
NODES = "Supernodes that play; roles of the demonstration repeat every five."
DemoNodesOption = Annotated[int, typer.Option("--nodes", min=1, max=50, help=NODES)]


def rounds(default: str | None = None, most: int | None = None) -> Any:
    """The option for how many rounds are played; each uses up a validation shard."""
    text = "Rounds to play; each uses up a validation shard."
    return typer.Option("--rounds", min=1, max=most, help=text, show_default=default or True)


TaskArgument = Annotated[int, typer.Argument(metavar="TASK", min=1, help="Number of the task.")]

# output
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]
OUT = typer.Option("--out", metavar="FILE", help="File to write the outcome to, as JSON.")
JSON_FILE = typer.Option(
    "--json", metavar="FILE", help="Write the rounds to a file, as JSON: the screen shows them as they run."
)
