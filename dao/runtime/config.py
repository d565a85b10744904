"""Settings of a daemon: its flags, else COMMONWEIGHT_… variables, else the file `config.toml` of its home folder.

A variable names a field by its path: COMMONWEIGHT_CHAIN__RPC is `rpc` in the table `[chain]`.
"""

import json
import os
import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, Self, cast

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import PydanticCustomError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from dao.errors import ConfigError

FILE = "config.toml"
DEVNET = Path("~/.commonweight/devnet")
HOME_VARIABLE = "COMMONWEIGHT_HOME"
PASSWORD_VARIABLE = "COMMONWEIGHT_PASSWORD"  # noqa: S105  (its name only)

FromHome = Annotated[Path, AfterValidator(Path.expanduser)]  # a relative one counts from the home folder


def is_host_port(text: str) -> bool:
    """Whether this is a host (a name, an IPv4 address, or an IPv6 address in brackets) and a port."""
    form = r"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+):[0-9]{1,5}"
    return re.fullmatch(form, text) is not None and int(text.rpartition(":")[2]) <= 65535


def _host_port(text: str) -> str:
    if not is_host_port(text):
        context = {"text": repr(text[:80])}
        raise PydanticCustomError(
            "host_port", "expected host:port, such as 0.0.0.0:8600, got {text}", context
        )
    return text


Listen = Annotated[str, AfterValidator(_host_port)]  # where a daemon serves


def devnet_url() -> str:
    """Return the address of the development network where one runs, else its usual address."""
    try:
        network = json.loads((DEVNET.expanduser() / "network.json").read_bytes())
        return str(network["rpc"])
    except (OSError, ValueError, KeyError, TypeError):
        return "ws://127.0.0.1:8545"


class Section(BaseModel):
    """A table of the file; an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ChainSettings(Section):
    """The chain, the node to read it through, and the depth at which a block is final."""

    rpc: str = Field(default_factory=devnet_url, pattern="^(ws|http)s?://")
    deployment: FromHome = Path("deployment.json")
    confirmations: int = Field(default=0, ge=0, le=1000)


class ContentSettings(Section):
    """Where content comes from: `ipfs` is the API of an IPFS node, as a multiaddr."""

    ipfs: str | None = None
    gateways: tuple[str, ...] = ()


class KeySettings(Section):
    """The operator's key: a keystore and the file of its password; without that, COMMONWEIGHT_PASSWORD is it."""

    keystore: FromHome = Path("operator.json")
    password_file: FromHome = Path("password")


class HomeSettings(BaseSettings):
    """The settings that every daemon has; `load` reads them."""

    model_config = SettingsConfigDict(
        env_prefix="COMMONWEIGHT_", env_nested_delimiter="__", extra="forbid", frozen=True
    )

    home: Path
    chain: ChainSettings = ChainSettings()
    key: KeySettings = KeySettings()

    @classmethod
    def load(cls, home: Path, **flags: Any) -> Self:
        """Read the settings of a home folder; flags win, and None is no flag. ConfigError names the setting."""

        class Located(cls):  # type: ignore[misc, valid-type]
            model_config = SettingsConfigDict(toml_file=home / FILE)

        set_flags = {name: value for name, value in flags.items() if value is not None}
        try:
            return cast("Self", cls.model_construct(**dict(Located(home=home, **set_flags))))
        except ValidationError as error:
            raise ConfigError(f"{home / FILE}, variables and flags: {one_line(error)}") from None
        except tomllib.TOMLDecodeError as error:
            raise ConfigError(f"{home / FILE}: expected TOML: {error}") from None

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Flags, then variables, then the file."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)

    def at(self, path: Path) -> Path:
        """Return a path of these settings: a relative one counts from the home folder."""
        return self.home / path

    def password_file(self) -> Path | None:
        """Return the password's file, or None where there is none and the variable must have it."""
        path = self.at(self.key.password_file)
        return path if path.exists() else None


_WRONG = {  # pydantic's kinds of error, in words for the author of the file
    "extra_forbidden": "there is no such setting; check its spelling",
    "missing": "is missing, and has no default",
    "string_type": 'expected text in quotes, such as "text"',
    "int_parsing": "expected a whole number",
    "int_type": "expected a whole number",
    "bool_parsing": "expected true or false",
    "bool_type": "expected true or false",
}


def default_home(role: str) -> Path:
    """Return the home folder of a role (`node`, `superlink`): COMMONWEIGHT_HOME, or one below ~/.commonweight."""
    named = os.environ.get(HOME_VARIABLE)
    return Path(named).expanduser() if named else Path.home() / ".commonweight" / role


def one_line(error: ValidationError) -> str:
    """Describe each setting that is wrong, and how."""
    return "; ".join(
        f"{'.'.join(map(str, entry['loc'])) or 'settings'}: {_WRONG.get(entry['type'], entry['msg'])}"
        for entry in error.errors()
    )
