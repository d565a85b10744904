"""Does what `dao superlink …` does: sets a Superlink up, stakes its bond, takes it out. Each command is one function."""

from pathlib import Path

from aggregator.settings import SuperlinkSettings
from dao.chain.daemon_home import SCRYPT_WORK, create_home
from dao.chain.staking import register, unbond, withdraw
from dao.core.types import Address
from dao.errors import ConfigError
from dao.runtime.config import FILE

__all__ = ["init", "register", "unbond", "withdraw"]


def init(
    home: Path, rpc: str | None = None, deployment: Path | None = None, *, work: int = SCRYPT_WORK
) -> Address:
    """Create a Superlink's home folder; arguments and errors as `create_home` has them.

    ConfigError when the folder is a daemon's already.
    """
    if (home / FILE).exists():
        raise ConfigError(f"{home}: already is a daemon's folder; choose another one by --home")
    return create_home(SuperlinkSettings, home, rpc, deployment, work)
