"""Writes the README.md of a model's folder as Hugging Face's model cards are: what the model is for, and where it comes from."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dao.core.formats.card import Card
from dao.core.formats.manifest import MeasuredMetric
from dao.core.formats.reasons import format_tokens
from dao.gov.card_words import describe_card, describe_metric

_MARKS = re.compile(r"([\\`*_{}\[\]<>()#+!|~&-])")  # what Markdown would obey in words of strangers


def write_model_card(card: Card | None, provenance: Mapping[str, Any]) -> str:
    """Write a model card: `card` is the task's, None where it cannot be had; `provenance` is that of `describe`."""
    words = {} if card is None else describe_card(card)
    name = words.get("name", f"Model of task {provenance['task']}")
    front = {"library_name": "safetensors", "tags": ["commonweight", "federated-learning"]}
    if card is not None and card.metric is not None:
        front["metrics"] = [card.metric.name]
    # JSON is YAML, so that no word of a stranger can end its field
    head = "\n".join(f"{key}: {json.dumps(value)}" for key, value in front.items())
    body = [*_describe_purpose(words), *_describe_origin(provenance), *_list_rounds(provenance["rounds"])]
    return "\n".join(["---", head, "---", f"# {_escape(name)}", "", *body, ""])


def _describe_purpose(words: Mapping[str, str]) -> Iterator[str]:
    for what, text in words.items():
        if what != "name":
            yield f"- {what.replace('_', ' ').capitalize()}: {_escape(text)}"


def _describe_origin(provenance: Mapping[str, Any]) -> Iterator[str]:
    checked = {
        "statements": "signatures, members, seeds, shares and payouts of all these rounds were computed again",
        "digests": "each file is the one whose digest is on chain; nothing else was computed again",
    }[provenance["verified"]]
    yield from (
        "",
        "## Where it comes from",
        "",
        (
            f"`model.safetensors` is the model after round {provenance['round']} of task {provenance['task']}, {provenance['phase']}, on chain "
            f"{provenance['chain_id']}, contract `{provenance['coordinator']}`; its CID is `{provenance['model']}`, the app's digest "
            f"`{provenance['app_digest']}`. Checked when it was got: {checked}. `provenance.json` has every round."
        ),
        "",
        "Shares of all rewards:",
        "",
        "| owner | tokens | share |",
        "|---|---|---|",
    )
    for share in provenance["shares"]:
        tokens = format_tokens(int(share["earned_wei"]))
        yield f"| `{share['owner']}` | {tokens} | {share['millionths'] / 10_000:.2f}% |"


def _list_rounds(rounds: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    yield from (
        "",
        "| round | phase | metric, as the Superlink measured it | loss before | loss after | Supernodes | disputes |",
        "|---|---|---|---|---|---|---|",
    )
    for one in rounds:
        stated = one["metric"]
        metric = _escape(describe_metric(MeasuredMetric(**stated))) if stated else "none"
        losses = f"{one['loss_before'] / 1e6:.6f} | {one['loss_after'] / 1e6:.6f}"
        disputes = _escape("; ".join(one["decisions"]) or "none")
        yield f"| {one['round']} | {one['phase']} | {metric} | {losses} | {len(one['nodes'])} | {disputes} |"


def _escape(text: str) -> str:
    """Return words of strangers as Markdown that shows them as they are, on one line."""
    return _MARKS.sub(r"\\\1", " ".join(text.split()))
