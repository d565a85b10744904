"""The demonstration's auditor: reads content from the Superlink, and audits and measures with warm processes of its own."""

import sys
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dao.app.gradient_client import GradientClient
from dao.audit import Outcome, audit
from dao.chain.events import ResultPosted
from dao.core.formats.cid import Cid
from dao.core.formats.manifest import Manifest, parse_manifest
from dao.core.types import Digest, RoundId
from dao.demo.demo_network import DemoNetwork
from dao.demo.images import APP
from dao.store.disk import DiskStore
from dao.wire.superlink_client import SuperlinkClient
from dao.wire.superlink_source import SuperlinkSource
from node.trainer import Trainer

GRADIENT_LIMIT = 120.0  # seconds


@dataclass(frozen=True)
class DemoAuditor:
    """A source of content with a store of its own, and warm processes to compute with."""

    network: DemoNetwork
    source: SuperlinkSource
    gradients: GradientClient
    trainer: Trainer

    async def read_manifest(self, content: Cid | Digest) -> Manifest:
        """Read a manifest; DecodeError where it is none."""
        return parse_manifest((await self.source.get(content)).read_bytes())

    async def read_manifest_of(self, round_id: RoundId) -> Manifest:
        """Read the manifest of a round that has a result."""
        (posted,) = await self.network.chain.past(ResultPosted, task=self.network.task, round=round_id)
        return await self.read_manifest(posted.result.manifest_digest)

    async def measure(self, model: Cid) -> Any:
        """Return the app's metrics of a model on the test data."""
        return await self.trainer.measure(await self.source.get(model), self.network.data.test)

    async def audit(self, round_id: RoundId) -> str:
        """Audit a round; return `ok`, or the checks that fail."""
        checks = audit(
            self.network.chain,
            self.source,
            self.network.task,
            round_id,
            Path(sys.executable),
            GRADIENT_LIMIT,
            self.gradients,
        )
        failed = [
            f"{check.name}: {check.detail}" async for check in checks if check.outcome is not Outcome.OK
        ]
        return "; ".join(failed) or "ok"


async def open_auditor(stack: AsyncExitStack, network: DemoNetwork) -> DemoAuditor:
    """Open an auditor that ends with the stack."""
    link = SuperlinkClient(network.address, None, network.chain.domain)
    stack.push_async_callback(link.close)
    folder = network.folder / "auditor"
    gradients = GradientClient(APP, Path(sys.executable), folder / "scratch", limit=GRADIENT_LIMIT)
    stack.push_async_callback(gradients.stop)
    trainer = Trainer.of(APP, None, folder / "measure.log")
    stack.push_async_callback(trainer.stop)
    source = SuperlinkSource(link, DiskStore(folder / "store", sync=False))
    return DemoAuditor(network, source, gradients, trainer)
