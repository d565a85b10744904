"""Opens what every daemon and its commands share in a home folder: operator key, locks, network, outbox."""

import os
import secrets
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from pathlib import Path

from dao.chain.client import Chain
from dao.chain.deployment import Deployment, keep_deployment
from dao.chain.sender import Sender
from dao.chain.signer import Signer
from dao.core.types import Address, hex_of
from dao.errors import KeyFileError
from dao.runtime.config import FILE, PASSWORD_VARIABLE, HomeSettings
from dao.runtime.locks import chain_name, only_daemon

SCRYPT_WORK = 262_144


def create_home(
    kind: type[HomeSettings], home: Path, rpc: str | None, deployment: Path | None, work: int = SCRYPT_WORK
) -> Address:
    """Create a home folder, readable by this user only, with an operator's key, its password and config.toml.

    The password is COMMONWEIGHT_PASSWORD's where that is set. `deployment` is the network's file, which is copied;
    `rpc`, the address of a node of its chain, is written into the settings unless they exist. Returns the operator;
    KeyFileError when there is a key already.
    """
    home.mkdir(parents=True, exist_ok=True)
    home.chmod(0o700)
    flags = {"chain": {"rpc": rpc}} if rpc is not None and not (home / FILE).exists() else {}
    settings = kind.load(home, **flags)
    if settings.at(settings.key.keystore).exists():
        raise KeyFileError(f"{home}: has an operator's key already; choose another folder by --home")
    if deployment is not None:
        keep_deployment(deployment, home)
    password = os.environ.get(PASSWORD_VARIABLE) or _write_password(settings.at(settings.key.password_file))
    signer = Signer.create(settings.at(settings.key.keystore), password, work)
    if not (home / FILE).exists():
        (home / FILE).write_text(f'[chain]\nrpc = "{settings.chain.rpc}"\n', encoding="utf-8")
    return signer.address


def open_operator(settings: HomeSettings) -> Signer:
    """Open the operator's keystore; KeyFileError says what is wrong with it."""
    return Signer.load(settings.at(settings.key.keystore), settings.password_file(), PASSWORD_VARIABLE)


def load_deployment(settings: HomeSettings) -> Deployment:
    """Read the network's file; ConfigError says what is wrong with it."""
    return Deployment.load(settings.at(settings.chain.deployment))


def journal_file(settings: HomeSettings) -> Path:
    """Return the file of a daemon's journal."""
    return settings.home / "journal.db"


def outbox_file(settings: HomeSettings, account: Address) -> Path:
    """Return the file of an account's transactions."""
    return settings.home / f"outbox-{hex_of(account)}.db"


def lock_home(settings: HomeSettings, account: Address) -> AbstractContextManager[None]:
    """Hold the locks of a home folder and of an account on its chain; LockedError when another process does."""
    chain = chain_name(load_deployment(settings).chain_id, settings.chain.rpc)
    return only_daemon(settings.home, account, chain)


@asynccontextmanager
async def connect_chain(settings: HomeSettings) -> AsyncIterator[Chain]:
    """Connect to the chain that the settings name."""
    deployment, confirmations = load_deployment(settings), settings.chain.confirmations
    async with await Chain.connect(settings.chain.rpc, deployment, confirmations) as chain:
        yield chain


@asynccontextmanager
async def open_sender(
    settings: HomeSettings, signer: Signer | None = None
) -> AsyncIterator[tuple[Chain, Sender]]:
    """Connect to the chain with an account that sends: the operator's where `signer` is None.

    What an interrupted command left is settled first, so that none counts twice.
    LockedError where the operator's daemon runs: the two would use the same nonces.
    """
    account = signer or open_operator(settings)
    with lock_home(settings, account.address) if signer is None else nullcontext():
        async with (
            connect_chain(settings) as chain,
            Sender(chain, account, outbox_file(settings, account.address)) as sender,
        ):
            await sender.settle()
            yield chain, sender


def _write_password(path: Path) -> str:
    password = secrets.token_urlsafe(32)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(password)
    return password
