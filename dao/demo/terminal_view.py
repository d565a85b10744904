"""Draws the demonstration on a terminal: the current round, each Supernode's part in it, progress, and a summary."""

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from dao.demo.demo_state import MEMORY, DemoState, RoundView, Seat, SeatRound

TOKEN = 10**18
BLOCKS = " ▁▂▃▄▅▆▇█"
MOST_ROUNDS, MOST_SEATS = 12, 40  # that a terminal shows


def format_whole_tokens(wei: int) -> str:
    """Return an amount in whole tokens with two decimals."""
    return f"{wei / TOKEN:,.2f}"


def draw_sparkline(values: list[float]) -> str:
    """Return values in 0..1 as block characters."""
    return "".join(BLOCKS[min(8, max(1, round(v * 8)))] for v in values)


def render_progress(part: SeatRound) -> Text:
    """Render a Supernode's progress in the current round."""
    if part.status:
        style = {"ok": "green", "clipped": "green", "gated": "yellow"}.get(part.status, "red")
        return Text(part.status, style=style)
    if part.revealed:
        return Text("revealed", style="cyan")
    if part.committed:
        return Text("committed", style="blue")
    return Text("training", style="dim")


def _row(state: DemoState, seat: Seat, now: SeatRound, last: SeatRound | None) -> list[RenderableType]:
    shown = now if now.status else last
    score = f"{shown.score / 1e6:+.4f}" if shown else ""
    reward = format_whole_tokens(shown.reward_wei) if shown else ""
    return [
        seat.member.name,
        Text(str(seat.member.role), style="dim"),
        render_progress(now),
        score,
        reward,
        format_whole_tokens(state.total_wei(seat.operator)),
        Text(shown.reason if shown else "", style="dim"),
    ]


def _headline(state: DemoState, view: RoundView | None, now: float) -> Text:
    if view is None:
        return Text(state.note or "starting", style="bold")
    left = (
        "" if view.deadline is None else f" · at most {max(0, view.deadline - now):.0f} s left in this phase"
    )
    line = Text(f"Round {view.round} of {state.rounds_wanted} · {view.phase}", style="bold")
    line.append(left, style="dim")
    return line


def render(state: DemoState, now: float) -> RenderableType:
    """Render the state at `now` (Unix seconds)."""
    view = state.rounds[-1] if state.rounds else None
    previous = state.rounds[-2] if len(state.rounds) > 1 else None
    table = Table(box=None, pad_edge=False, expand=True)
    for column in ("Supernode", "data", "now"):
        table.add_column(column, no_wrap=True)
    for column in ("score", "reward", "earned"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("why", ratio=1, overflow="ellipsis", no_wrap=True)
    for seat in state.seats:
        part = view.nodes.get(seat.operator, SeatRound()) if view else SeatRound()
        last = previous.nodes.get(seat.operator) if previous else None
        table.add_row(*_row(state, seat, part, last))
    done = [r for r in state.rounds if r.accuracy is not None]
    trend = Text("accuracy ")
    if done:
        trend.append(draw_sparkline([r.accuracy or 0.0 for r in done]), style="green")
        trend.append(f" {100 * (done[-1].accuracy or 0):.1f}%", style="bold green")
    else:
        trend.append("after the first round", style="dim")
    bar = ProgressBar(total=max(1, state.rounds_wanted), completed=len(done))
    parts: list[RenderableType] = [_headline(state, view, now), Text(), table, Text(), trend, bar]
    if state.note:
        parts.append(Text(state.note, style="dim"))
    title = f"Commonweight · task {state.task} · content on {state.store}"
    return Panel(Group(*parts), title=title, subtitle=state.page and f"page: {state.page}", padding=(1, 2))


def render_board(state: DemoState, trained: int) -> RenderableType:
    """Render a simulation while it runs: the rounds that are done, and how many nodes of the present one have trained."""
    table = Table(box=None, pad_edge=False)
    for column in ("round", "loss", "on the test", "weighed", "paid", "seconds"):
        table.add_column(column, justify="left" if column == "on the test" else "right", no_wrap=True)
    for r in state.rounds[-MOST_ROUNDS:]:
        figures = ", ".join(f"{name} {value:.4g}" for name, value in r.figures.items())
        loss = "" if r.loss is None else f"{r.loss:.4f}"
        weighed = f"{sum(part.weight > 0 for part in r.nodes.values())} of {len(state.seats)}"
        paid = format_whole_tokens(r.budget_wei - r.refunded_wei)
        table.add_row(str(r.round), loss, figures, weighed, paid, f"{r.seconds:.1f}")
    seats, now = len(state.seats), min(len(state.rounds) + 1, state.rounds_wanted)
    doing = f"{trained} of {seats} have trained" if trained < seats else "scoring"
    bar = ProgressBar(total=state.rounds_wanted * seats, completed=len(state.rounds) * seats + trained)
    return Group(table, Text(f"round {now} of {state.rounds_wanted}: {doing}", style="bold"), bar)


def render_summary(state: DemoState) -> RenderableType:
    """Render the results at the end; without a chain there are no gas, audits and claims."""
    on_chain = state.store != MEMORY
    rounds = Table(title="Rounds", title_justify="left", box=None, pad_edge=False)
    for column in ("round", "accuracy", "loss", "seconds", "paid", "refunded"):
        rounds.add_column(column, justify="right")
    if on_chain:
        rounds.add_column("gas of the Superlink", justify="right")
        rounds.add_column("gas of participants", justify="right")
        rounds.add_column("audit")
    for r in state.rounds:
        accuracy = "" if r.accuracy is None else f"{100 * r.accuracy:.1f}%"
        loss = "" if r.loss is None else f"{r.loss:.4f}"
        audit = Text(r.audit, style="green" if r.audit == "ok" else "red")
        paid, back = format_whole_tokens(r.budget_wei - r.refunded_wei), format_whole_tokens(r.refunded_wei)
        chain = (f"{r.gas_superlink:,}", str(r.gas_participants), audit) if on_chain else ()
        rounds.add_row(str(r.round), accuracy, loss, f"{r.seconds:.1f}", paid, back, *chain)
    title = "Earned and claimed (tokens)" if on_chain else "Earned (tokens)"
    earned = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for column in ("Supernode", "data"):
        earned.add_column(column)
    for column in ("earned", "claimed") if on_chain else ("earned",):
        earned.add_column(column, justify="right")
    earned.add_column("in the last round")
    more = max(0, len(state.seats) - MOST_SEATS)
    shown = sorted(state.seats, key=lambda seat: -state.total_wei(seat.operator)) if more else state.seats
    for seat in shown[:MOST_SEATS]:
        last = state.rounds[-1].nodes.get(seat.operator, SeatRound()) if state.rounds else SeatRound()
        total = format_whole_tokens(state.total_wei(seat.operator))
        claimed = (format_whole_tokens(state.claimed_wei.get(seat.owner, 0)),) if on_chain else ()
        earned.add_row(seat.member.name, str(seat.member.role), total, *claimed, last.reason)
    rest = [Text(f"and {more} who earned no more than these", style="dim")] if more else []
    return Group(rounds, Text(), earned, *rest)
