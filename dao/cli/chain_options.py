"""How commands reach a network: the options for its chain, its deployment, and the account that pays and signs."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from dao.chain.client import Chain
from dao.chain.deployment import Deployment
from dao.chain.sender import Sender
from dao.chain.signer import Signer
from dao.core.errors import ConfigError
from dao.core.types import Address, hex_of
from dao.devnet.anvil import CHAIN_ID, dev_signer
from dao.runtime.config import DEVNET, PASSWORD_VARIABLE, devnet_url
from dao.runtime.locks import chain_name, only_daemon

RPC_DEFAULT = devnet_url()
DEPLOYMENT_DEFAULT = DEVNET / "deployment.json"

RpcOption = Annotated[
    str,
    typer.Option(
        "--rpc", envvar="COMMONWEIGHT_CHAIN__URL", help="Address of the chain's node, ws:// or http://."
    ),
]
DeploymentOption = Annotated[
    Path,
    typer.Option(
        "--deployment",
        envvar="COMMONWEIGHT_CHAIN__DEPLOYMENT",
        help="File with the network's contracts; the default is the development network's.",
    ),
]
UrlOption = Annotated[
    str,
    typer.Option("--url", "--rpc", envvar="COMMONWEIGHT_CHAIN__URL", help="Address of the chain's node."),
]
ContractsOption = Annotated[
    Path | None,
    typer.Option("--deployment", help="File with the network's contracts; it is copied into the folder."),
]
KeystoreOption = Annotated[
    Path | None, typer.Option("--keystore", help="Keystore of the account that pays and signs (mode 0600).")
]
PasswordOption = Annotated[
    Path | None,
    typer.Option(
        "--password-file", help=f"The keystore's password (mode 0600); without, {PASSWORD_VARIABLE} has it."
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
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]


@dataclass(frozen=True)
class Paying:
    """Whoever pays and signs: a keystore, or an account of the development network."""

    keystore: Path | None
    password_file: Path | None
    dev_account: int | None
    option: str = "--keystore"
    variable: str = PASSWORD_VARIABLE

    def signer(self, chain_id: int) -> Signer:
        """Open the key; ConfigError unless one is named, or for a devnet's key on any other chain."""
        if (self.keystore is None) == (self.dev_account is None):
            raise ConfigError(
                f"account: expected either {self.option} FILE or, on the devnet, --dev-account NUMBER"
            )
        if self.keystore is not None:
            return Signer.load(self.keystore.expanduser(), self.password_file, self.variable)
        if chain_id != CHAIN_ID:
            raise ConfigError(
                f"--dev-account: its key is public and only good for the devnet (chain {CHAIN_ID}), this is chain "
                f"{chain_id}; use {self.option}"
            )
        return dev_signer(self.dev_account or 0)


@asynccontextmanager
async def connected(rpc: str, deployment: Path) -> AsyncIterator[Chain]:
    """Connect to a network."""
    network = Deployment.load(expanded(deployment))
    async with await Chain.connect(rpc, network) as chain:
        yield chain


@asynccontextmanager
async def paying(rpc: str, deployment: Path, account: Paying) -> AsyncIterator[tuple[Chain, Sender]]:
    """Connect to a network with an account that sends; LockedError when another process sends for it."""
    async with connected(rpc, deployment) as chain:
        signer = account.signer(chain.chain_id)
        home = account_folder(expanded(deployment), signer.address)
        with only_daemon(home, signer.address, chain_name(chain.chain_id, rpc)):
            async with Sender(chain, signer, home / "transactions.db") as sender:
                yield chain, sender


def expanded(path: Path) -> Path:
    """A path as people write it, from the root."""
    return path.expanduser().absolute()


def account_folder(deployment: Path, account: Address) -> Path:
    """Make and return the folder beside a deployment where an account's transactions are kept."""
    folder = deployment.parent / "accounts" / hex_of(account)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"{folder}: cannot be made ({error.strerror}); put the deployment's file where you may write"
        ) from None
    return folder
