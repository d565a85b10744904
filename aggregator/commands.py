"""Does what `dao superlink …` does: sets a Superlink up, stakes its bond, takes it out. Each command is one function."""

from pathlib import Path

from aggregator.settings import SuperlinkSettings
from dao.chain.contracts import Coordinator
from dao.chain.daemon_home import SCRYPT_WORK, create_home, open_sender
from dao.chain.staking import register, unbond, withdraw
from dao.core.types import Address, RoundId, TaskId
from dao.errors import ConfigError
from dao.runtime.config import FILE

__all__ = ["concede", "init", "register", "unbond", "withdraw"]


def init(
    home: Path, rpc: str | None = None, deployment: Path | None = None, *, work: int = SCRYPT_WORK
) -> Address:
    """Create a Superlink's home folder; arguments and errors as `create_home` has them.

    ConfigError when the folder is a daemon's already.
    """
    if (home / FILE).exists():
        raise ConfigError(f"{home}: already is a daemon's folder; choose another one by --home")
    return create_home(SuperlinkSettings, home, rpc, deployment, work)


async def concede(settings: SuperlinkSettings, task: TaskId, round_id: RoundId) -> None:
    """Take an own result back, which is void at once and costs nothing but the round.

    Reverted where it is final, void or another Superlink's. LockedError while the daemon runs: the two would use the same
    nonces.
    """
    async with open_sender(settings) as (chain, sender):
        await sender.send(Coordinator(chain).concede(task, round_id), f"concede:{task}:{round_id}")
