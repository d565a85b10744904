"""The options that make a task's card: one for each of its parts, or a file that has them all."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import typer

from dao.app.bundle import FROZEN_BASE
from dao.core.constants import MAX_CARD, MAX_INTEGER, MAX_STOP_ROUNDS, MILLION
from dao.core.formats.app_settings import Setting
from dao.core.formats.card import Card, FrozenBase, Metric, Stop, parse_setting, read_draft, write_card
from dao.core.formats.cid import Cid
from dao.errors import ConfigError, DecodeError


@dataclass(frozen=True)
class CardOptions:
    """What people should know of a task, and the settings of its app."""

    name: Annotated[str | None, typer.Option(help="Name of the task; without, that of the app's folder.")] = (
        None
    )
    purpose: Annotated[str, typer.Option(help="What the model is for.")] = ""
    data_description: Annotated[str, typer.Option(help="Which data a member needs, in words.")] = ""
    metric: Annotated[
        str | None, typer.Option(help="The one of the app's metrics that people should read first.")
    ] = None
    lower_is_better: Annotated[bool, typer.Option("--lower-is-better", help="Of that metric.")] = False
    setting: Annotated[
        list[str] | None,
        typer.Option("--setting", help="A setting of the app, NAME=VALUE; repeat for more."),
    ] = None
    frozen_base: Annotated[
        str | None,
        typer.Option(
            help="CID of a frozen model, where the task's model is an adapter of it.",
            show_default=f"{FROZEN_BASE} in the app's folder, if there is one",
        ),
    ] = None
    frozen_base_note: Annotated[
        str, typer.Option(help="What the frozen model is, and where it can be had.")
    ] = ""
    stop_rounds: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=MAX_STOP_ROUNDS,
            help="End the task once the best of its last so many rounds is worse than that of as many before, or with --stop-gain not so much better.",
        ),
    ] = None
    stop_gain: Annotated[
        float,
        typer.Option(
            min=0,
            help="By how much it must be better, in units of the metric, or of the loss; a millionth at least.",
        ),
    ] = 0.0
    card: Annotated[Path | None, typer.Option("--card", help="A JSON file with the whole card instead.")] = (
        None
    )

    def make(self, default_name: str, frozen: Cid | None = None) -> bytes:
        """Return the card's content, with a `frozen` base where nothing else is said; ConfigError names the option that is wrong."""
        try:
            return write_card(
                self._bind(self._read(self.card) if self.card else self._assemble(default_name), frozen)
            )
        except DecodeError as error:
            where = f"--card {self.card}: " if self.card else ""
            raise ConfigError(f"{where}{error}") from None

    def _bind(self, card: Card, frozen: Cid | None) -> Card:
        """Add the frozen base that lies in the app's folder."""
        if frozen is None:
            return card
        if card.base and card.base.cid != frozen:
            raise ConfigError(
                f"frozen base: the card names {card.base.cid}, and {FROZEN_BASE} in the app's folder is {frozen}; keep one"
            )
        return replace(card, base=card.base or FrozenBase(frozen, self.frozen_base_note))

    def _read(self, path: Path) -> Card:
        texts = [self.name, self.purpose, self.data_description, self.metric, self.setting, self.frozen_base]
        if any(texts) or self.lower_is_better or self.stop_rounds or self.stop_gain:
            raise ConfigError("--card: expected no other option of the card beside it")
        if not path.is_file():
            raise ConfigError(f"--card {path}: expected a JSON file")
        with path.open("rb") as file:
            return read_draft(file.read(MAX_CARD + 1))

    def _assemble(self, default_name: str) -> Card:
        return Card(
            name=self.name if self.name is not None else default_name,
            purpose=self.purpose,
            data=self.data_description,
            metric=Metric(self.metric, not self.lower_is_better) if self.metric else None,
            settings=read_setting_options(self.setting),
            base=self._read_base(self.frozen_base) if self.frozen_base else None,
            stop=self._read_stop(),
        )

    def _read_stop(self) -> Stop | None:
        if self.stop_rounds is None:
            if self.stop_gain:
                raise ConfigError("--stop-gain: expected --stop-rounds beside it")
            return None
        if not self.stop_gain * MILLION < MAX_INTEGER:  # nor NaN
            raise ConfigError(f"--stop-gain {self.stop_gain}: expected less than {MAX_INTEGER / MILLION:g}")
        gain_micro = round(self.stop_gain * MILLION)
        if self.stop_gain and not gain_micro:
            raise ConfigError(f"--stop-gain {self.stop_gain}: expected 0, or a millionth or more")
        return Stop(self.stop_rounds, gain_micro)

    def _read_base(self, cid: str) -> FrozenBase:
        try:
            return FrozenBase(Cid.parse(cid), self.frozen_base_note)
        except DecodeError as error:
            raise ConfigError(f"--frozen-base: {error}") from None


def read_setting_options(given: Sequence[str] | None) -> dict[str, Setting]:
    """Read each --setting, NAME=VALUE; ConfigError names what is wrong."""
    try:
        settings = [parse_setting(text) for text in given or ()]
    except DecodeError as error:
        raise ConfigError(f"--{error}") from None
    if len(dict(settings)) != len(settings):
        raise ConfigError("--setting: a name is given twice; expected once")
    return dict(settings)
