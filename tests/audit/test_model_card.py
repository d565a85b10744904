"""A model's README.md: front matter that Hugging Face reads, the task's words as plain text, and where the model comes from."""

import json
from typing import Any

from dao.audit.model_card import write_model_card
from dao.core.formats.card import Card, Metric

ROUND = {
    "round": 3,
    "phase": "finalized",
    "metric": {"name": "a|c", "value": 912_500},
    "loss_before": 700_000,
    "loss_after": 650_000,
    "nodes": [{}, {}],
    "decisions": ["challenged: a | b"],
}
PROVENANCE: dict[str, Any] = {
    "task": 7,
    "round": 3,
    "phase": "finalized",
    "chain_id": 31337,
    "coordinator": "0x11",
    "model": "bafk",
    "app_digest": "0x22",
    "verified": "statements",
    "shares": [{"owner": "0x33", "earned_wei": str(5 * 10**18), "millionths": 250_000}],
    "rounds": [ROUND],
}
HOSTILE = Card(
    "Cells",
    purpose="line\n---\n# <script> [x](javascript:1)",
    metric=Metric('accuracy"\nlicense: mit', higher_is_better=True),
    settings={"rate": 0.5},
)


def front_of(text: str) -> dict[str, Any]:
    """The fields between the two fences."""
    _, front, _ = text.split("---\n", 2)
    return {key: json.loads(value) for key, _, value in (line.partition(": ") for line in front.splitlines())}


def test_write_model_card__words_of_strangers__stay_text_in_front_matter_and_body() -> None:
    text = write_model_card(HOSTILE, PROVENANCE)
    assert front_of(text) == {
        "library_name": "safetensors",
        "tags": ["commonweight", "federated-learning"],
        "metrics": ['accuracy"\nlicense: mit'],
    }
    assert "# Cells\n" in text
    assert r"- Purpose: line \-\-\- \# \<script\> \[x\]\(javascript:1\)" in text
    assert "<script>" not in text
    assert r"| 3 | finalized | a\|c 0.9125 | 0.700000 | 0.650000 | 2 | challenged: a \| b |" in text
    assert "| `0x33` | 5 | 25.00% |" in text
    assert "payouts of all these rounds were computed again" in text


def test_write_model_card__card_that_cannot_be_had__names_the_task_and_says_what_was_checked() -> None:
    text = write_model_card(None, {**PROVENANCE, "verified": "digests"})
    assert "# Model of task 7\n" in text
    assert "nothing else was computed again" in text
    assert "metrics" not in front_of(text)
