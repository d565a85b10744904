"""What a change of a task's rules changes, in plain words."""

from collections.abc import Callable, Mapping
from typing import Any

from dao.core.types import Rules, hex_of
from dao.gov.units import amount, duration

_Names = Mapping[str, tuple[str, Callable[[Any], str]]]
_NAMES: _Names = {
    "round_budget": ("budget per round", amount),
    "commit_period": ("time to commit", duration),
    "reveal_period": ("time to reveal", duration),
    "result_period": ("time for the result", duration),
    "force_period": ("time to force a commit once commits are closed", duration),
    "challenge_period": ("time to challenge a result", duration),
    "resolve_period": ("time to decide a challenge", duration),
    "quorum": ("least number of commits", str),
    "min_stake": ("least stake of a Supernode", amount),
    "max_stake": ("most stake that counts", amount),
    "superlink_bond": ("bond of the Superlink", amount),
    "challenge_bond": ("bond of a challenge", amount),
}
_FIXED: _Names = {
    "superlink": ("Superlink", hex_of),
    "app_hash": ("app", hex_of),
    "base_model": ("base model", hex_of),
    "validation_root": ("validation data", hex_of),
    "shards": ("shards", str),
    "body_depth": ("body depth", str),
    "codec": ("codec", str),
    "admitted_only": ("for admitted owners only", lambda only: "yes" if only else "no"),
}


def changed(before: Rules, after: Rules) -> str:
    """Each rule that changes: "budget per round from 10 to 12 tokens; quorum …", and what the contract will refuse."""
    parts, refused = _changes(_NAMES, before, after), _changes(_FIXED, before, after)
    if refused:
        parts.append(
            f"and what no change of rules may touch, so that it cannot be executed: {', '.join(refused)}"
        )
    return "; ".join(parts) or "nothing, they are so already"


def stated(rules: Rules) -> str:
    """Every rule that can change, as the change would have it."""
    return "; ".join(f"{label} {say(getattr(rules, name))}" for name, (label, say) in _NAMES.items())


def _changes(names: _Names, before: Rules, after: Rules) -> list[str]:
    return [
        f"{label} {_from_to(say(getattr(before, name)), say(getattr(after, name)))}"
        for name, (label, say) in names.items()
        if getattr(before, name) != getattr(after, name)
    ]


def _from_to(before: str, after: str) -> str:
    """From the one to the other, "from 10 to 12 tokens": a unit that both share is said once."""
    value, _, unit = before.partition(" ")
    return f"from {value if unit and after.partition(' ')[2] == unit else before} to {after}"
