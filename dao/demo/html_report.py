"""Writes a simulation as one HTML page: its figures, two curves, each node's share. It loads nothing from elsewhere."""

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

from dao.demo.demo_state import DemoState, RoundView, Seat, SeatRound
from dao.demo.terminal_view import format_whole_tokens

WIDTH, HEIGHT, EDGE = 420, 180, 34  # of a chart, in pixels
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2em auto; max-width: 60em; padding: 0 1em; color: #1a1a1a }
table { border-collapse: collapse; width: 100%; margin: 1em 0 }
th, td { text-align: left; padding: .25em .6em; border-bottom: 1px solid #ddd; vertical-align: top }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums }
figure { display: inline-block; margin: 0 1em 1em 0 } figcaption { font-weight: 600 }
polyline { fill: none; stroke: #1f6feb; stroke-width: 2 } line { stroke: #ddd } text { font-size: 11px; fill: #555 }
.bar { background: #1f6feb; height: .7em; display: inline-block } small { color: #555 } code { overflow-wrap: anywhere }
@media (prefers-color-scheme: dark) { body { background: #111; color: #ddd } th, td { border-color: #333 } }
"""
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def write_report(state: DemoState, facts: Mapping[str, object], path: Path) -> None:
    """Write the page; `facts` are what was played, by name."""
    path.write_text(render_report(state, facts), encoding="utf-8")


def render_report(state: DemoState, facts: Mapping[str, object]) -> str:
    """Return the page. Every text in it is escaped: names and reasons come from files and apps."""
    rows = "".join(f"<tr><th>{_text(name)}<td><code>{_text(value)}</code>" for name, value in facts.items())
    names = sorted({name for view in state.rounds for name in view.figures})
    figures = _draw("loss after the round", [view.loss for view in state.rounds])
    figures += "".join(
        _draw(f"{name} on the test", [view.figures.get(name) for view in state.rounds]) for name in names
    )
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" '
        f'content="{escape(_POLICY)}"><meta name="viewport" content="width=device-width">'
        f"<title>Simulation</title><style>{_STYLE}</style><h1>Simulation</h1><table>{rows}</table>"
        f"{figures}<h2>Rounds</h2>{_list_rounds(state.rounds)}<h2>Shares</h2>{_list_seats(state)}</html>\n"
    )


def _text(value: object) -> str:
    return escape(str(value))


def _draw(title: str, values: Sequence[float | None]) -> str:
    """Draw values by round as a line; rounds without a value are left out."""
    points = [(index, value) for index, value in enumerate(values, 1) if value is not None]
    if not points:
        return ""
    low, high = min(value for _, value in points), max(value for _, value in points)
    span, last = (high - low) or 1.0, max(len(values) - 1, 1)
    wide, tall = WIDTH - 2 * EDGE, HEIGHT - 2 * EDGE
    line = " ".join(
        f"{EDGE + wide * (index - 1) / last:.1f},{HEIGHT - EDGE - tall * (value - low) / span:.1f}"
        for index, value in points
    )
    dots = "".join(
        '<circle cx="{}" cy="{}" r="3" fill="#1f6feb"/>'.format(*pair.split(",")) for pair in line.split()
    )
    return (
        f'<figure><figcaption>{_text(title)}</figcaption><svg width="{WIDTH}" height="{HEIGHT}" role="img">'
        f'<line x1="{EDGE}" y1="{HEIGHT - EDGE}" x2="{WIDTH - EDGE}" y2="{HEIGHT - EDGE}"/>'
        f'<text x="2" y="{EDGE - 8}">{high:.4g}</text><text x="2" y="{HEIGHT - EDGE + 14}">{low:.4g}</text>'
        f'<text x="{WIDTH - EDGE}" y="{HEIGHT - EDGE + 14}">round {len(values)}</text>'
        f'<polyline points="{line}"/>{dots}</svg></figure>'
    )


def _list_rounds(rounds: Sequence[RoundView]) -> str:
    lines = []
    for view in rounds:
        counts = count_statuses(view)
        cells = (
            f"{view.round}",
            "" if view.loss is None else f"{view.loss:.4f}",
            ", ".join(f"{name} {value:.4g}" for name, value in view.figures.items()),
            ", ".join(f"{number} {status}" for status, number in counts.items()),
            format_whole_tokens(view.budget_wei - view.refunded_wei),
        )
        content = f"<br><small>model <code>{_text(view.model)}</code><br>manifest <code>{_text(view.manifest)}</code></small>"
        lines.append(
            "<tr>"
            + "".join(f"<td>{_text(cell)}" for cell in cells[:-1])
            + content
            + f'<td class="n">{cells[-1]}'
        )
    head = '<tr><th>round<th>loss<th>on the test<th>updates<th class="n">paid'
    return f"<table>{head}{''.join(lines)}</table>"


def count_statuses(view: RoundView) -> dict[str, int]:
    """Return how many updates had which status, the most frequent first."""
    found: dict[str, int] = {}
    for part in view.nodes.values():
        found[part.status] = found.get(part.status, 0) + 1
    return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))


def _list_seats(state: DemoState) -> str:
    total = sum(state.total_wei(seat.operator) for seat in state.seats) or 1
    ranked = sorted(state.seats, key=lambda seat: (-state.total_wei(seat.operator), seat.member.index))
    head = '<tr><th>node<th>data<th class="n">share<th class="n">earned<th class="n">weighed<th>in the last round'
    return f"<table>{head}{''.join(_row(state, seat, total) for seat in ranked)}</table>"


def _row(state: DemoState, seat: Seat, total: int) -> str:
    earned = state.total_wei(seat.operator)
    parts = [view.nodes.get(seat.operator, SeatRound()) for view in state.rounds]
    weighed = sum(part.weight > 0 for part in parts)
    share = 100 * earned / total
    return (
        f"<tr><td>{_text(seat.member.name)}<td>{_text(seat.member.role)}"
        f'<td class="n">{share:.2f}% <span class="bar" style="width:{min(share, 100) / 10:.2f}em"></span>'
        f'<td class="n">{format_whole_tokens(earned)}<td class="n">{weighed} of {len(parts)}'
        f"<td>{_text(parts[-1].reason if parts else '')}"
    )
