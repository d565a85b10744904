"""Writes the demonstration's results as JSON and as a plot."""

import json
from pathlib import Path
from typing import Any

from dao.demo.demo_state import DemoState, RoundView, Seat


def _node(seat: Seat, view: RoundView) -> dict[str, Any]:
    part = view.nodes[seat.operator]
    return {
        "name": seat.member.name,
        "role": str(seat.member.role),
        "owner": seat.owner,
        "operator": seat.operator,
        "status": part.status,
        "weight": part.weight,
        "score": part.score,
        "reward_wei": str(part.reward_wei),
        "reason": part.reason,
    }


def build_document(state: DemoState) -> dict[str, Any]:
    """Return the results as JSON has them; wei are decimal strings, scores millionths of loss."""
    return {
        "task": state.task,
        "store": state.store,
        "rounds": [
            {
                "round": view.round,
                "accuracy": view.accuracy,
                "loss": view.loss,
                **({"loss_before": view.losses[0], "loss_after": view.losses[1]} if view.losses else {}),
                "seconds": round(view.seconds, 3),
                "budget_wei": str(view.budget_wei),
                "refunded_wei": str(view.refunded_wei),
                "gas": {"participants": view.gas_participants, "superlink": view.gas_superlink},
                "audit": view.audit,
                **({"model": view.model, "manifest": view.manifest} if view.model else {}),
                **({"metrics": view.figures} if view.figures else {}),
                "nodes": [_node(seat, view) for seat in state.seats],
            }
            for view in state.rounds
        ],
        "claimed_wei": {owner: str(wei) for owner, wei in sorted(state.claimed_wei.items())},
    }


def write_json(state: DemoState, path: Path) -> None:
    """Write the document to a file."""
    path.write_text(json.dumps(build_document(state), indent=2) + "\n", encoding="utf-8")


def write_plot(state: DemoState, path: Path) -> None:
    """Draw the accuracy of each round, and the earnings of each Supernode, as a PNG."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
    shown = [view for view in state.rounds if view.accuracy is not None]
    left.plot([view.round for view in shown], [100 * (view.accuracy or 0) for view in shown], marker="o")
    left.set(
        title="Accuracy on what nobody trains or scores on", xlabel="round", ylabel="percent", ylim=(0, 100)
    )
    left.xaxis.get_major_locator().set_params(integer=True)
    left.grid(alpha=0.3)
    labels = [f"{seat.member.name}\n{seat.member.role}" for seat in state.seats]
    earned = [state.total_wei(seat.operator) / 1e18 for seat in state.seats]
    bars = right.bar(labels, earned)
    right.bar_label(bars, fmt="%.1f")
    right.set(title="Earned", ylabel="tokens")
    right.tick_params(axis="x", labelsize=8)
    figure.savefig(path, dpi=110)
    plt.close(figure)
