"""Tells a Flower app by its pyproject.toml, and reads what that says: the two components and the run's configuration."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

# of [tool.commonweight]: the metric that is the loss, where an app has several of that name
LOSS_KEY = "loss"


@dataclass(frozen=True)
class FlowerProject:
    """The table `[tool.flwr.app]`: its components, as `module:object`, and its configuration with dotted names."""

    clientapp: str
    serverapp: str
    config: Mapping[str, Any]
    loss: str | None


def read_flower_project(text: str) -> FlowerProject | None:
    """Read a pyproject.toml; None where it is that of no Flower app. ValueError says what is wrong with it."""
    try:
        return _find_project(tomllib.loads(text))
    except RecursionError:
        raise ValueError("expected fewer tables in one another") from None


def _find_project(document: Mapping[str, Any]) -> FlowerProject | None:
    app = _get_table(document, "tool", "flwr", "app")
    if not app:
        return None
    components = _get_table(app, "components")
    for name in ("clientapp", "serverapp"):
        if not isinstance(reference := components.get(name), str) or reference.count(":") != 1:
            raise ValueError(
                f"[tool.flwr.app.components] {name}: expected module:object, got {reference!r:.80}"
            )
    loss = _get_table(document, "tool", "commonweight").get(LOSS_KEY)
    config = dict(_flatten(_get_table(app, "config"), ""))
    return FlowerProject(components["clientapp"], components["serverapp"], config, loss)


def _get_table(document: Mapping[str, Any], *path: str) -> Mapping[str, Any]:
    for name in path:
        inner = document.get(name, {})
        document = inner if isinstance(inner, dict) else {}
    return document


def _flatten(table: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for name, value in table.items():
        if isinstance(value, dict):
            yield from _flatten(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value
