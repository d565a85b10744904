"""The options for a network and for the account that signs, and the connections that commands open with them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from dao.chain.client import Chain
from dao.chain.deployment import Deployment
from dao.chain.sender import Sender
from dao.chain.signer import Signer
from dao.cli.options import (
    OWNER_PASSWORD,
    DeploymentOption,
    DevAccountOption,
    KeystoreOption,
    OptionalOwnerKeystoreOption,
    OwnerPasswordFileOption,
    PasswordFileOption,
    RpcOption,
)
from dao.core.types import Address, hex_of
from dao.devnet.anvil import CHAIN_ID, dev_signer
from dao.errors import ConfigError
from dao.runtime.config import DEVNET, PASSWORD_VARIABLE, devnet_url
from dao.runtime.locks import chain_name, only_daemon

RPC_DEFAULT = devnet_url()
DEPLOYMENT_DEFAULT = DEVNET / "deployment.json"


@dataclass(frozen=True)
class ChainOptions:
    """A network: a node of its chain, and the file with the addresses of its contracts."""

    rpc: RpcOption = RPC_DEFAULT
    deployment: DeploymentOption = DEPLOYMENT_DEFAULT


@dataclass(frozen=True)
class PayingAccount:
    """The account that pays and signs: a keystore, or an account of the development network."""

    keystore: KeystoreOption = None
    password_file: PasswordFileOption = None
    dev_account: DevAccountOption = None

    flag: ClassVar[str] = "--keystore"
    password_variable: ClassVar[str] = PASSWORD_VARIABLE

    def signer(self, chain_id: int) -> Signer:
        """Open the key; ConfigError unless one is named, or for a devnet's key on any other chain."""
        if (self.keystore is None) == (self.dev_account is None):
            raise ConfigError(
                f"account: expected either {self.flag} FILE or, on the devnet, --dev-account NUMBER"
            )
        if self.keystore is not None:
            return Signer.load(self.keystore.expanduser(), self.password_file, self.password_variable)
        if chain_id != CHAIN_ID:
            raise ConfigError(
                f"--dev-account: its key is public and only good for the devnet (chain {CHAIN_ID}), this is chain "
                f"{chain_id}; use {self.flag}"
            )
        return dev_signer(self.dev_account or 0)


@dataclass(frozen=True)
class OwnerAccount(PayingAccount):
    """The same for the owner of a stake, whose key is not the daemon's."""

    keystore: OptionalOwnerKeystoreOption = None
    password_file: OwnerPasswordFileOption = None

    flag: ClassVar[str] = "--owner-keystore"
    password_variable: ClassVar[str] = OWNER_PASSWORD


@asynccontextmanager
async def open_chain(network: ChainOptions) -> AsyncIterator[Chain]:
    """Connect to a network."""
    deployment = Deployment.load(absolute(network.deployment))
    async with await Chain.connect(network.rpc, deployment) as chain:
        yield chain


@asynccontextmanager
async def open_sender(network: ChainOptions, account: PayingAccount) -> AsyncIterator[tuple[Chain, Sender]]:
    """Connect to a network with an account that sends; LockedError when another process sends for it.

    What an interrupted command left is settled first, so that none counts twice.
    """
    async with open_chain(network) as chain:
        signer = account.signer(chain.chain_id)
        home = account_folder(absolute(network.deployment), signer.address)
        with only_daemon(home, signer.address, chain_name(chain.chain_id, network.rpc)):
            async with Sender(chain, signer, home / "transactions.db") as sender:
                await sender.settle()
                yield chain, sender


def absolute(path: Path) -> Path:
    """Return a path that a user wrote as an absolute one, with `~` expanded."""
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
