"""A node whose updates are sparse: it trains from ahead of the round's model, and sends what changed from there."""

from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from numpy.typing import NDArray

from dao.chain.signer import Signer
from dao.content.tensor_files import open_model, open_update
from dao.core.formats.feedback import AHEAD, KEPT
from dao.core.formats.layout import FLOAT, Layout, compute_model_size, write_model
from dao.core.types import Address, Codec, Digest, Domain, RoundId, TaskId
from dao.store.disk import DiskStore
from dao.store.layered import LayeredStore
from node.check.site_data import SiteData
from node.feedback_files import FeedbackFiles
from node.journal import SupernodeJournal
from node.model_keeper import ModelKeeper
from node.public_shards import PublicShards
from node.trainer import Trained
from node.update_maker import UpdateMaker
from node.uses import UseLog

pytestmark = pytest.mark.asyncio

SIGNER, TASK, OPENING = Signer(b"k" * 32), TaskId(1), Digest(b"o" * 32)
DOMAIN = Domain(1, Address(bytes(20)))
LAYOUT = Layout.of({"weight": (4096,)})


def model_of(values: NDArray[np.float32] | float) -> bytes:
    buffer = bytearray(compute_model_size(LAYOUT))
    write_model(LAYOUT, buffer).flat[:] = values
    return bytes(buffer)


@pytest.mark.parametrize(("codec", "ahead"), [(Codec.TOPK, AHEAD), (Codec.INT8, 0.0)])
async def test_train__second_round__starts_ahead_where_the_codec_is_sparse(
    tmp_path: Path, codec: Codec, ahead: float
) -> None:
    disk = DiskStore(tmp_path / "store", sync=False)
    store, bases = LayeredStore(disk), [await disk.put_bytes(model_of(value)) for value in (0.0, 1.0)]
    change = np.random.Generator(np.random.Philox(1)).normal(0, 0.01, 4096).astype(FLOAT)
    starts = []

    def add(start: Path, out: Path) -> None:
        starts.append(open_model(start).flat.copy())
        out.write_bytes(model_of(starts[-1] + change))

    async def train(start: Path, out: Path, **_: object) -> Trained:
        add(start, out)
        return Trained({}, 0.0, 0.0, 0.0, 0, "", None, ())

    async def get_trainer(_: object) -> SimpleNamespace:
        return SimpleNamespace(train=train)

    async def read_base(opened: Any, _: object) -> Digest:
        return bases[int(opened.parent)].digest

    async def origin() -> str:
        return "account 0x00"

    signer, clock, readiness, reader, rules = (
        cast("Any", SimpleNamespace(**fields))
        for fields in (
            {"address": SIGNER.address, "sign": SIGNER.sign},
            {"now": lambda: 0.0},
            {"get_trainer": get_trainer, "data": SiteData(tmp_path, TASK)},
            {"read_base": read_base},
            {"app_hash": bytes(32), "card": bytes(32), "commit_period": 60, "codec": codec, "body_depth": 4},
        )
    )
    files = FeedbackFiles(tmp_path / "feedback")
    sent = []
    with closing(SupernodeJournal(tmp_path / "journal", DOMAIN, SIGNER.address)) as journal:
        maker = UpdateMaker(
            *(TASK, signer, DOMAIN, reader, clock, journal, store, readiness),
            *(ModelKeeper(TASK, reader, store), tmp_path / "scratch", UseLog(tmp_path, TASK, origin)),
            public=PublicShards(TASK, reader, store, 0),
            feedback=files,
        )
        for number in (0, 1):
            round_id, opened = (
                RoundId(number + 1),
                cast("Any", SimpleNamespace(parent=number, opening=OPENING)),
            )
            journal.see(TASK, round_id, 10)
            entry = await maker.train_and_sign(round_id, opened, rules, 60)
            update = open_update(await store.get(entry.reveal.cid), LAYOUT, codec)
            sent.append(update.q(0, 16).ravel() * 2.0**-32)
    left = change - sent[0]
    assert np.array_equal(starts[0], np.zeros(4096))
    assert np.allclose(starts[1], 1 + ahead * left, atol=1e-6)
    if codec is Codec.TOPK:
        kept = open_model(files.folder / f"{2:012}-{bases[1].digest.hex()}")
        assert np.allclose(sent[1] + kept.flat, KEPT * left + change, atol=1e-6)
