"""`dao model`: get a model that a task has trained, and what it comes from."""

import asyncio
import json
import re
import shutil
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from dao.audit.evidence import fetch
from dao.audit.model_card import write_model_card
from dao.audit.provenance import BEST, TracedRound, describe, trace_rounds
from dao.cli.chain_options import ChainOptions, absolute, open_chain
from dao.cli.content_options import ContentOptions
from dao.cli.onnx_file import export_onnx
from dao.cli.option_groups import with_option_groups
from dao.cli.options import CONTENT_DEFAULT, AppPythonOption, IpfsOption, TaskArgument
from dao.cli.output import print_fields, printable, require_empty
from dao.content import tensor_files
from dao.content.cards import fetch_card
from dao.core.formats.card import Card
from dao.core.types import Digest, TaskId
from dao.errors import AuditError, ConfigError, ContentError, DecodeError
from dao.gov.card_words import describe_metric
from dao.store.source import Source

app = typer.Typer(no_args_is_help=True)
MODEL_FILE, PROVENANCE_FILE, CARD_FILE = "model.safetensors", "provenance.json", "README.md"
ONNX_FILE = "model.onnx"


@app.callback()
def root() -> None:
    """Models that tasks have trained."""


@app.command()
@with_option_groups
def get(
    task: TaskArgument,
    *,
    out: Annotated[Path, typer.Option(help="Folder to make for the model and its provenance.")],
    wanted: Annotated[
        str | None,
        typer.Option(
            "--round",
            metavar="ROUND",
            help="Number of the round that made it, or best: of the final rounds, by the metric that the card names, else by the least loss.",
            show_default="the newest final round",
        ),
    ] = None,
    verify: Annotated[
        bool,
        typer.Option(
            "--verify",
            help="Compute signatures, members, shares and payouts of all rounds before it again, from chain and manifests.",
        ),
    ] = False,
    onnx: Annotated[
        bool,
        typer.Option("--onnx", help="Also as ONNX, where torch can: runs the task's app, in its sandbox."),
    ] = False,
    app_python: AppPythonOption = None,
    network: ChainOptions,
    content: ContentOptions,
) -> None:
    """Get a model as safetensors, a JSON file of the chain, rounds, shares and disputes that it comes from, and a model card.

    The folder is one as Hugging Face has them.

    The model's bytes are always those whose digest the chain has. Updates and gradients are checked by dao audit.

    Example: dao model get 1 --round best --out model --verify --superlink superlink.example:8600
    """
    if wanted is not None and wanted != BEST and not re.fullmatch(r"[1-9]\d{0,15}", wanted, re.ASCII):
        raise ConfigError(f"--round {wanted[:40]!r}: expected the number of a round, or {BEST}")
    if app_python and not onnx:
        raise ConfigError(f"--app-python {app_python}: runs the app for --onnx alone; name both, or neither")
    require_empty(out, "--out")

    async def read() -> list[TracedRound]:
        async with open_chain(network) as chain, content.open(chain.domain) as source:
            console = Console(stderr=True)
            with console.status("reading rounds") as status:
                traced = await trace_rounds(
                    chain,
                    source,
                    TaskId(task),
                    wanted,
                    verifies=verify,
                    on_round=lambda number: status.update(f"reading round {number}"),
                )
                path = await fetch(source, "model", traced[-1].record.result.model_digest)
                card = await _fetch_card(source, traced[-1].record.rules.card)
            await asyncio.to_thread(_write, path, traced, card, out, verified=verify)
            if onnx:
                with console.status("writing ONNX"):
                    problem = await export_onnx(source, traced[-1], path, app_python, out / ONNX_FILE)
                if problem:
                    sys.stderr.write(f"dao: no {ONNX_FILE}: {printable(problem)}\n")
            return traced

    last = asyncio.run(read())[-1]
    metric = last.manifest.metric
    print_fields(
        {
            "round": last.record.round,
            "phase": last.record.state.phase.name.lower(),
            "model": out / MODEL_FILE,
            "provenance": out / PROVENANCE_FILE,
            "model_card": out / CARD_FILE,
            **({"onnx": out / ONNX_FILE} if (out / ONNX_FILE).exists() else {}),
            **({"metric": describe_metric(metric)} if metric else {}),
            "loss_after": last.manifest.loss_after / 1e6,
        }
    )


@app.command()
def put(
    file: Annotated[Path, typer.Argument(help="A file of safetensors.")],
    *,
    content_folder: Annotated[
        Path, typer.Option(help="Folder to keep it in, as a store: of a node, the content in its home.")
    ] = CONTENT_DEFAULT,
    ipfs: IpfsOption = None,
) -> None:
    """Put a frozen model that was had from elsewhere into a store, where a task's card names it by its CID.

    Example: dao model put llama/model.safetensors --content-folder ~/.commonweight/node/content
    """
    from dao.cli.task_content import store_file

    if not file.is_file():
        raise ConfigError(f"{file}: expected a file of safetensors")
    print_fields({"cid": str(asyncio.run(store_file(file, absolute(content_folder), ipfs)))})


async def _fetch_card(source: Source, digest: Digest) -> Card | None:
    """Return the task's card, None where it cannot be had: the model is good without."""
    try:
        return await fetch_card(source, digest)
    except (ContentError, DecodeError) as error:
        sys.stderr.write(f"dao: {printable(str(error))}; the model card goes without it\n")
        return None


def _write(path: Path, traced: list[TracedRound], card: Card | None, out: Path, *, verified: bool) -> None:
    """Copy the model, check the copy against the chain's digest, and write what it comes from beside it."""
    out.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(path, out / MODEL_FILE)
    if tensor_files.compute_cid(out / MODEL_FILE).digest != traced[-1].record.result.model_digest:
        (out / MODEL_FILE).unlink()
        raise AuditError(f"{out / MODEL_FILE}: is not the model that the chain has; the disk changed it")
    provenance = describe(traced, verified=verified)
    (out / PROVENANCE_FILE).write_text(json.dumps(provenance, indent=2) + "\n", encoding="utf-8")
    (out / CARD_FILE).write_text(write_model_card(card, provenance), encoding="utf-8")
