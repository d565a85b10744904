"""Where a network's contracts are: all that a member needs to know of it, in one JSON file."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from dao.chain.contract_table import CONTRACTS
from dao.core.formats.address import address_of
from dao.core.types import Address, BlockNumber, hex_of
from dao.errors import ConfigError, DecodeError

_MAX_FILE = 64 * 1024
FILE = "deployment.json"  # in a daemon's folder
ADDRESSES = tuple(row.field for row in CONTRACTS)


@dataclass(frozen=True, slots=True)
class Deployment:
    """The addresses of one network, those of CONTRACTS; `block` is where its history begins."""

    chain_id: int
    block: BlockNumber
    token: Address
    registry: Address
    coordinator: Address
    distributor: Address
    timelock: Address
    voting_power: Address
    governor: Address

    def save(self, path: Path) -> None:
        """Write the deployment as JSON."""
        fields = {
            name: hex_of(value) if isinstance(value, bytes) else value for name, value in asdict(self).items()
        }
        path.write_text(json.dumps(fields, indent=2) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> "Deployment":
        """Read a deployment; ConfigError names the field that is missing or wrong."""
        try:
            with path.open(encoding="utf-8") as file:
                fields = json.loads(file.read(_MAX_FILE))
        except OSError as error:
            raise ConfigError(
                f"{path}: not a deployment ({error.strerror}); get the file of the network"
            ) from error
        except ValueError as error:
            raise ConfigError(f"{path}: not a deployment ({error}); get the file of the network") from error
        if not isinstance(fields, dict):
            raise ConfigError(f"{path}: expected a JSON object with the network's addresses")
        try:
            return cls(
                _whole(fields, "chain_id"),
                BlockNumber(_whole(fields, "block")),
                **{name: address_of(str(fields.get(name, "")), name) for name in ADDRESSES},
            )
        except DecodeError as error:
            raise ConfigError(f"{path}: {error}") from error


def keep_deployment(source: Path, home: Path) -> None:
    """Copy a network's file into a daemon's folder; ConfigError when it is none."""
    Deployment.load(source).save(home / FILE)


def _whole(fields: dict[str, Any], name: str) -> int:
    value = fields.get(name)
    if not isinstance(value, int) or value < 0:
        raise DecodeError(f"{name}: expected a whole number, got {value!r}")
    return value
