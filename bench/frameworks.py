"""Plays apps of many frameworks by `dao simulate`, each in an environment of its own, and sets scores against the fall of the loss."""

from __future__ import annotations

import ast
import asyncio
import io
import shutil
import tempfile
import tokenize
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.simulated_run import run_simulation
from dao.cli.new import TEMPLATES

APPS = Path(__file__).parents[1] / "apps"
NODES, ROUNDS = 4, 3
LIMIT = 1800.0  # seconds for one app, with the data that it makes
_NO_CODE = {
    *(tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE),
    *(tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER),
}

Row = dict[str, Any]


@dataclass(frozen=True)
class FrameworkApp:
    """An app to play: `folder` has its files, over those that templates share."""

    name: str
    framework: str
    folder: Path


OURS = (
    FrameworkApp("LoRA of a language model (transformers, PEFT)", "lora", TEMPLATES / "lora"),
    FrameworkApp("ResNet-18 with BatchNorm (torchvision)", "torch", APPS / "resnet"),
    FrameworkApp("GPT-2 in bfloat16 (transformers)", "torch", APPS / "gpt2"),
    FrameworkApp("linear model (scikit-learn)", "sklearn", TEMPLATES / "sklearn"),
    FrameworkApp("multilayer perceptron (scikit-learn)", "sklearn", APPS / "mlp"),
    FrameworkApp("network in JAX", "jax", TEMPLATES / "jax"),
    FrameworkApp("boosted trees (LightGBM)", "lightgbm", APPS / "trees"),
)


def play_apps(only: Sequence[str]) -> Iterator[Row]:
    """Play the apps whose framework or folder is named, all where none is, and yield the row of each; DaoError names one that fails."""
    for app in OURS:
        if not only or {app.framework, app.folder.name} & {*only}:
            yield play_app(app)


def play_app(app: FrameworkApp) -> Row:
    """Play an app's rounds as its author would, in a copy of its folder."""
    with tempfile.TemporaryDirectory(prefix="commonweight-apps-") as scratch:
        folder, out = Path(scratch) / app.folder.name, Path(scratch) / "out.json"
        folder.mkdir()
        for source in (TEMPLATES / "shared", app.folder):
            for path in source.iterdir():
                if path.is_file():
                    shutil.copy(path, folder)
        options = ("--nodes", NODES, "--rounds", ROUNDS)
        played = asyncio.run(run_simulation(folder.name, out, *options, limit=LIMIT, app=folder))
    code = (app.folder / "app.py").read_text(encoding="utf-8")
    return describe(app.name, app.framework, code, played.rounds)


def describe(name: str, framework: str, code: str, rounds: Sequence[dict[str, Any]]) -> Row:
    """Return an app's row, of its code and of what `dao simulate --json` wrote.

    An app whose model is a class of the framework's, none of its own, is unchanged. The first round's scores are set against the
    fall of the loss on the rows that they were taken on.
    """
    first = rounds[0]
    scores = sum(node["score"] for node in first["nodes"]) / 1e6
    return {
        "app": name,
        "framework": framework,
        "unchanged": not any(isinstance(node, ast.ClassDef) for node in ast.walk(ast.parse(code))),
        "lines_of_glue": count_code(code),
        "rounds": len(rounds),
        "loss_before": first["loss_before"],
        "loss_after": rounds[-1]["loss_after"],
        "score_sum_over_loss_drop": round(scores / (first["loss_before"] - first["loss_after"]), 4),
    }


def count_code(code: str) -> int:
    """Return how many lines have code, training included: no blank ones, comments or docstrings."""
    tokens = tokenize.generate_tokens(io.StringIO(code).readline)
    lines = {
        line
        for token in tokens
        if token.type not in _NO_CODE
        for line in range(token.start[0], token.end[0] + 1)
    }
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            lines -= {*range(node.lineno, (node.end_lineno or node.lineno) + 1)}
    return len(lines)


def format_apps(rows: Sequence[Row]) -> str:
    """Return the rows as a Markdown table."""
    lines = [
        "| app | lines of code | rounds | loss before | loss after | scores / fall of the loss, first round |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for row in rows:
        losses = f"{row['loss_before']:.3f} | {row['loss_after']:.3f} | {row['score_sum_over_loss_drop']:.3f}"
        lines.append(f"| {row['app']} | {row['lines_of_glue']} | {row['rounds']} | {losses} |")
    return "\n".join(lines) + "\n"
