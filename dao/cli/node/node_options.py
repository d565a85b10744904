"""The options that several commands of a node have: its home, and the owner's key."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from dao.chain.signer import Signer
from dao.cli import options
from dao.cli.options import (
    OWNER_PASSWORD,
    OwnerKeystoreOption,
    OwnerPasswordFileOption,
    OwnerPayingOption,
)
from dao.errors import ConfigError
from dao.runtime.config import default_home
from node.settings import NodeSettings

HomeOption = Annotated[Path | None, options.home("node")]


@dataclass(frozen=True)
class Owner:
    """The owner's key, which signs and pays."""

    owner_keystore: OwnerKeystoreOption
    owner_password_file: OwnerPasswordFileOption = None

    def signer(self) -> Signer:
        """Open it; KeyFileError says what is wrong."""
        return Signer.load(self.owner_keystore, self.owner_password_file, OWNER_PASSWORD)


@dataclass(frozen=True)
class OptionalOwner:
    """The owner's key where it is to pay the gas; without, the operator pays."""

    owner_keystore: OwnerPayingOption = None
    owner_password_file: OwnerPasswordFileOption = None

    def signer(self) -> Signer | None:
        """Open it, or return None where none is named."""
        keystore = self.owner_keystore
        return None if keystore is None else Owner(keystore, self.owner_password_file).signer()


def load_settings(home: Path | None, **flags: object) -> NodeSettings:
    """Load the settings of a node's home folder, over which flags win; ConfigError where there is none."""
    folder = home or default_home("node")
    if not folder.is_dir():
        raise ConfigError(f"{folder}: no such folder; dao node init makes one")
    return NodeSettings.load(folder, **flags)
