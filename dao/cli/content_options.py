"""The options for where a command gets a round's content from: a Superlink, folders, an IPFS node, gateways."""

import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from dao.cli.options import (
    CaFileOption,
    GatewayOption,
    IpfsOption,
    StoreOption,
    SuperlinkOption,
    TlsOption,
)
from dao.content.assembly import ContentSources, check_store_folder
from dao.core.types import Domain
from dao.errors import ConfigError
from dao.store.disk import DiskStore
from dao.store.layered import LayeredStore
from dao.wire.grpc_options import Tls
from dao.wire.superlink_client import SuperlinkClient


@dataclass(frozen=True)
class ContentOptions:
    """The sources that a user named."""

    superlink: SuperlinkOption = None
    tls: TlsOption = False
    ca_file: CaFileOption = None
    store: StoreOption = None
    ipfs: IpfsOption = None
    gateway: GatewayOption = None

    @property
    def are_named(self) -> bool:
        """Whether there is any."""
        return bool(self.superlink or self.store or self.ipfs or self.gateway)

    @asynccontextmanager
    async def open(self, domain: Domain) -> AsyncIterator[LayeredStore]:
        """Open all of them as one store, folders first; what comes from elsewhere is kept until the command ends."""
        if not self.are_named:
            raise ConfigError("content: from where? Name --superlink, --store, --ipfs or --gateway")
        async with AsyncExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="content-")))
            sources = ContentSources(
                DiskStore(folder, sync=False),
                stack,
                folders=[check_store_folder(folder, "--store") for folder in self.store or ()],
                ipfs=self.ipfs,
                gateways=self.gateway or (),
            )
            links = []
            if self.superlink:
                tls = Tls(self.ca_file) if self.tls or self.ca_file else None
                links = [SuperlinkClient(self.superlink, None, domain, tls)]
                stack.push_async_callback(links[0].close)
            yield sources.store(*links, attempts=1, replicate=False, once=True)
