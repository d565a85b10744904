"""The rows of a table in words: a Markdown table of gains, of harm and of honest payouts, a column for each setting."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from statistics import mean
from typing import Any

Row = dict[str, Any]


def format_table(rows: Sequence[Row]) -> str:
    """Return Markdown."""
    return "\n".join(_lines(rows)) + "\n"


def _lines(rows: Sequence[Row]) -> Iterator[str]:
    earning = [row for row in rows if "earned" in row]
    harming = [row for row in rows if "knows" in row]
    honest = [row for row in rows if "cosine" in row]
    yield from _part("gain: earned / twin", earning, _gain)
    yield from _part("points of accuracy lost (by a plain mean)", harming, _lost)
    yield from _part("payouts to exact Shapley: cosine, relative L2", honest, _distance)


def _part(title: str, rows: Sequence[Row], describe: Callable[[Sequence[Row]], str]) -> Iterator[str]:
    if not rows:
        return
    settings = list(dict.fromkeys((row["data"], row["split"]) for row in rows))
    cells: dict[str, dict[tuple[str, str], list[Row]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        cells[f"{row['attack']} ({row['knows']})" if "knows" in row else row["attack"]][
            row["data"], row["split"]
        ].append(row)
    yield f"| {title} | " + " | ".join(" ".join(setting) for setting in settings) + " |"
    yield "|---|" + "---:|" * len(settings)
    for name, found in cells.items():
        yield f"| {name} | " + " | ".join(describe(found[setting]) for setting in settings) + " |"
    yield ""


def _gain(rows: Sequence[Row]) -> str:
    return f"{sum(row['earned'] for row in rows) / max(sum(row['twin'] for row in rows), 1e-12):.3f}"


def _lost(rows: Sequence[Row]) -> str:
    lost = mean(row["without"] - row["accuracy"] for row in rows)
    plain = mean(row["plain_without"] - row["plain_accuracy"] for row in rows)
    return f"{100 * lost:.1f} ({100 * plain:.1f})"


def _distance(rows: Sequence[Row]) -> str:
    return f"{mean(row['cosine'] for row in rows):.4f}, {mean(row['rel_l2'] for row in rows):.3f}"
