"""The content of a task before it is proposed: app, first model and shards, put where others can have them."""

import asyncio
import json
import secrets
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from dao import files
from dao.app import bundle, unpack
from dao.core.errors import ConfigError
from dao.core.layout import depth_for
from dao.core.types import Digest, Rules, Wei
from dao.gov.actions import CreateTask
from dao.gov.forms import kind_of
from dao.shards import read_shards
from dao.store.base import Store
from dao.store.cid import Cid
from dao.store.disk import DiskStore
from dao.store.kubo import KuboStore
from node.trainer import Trainer


@dataclass(frozen=True, slots=True)
class Content:
    """What a task's rules bind, and what follows from it."""

    app: Cid
    base_model: Cid
    validation_root: Digest
    shards: int
    values: int
    body_depth: int


async def publish(
    app: Path, model: Path | None, shards: Path, store: Path, ipfs: str | None, python: Path | None
) -> Content:
    """Bundle the app, make its first model unless `model` is one, store and pin both, and hash the shards.

    The shards are stored nowhere: only the Superlink has them. Raises AppError, ConfigError, ContentError, DecodeError.
    """
    bundled = await asyncio.to_thread(bundle, app)
    hashed = await asyncio.to_thread(read_shards, shards)
    with tempfile.TemporaryDirectory(prefix="proposal-") as folder:
        first = model or await _created(bundled, python, Path(folder))
        if not await asyncio.to_thread(first.is_file):
            raise ConfigError(
                f"--model {first}: expected a safetensors file; without, the app makes the model"
            )
        layout = (await asyncio.to_thread(files.open_model, first)).layout
        bundle_file = Path(folder) / "bundle.json"
        await asyncio.to_thread(bundle_file.write_bytes, bundled)
        app_cid, model_cid = await _keep([bundle_file, first], store, ipfs)
    return Content(
        app_cid, model_cid, hashed.root, len(hashed.paths), layout.values, max(1, depth_for(layout.chunks))
    )


def write_draft(file: Path, rules: Rules, funds: Wei) -> None:
    """Write a task for `dao propose --file`."""
    from dao.api.drafts import shown

    action = CreateTask(rules, funds)
    told = {"actions": [{"kind": kind_of(action), "fields": shown(action)}]}
    file.write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")


async def _created(bundled: bytes, python: Path | None, folder: Path) -> Path:
    """The untrained model of an app, from the app as others will have it."""
    unpacked = await asyncio.to_thread(unpack, bundled, folder / "app")
    log = Path(tempfile.gettempdir()) / f"commonweight-app-{secrets.token_hex(4)}.log"  # errors point to it
    trainer = Trainer.of(unpacked, None, log, python=python or Path(sys.executable))
    try:
        await trainer.create(folder / "model.safetensors")
    finally:
        await trainer.stop()
    log.unlink(missing_ok=True)
    return folder / "model.safetensors"


async def _keep(contents: list[Path], store: Path, ipfs: str | None) -> list[Cid]:
    """Store and pin contents in a folder and, where there is one, an IPFS node."""
    disk = DiskStore(store)
    kubo = None if ipfs is None else KuboStore(ipfs, disk)
    try:
        keepers: list[Store] = [disk] if kubo is None else [disk, kubo]
        cids = []
        for content in contents:
            for keeper in keepers:
                cid = await keeper.put_file(content)
                await keeper.pin(cid)
            cids.append(cid)
        return cids
    finally:
        if kubo is not None:
            kubo.close()
