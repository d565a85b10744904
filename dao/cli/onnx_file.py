"""Writes a model of a task as ONNX beside its safetensors, by the task's own app, in its sandbox."""

import asyncio
import sys
import tempfile
from pathlib import Path

from dao.app.bundle import MAX_BYTES, unpack
from dao.app.frozen_base import fetch_frozen_base, place_frozen_base
from dao.app.gradient_client import GradientClient
from dao.app.sandbox import SandboxSettings, choose_maker
from dao.audit.provenance import TracedRound
from dao.content.cards import fetch_card
from dao.errors import DaoError
from dao.store.source import Source

LIMIT = 600.0  # seconds


async def export_onnx(source: Source, last: TracedRound, model: Path, python: Path | None, out: Path) -> str:
    """Write the model of a round as ONNX to `out`; return why it cannot be had, "" where it can.

    `python` is the interpreter of the app's environment (None: this one). Which rows the model takes, the round's public shard shows.
    """
    rules = last.record.rules
    try:
        await asyncio.to_thread(choose_maker, SandboxSettings())
        card = await fetch_card(source, rules.card)
        content = await asyncio.to_thread((await source.get(rules.app_hash, MAX_BYTES)).read_bytes)
        base, shard = await fetch_frozen_base(source, card), await source.get(last.manifest.shard.cid)
        with tempfile.TemporaryDirectory(prefix="onnx-") as folder:
            app = await asyncio.to_thread(unpack, content, Path(folder) / "app")
            await asyncio.to_thread(place_frozen_base, base, app)
            client = GradientClient(
                *(app, python or Path(sys.executable), Path(folder) / "scratch"),
                limit=LIMIT,
                keeps_log=False,
                sandbox=SandboxSettings(),
                settings=card.settings,
            )
            try:
                await client.export(model, shard, out)
            finally:
                await client.stop()
    except DaoError as error:
        await asyncio.to_thread(out.unlink, missing_ok=True)
        return str(error)
    return ""
