"""The options by which an owner bounds what a task's updates tell of the site's data."""

from dataclasses import dataclass
from typing import Annotated

import typer
from pydantic import ValidationError

from dao.errors import ConfigError
from dao.runtime.config import one_line
from node.privacy.accounting import compute_epsilon, count_updates
from node.settings import PrivacySettings


@dataclass(frozen=True)
class PrivacyOptions:
    """Clip, noise and budget: all three, or none."""

    clip: Annotated[
        float | None,
        typer.Option("--clip", help="Most L2 norm of an update: the daemon clips it, whatever the app does."),
    ] = None
    noise: Annotated[
        float | None,
        typer.Option("--noise", help="Standard deviation of the noise in each value of an update, in clips."),
    ] = None
    epsilon_budget: Annotated[
        float | None,
        typer.Option(
            "--epsilon-budget", help="Epsilon of all updates together, beyond which rounds are passed."
        ),
    ] = None
    delta: Annotated[
        float | None, typer.Option("--delta", help="Delta at which epsilon is told.", show_default="1e-06")
    ] = None

    def settings(self) -> PrivacySettings | None:
        """Return them as settings, None where none is given; ConfigError where one is missing or out of range."""
        given = {
            name: value
            for name in ("clip", "noise", "epsilon_budget", "delta")
            if (value := getattr(self, name)) is not None
        }
        if not given:
            return None
        if missing := [name for name in ("clip", "noise", "epsilon_budget") if name not in given]:
            flag = f"--{missing[0].replace('_', '-')}"
            raise ConfigError(
                f"{flag}: expected, too: private updates have --clip, --noise and --epsilon-budget"
            )
        try:
            return PrivacySettings(**given)
        except ValidationError as error:
            raise ConfigError(f"privacy: {one_line(error)}") from None


def describe_budget(private: PrivacySettings) -> str:
    """Say what an update tells, and how many the budget lasts for; ConfigError where it does not last for one."""
    one = compute_epsilon([private.noise], private.delta)
    count = count_updates(private.noise, private.delta, private.epsilon_budget)
    if not count:
        raise ConfigError(
            f"privacy: one update has epsilon {one:.3g} at delta {private.delta:g}, and the budget is "
            f"{private.epsilon_budget:g}; nothing was sent; raise --noise or --epsilon-budget"
        )
    return (
        f"privacy: one update has epsilon {one:.3g} at delta {private.delta:g}; the budget of "
        f"{private.epsilon_budget:g} lasts for {count} in all"
    )
