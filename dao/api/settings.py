"""The API's settings, from the config.toml of its home folder, variables and flags; and how `init` makes such a folder."""

import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from dao.chain.deployment import Deployment, keep_deployment
from dao.chain.signer import Signer
from dao.core.types import Address
from dao.errors import ConfigError
from dao.runtime.config import (
    FILE,
    PASSWORD_VARIABLE,
    ContentSettings,
    FromHome,
    HomeSettings,
    KeySettings,
    Listen,
    Section,
    is_host_port,
)

LISTEN = "127.0.0.1:8460"
NAMES_FILE = "token.json"  # in the home folder: the token's name and symbol
_CONFIG = """\
[chain]
rpc = "{rpc}"

[api]
listen = "{listen}"
# The addresses under which people open the page; the first is what wallets are shown when they sign in.
# origins = ["https://dao.example.org"]
# Addresses of reverse proxies whose X-Forwarded-For is believed.
# trusted_proxies = ["127.0.0.1"]

# The index: a file in this folder, or postgresql://USER@HOST/NAME.
# database = "index.db"

[content]
# Where manifests come from: folders of stores (a Superlink's is its HOME/store), Superlinks, an IPFS node, gateways.
# stores = ["/home/dao/.commonweight/superlink/store"]
# superlinks = ["127.0.0.1:8600"]
# ipfs = "/ip4/127.0.0.1/tcp/5001/http"
# Who has committed while a round runs, as a Superlink on this machine says, by task.
# status_streams = {{ 1 = "/home/dao/.commonweight/superlink/status.jsonl" }}

[relay]
# Wei of gas that the relayer spends in a day at most, and what it relays for one account in a day.
budget_per_day = "{budget}"
per_account = 20
"""
BUDGET = 50_000_000_000_000_000  # wei


class RelayerKey(KeySettings):
    """The relayer's key, which pays the gas of what members sign."""

    keystore: FromHome = Path("relayer.json")


class ApiTable(Section):
    """Where the API serves, for which pages, and its limits of requests."""

    listen: Listen = LISTEN
    origins: tuple[str, ...] = ()  # of the page; none: those of `listen`
    trusted_proxies: tuple[str, ...] = ()
    database: str = "index.db"  # a file, or sqlite:///FILE or postgresql://USER@HOST/NAME
    reads_per_second: float = Field(default=50.0, gt=0)  # of one caller
    writes_per_second: float = Field(default=2.0, gt=0)
    request_log: bool = False

    @field_validator("origins")
    @classmethod
    def _are_origins(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        for origin in origins:
            parts = urlsplit(origin)
            if origin != f"{parts.scheme}://{parts.netloc}" or parts.scheme not in ("http", "https"):
                raise ValueError(f"expected addresses such as https://dao.example.org, got {origin!r}")
        return origins


class ContentTable(ContentSettings):
    """Where manifests are read from, and where fetched ones are stored."""

    stores: tuple[FromHome, ...] = ()  # folders of disk stores
    superlinks: tuple[str, ...] = ()  # host:port
    tls: bool = False  # towards Superlinks
    ca_file: FromHome | None = None  # PEM file of those trusted for TLS; None: the usual ones
    folder: FromHome = Path("content")
    status_streams: Mapping[int, FromHome] = Field(
        default_factory=dict
    )  # a Superlink's HOME/status.jsonl, by its task


class RelayTable(Section):
    """What the relayer may spend in a day; dao.api.relay.budget says what each limit means."""

    enabled: bool = True
    budget_per_day: int = Field(default=BUDGET, ge=0)
    votes_part: float = Field(default=0.5, ge=0, le=1)  # of the day's budget
    per_account: int = Field(default=20, ge=0)  # messages
    gas_per_account: int = Field(default=2_000_000, ge=0)
    open_proposals: int = Field(default=1, ge=0)  # of one account
    max_gas: int = Field(default=3_000_000, ge=21_000)  # of one transaction


class ApiSettings(HomeSettings):
    """The API's settings; `load` reads them."""

    key: RelayerKey = RelayerKey()
    api: ApiTable = ApiTable()
    content: ContentTable = ContentTable()
    relay: RelayTable = RelayTable()

    def network(self) -> Deployment:
        """Load the contracts; ConfigError where the file is missing."""
        return Deployment.load(self.at(self.chain.deployment))

    def address(self) -> tuple[str, int]:
        """Get host and port to listen at."""
        host, _, port = self.api.listen.rpartition(":")
        return host.strip("[]"), int(port)

    def database(self) -> str:
        """Get the index's database: a URL, or a file of the home folder."""
        name = self.api.database
        return name if "://" in name else str(self.at(Path(name).expanduser()))

    def relayer(self) -> Signer | None:
        """Open the relayer's keystore; None where it is not to relay."""
        if not self.relay.enabled:
            return None
        return Signer.load(self.at(self.key.keystore), self.password_file(), PASSWORD_VARIABLE)


def init(home: Path, rpc: str, deployment: Path, listen: str = LISTEN, *, work: int = 262_144) -> Address:
    """Make a home folder, for this user only: config.toml, the network's file and the relayer's key; its address.

    ConfigError where the folder is one already; KeyFileError where it has a key.
    """
    if (home / FILE).exists():
        raise ConfigError(f"{home}: already is a daemon's folder; choose another one by --home")
    if not rpc.isprintable() or '"' in rpc:
        raise ConfigError(f"--rpc: expected an address, got {rpc!r}")
    if not is_host_port(listen):
        raise ConfigError(f"--listen: expected host:port, such as {LISTEN}, got {listen[:80]!r}")
    Deployment.load(deployment)
    home.mkdir(parents=True, exist_ok=True)
    home.chmod(0o700)
    settings = ApiSettings.load(home)
    keep_deployment(deployment, home)
    password = os.environ.get(PASSWORD_VARIABLE) or _new_password(settings.at(settings.key.password_file))
    signer = Signer.create(settings.at(settings.key.keystore), password, work)
    text = _CONFIG.format(rpc=rpc, listen=listen, budget=BUDGET)
    (home / FILE).write_text(text, encoding="utf-8")
    return signer.address


def _new_password(path: Path) -> str:
    password = secrets.token_urlsafe(24)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(password + "\n")
    return password
