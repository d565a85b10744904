"""Where a network's contracts are: all that a member needs to know of it, in one JSON file."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from dao.chain.contract_table import CONTRACTS, PROVERS
from dao.core.formats.address import address_of
from dao.core.types import Address, BlockNumber, hex_of
from dao.errors import ConfigError, DecodeError

_MAX_FILE = 64 * 1024
FILE = "deployment.json"  # in a daemon's folder
ADDRESSES = tuple(row.field for row in CONTRACTS)


@dataclass(frozen=True, slots=True)
class Deployment:
    """The addresses of one network, those of CONTRACTS and PROVERS; `block` is where its history begins.

    An API that tells the addresses leaves the provers out.
    """

    chain_id: int
    block: BlockNumber
    token: Address
    registry: Address
    coordinator: Address
    distributor: Address
    forced_reveals: Address
    disputes: Address
    gradient_vote: Address
    timelock: Address
    voting_power: Address
    governor: Address
    provers: Mapping[str, Address] = field(
        default_factory=dict, kw_only=True, hash=False
    )  # by their names in PROVERS

    def save(self, path: Path) -> None:
        """Write the deployment as JSON."""
        path.write_text(json.dumps(asdict(self), indent=2, default=hex_of) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> "Deployment":
        """Read a deployment; ConfigError names the field that is missing or wrong."""
        try:
            with path.open(encoding="utf-8") as file:
                fields = json.loads(file.read(_MAX_FILE))
        except FileNotFoundError:
            raise ConfigError(
                f"{path}: not a deployment, it is not there; put the network's file there"
            ) from None
        except OSError as error:
            raise ConfigError(
                f"{path}: not a deployment ({error.strerror}); get the file of the network"
            ) from error
        except ValueError as error:
            raise ConfigError(f"{path}: not a deployment ({error}); get the file of the network") from error
        if not isinstance(fields, dict):
            raise ConfigError(f"{path}: expected a JSON object with the network's addresses")
        try:
            provers = fields.get("provers")
            return cls(
                _whole(fields, "chain_id"),
                BlockNumber(_whole(fields, "block")),
                **_addresses(fields, ADDRESSES),
                provers=_addresses(provers if isinstance(provers, dict) else {}, PROVERS),
            )
        except DecodeError as error:
            raise ConfigError(f"{path}: {error}") from error


def keep_deployment(source: Path, home: Path) -> None:
    """Copy a network's file into a daemon's folder; ConfigError when it is none."""
    Deployment.load(source).save(home / FILE)


def _addresses(fields: dict[str, Any], names: tuple[str, ...]) -> dict[str, Address]:
    return {name: address_of(str(fields.get(name, "")), name) for name in names}


def _whole(fields: dict[str, Any], name: str) -> int:
    value = fields.get(name)
    if not isinstance(value, int) or value < 0:
        raise DecodeError(f"{name}: expected a whole number, got {value!r}")
    return value
