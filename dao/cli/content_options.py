"""Where commands get a round's content from: a Superlink, folders, an IPFS node, gateways; each byte is checked."""

import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from dao.core.errors import ConfigError
from dao.core.types import Domain
from dao.store.disk import DiskStore
from dao.store.folder import FolderSource, store_folder
from dao.store.gateway import GatewaySource
from dao.store.kubo import KuboStore
from dao.store.layered import LayeredStore
from dao.store.source import Source
from dao.wire.grpc_options import Tls
from dao.wire.superlink_client import SuperlinkClient
from dao.wire.superlink_source import SuperlinkSource

SuperlinkOption = Annotated[
    str | None,
    typer.Option("--superlink", help="host:port of the task's Superlink, which serves its content."),
]
TlsOption = Annotated[bool, typer.Option("--tls", help="Speak TLS to the Superlink.")]
AuthoritiesOption = Annotated[
    Path | None,
    typer.Option("--authorities", help="PEM file of those trusted for TLS, instead of the usual ones."),
]
StoreOption = Annotated[
    list[Path] | None, typer.Option("--store", help="Folder of a store with the content; repeatable.")
]
IpfsOption = Annotated[
    str | None, typer.Option("--ipfs", help="API of an IPFS node: /ip4/127.0.0.1/tcp/5001/http.")
]
GatewayOption = Annotated[
    list[str] | None, typer.Option("--gateway", help="Address of an IPFS gateway; repeatable.")
]


@dataclass(frozen=True)
class Sources:
    """The places that were named."""

    superlink: str | None
    tls: bool
    authorities: Path | None
    stores: list[Path] | None
    ipfs: str | None
    gateways: list[str] | None

    @property
    def are_named(self) -> bool:
        """Whether there is any."""
        return bool(self.superlink or self.stores or self.ipfs or self.gateways)

    @asynccontextmanager
    async def opened(self, domain: Domain) -> AsyncIterator[LayeredStore]:
        """All of them as one, folders first; what comes from elsewhere is kept for the length of the command."""
        if not self.are_named:
            raise ConfigError("content: from where? Name --superlink, --store, --ipfs or --gateway")
        async with AsyncExitStack() as stack:
            cache = DiskStore(
                Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="content-"))), sync=False
            )
            found: list[Source] = [FolderSource(store_folder(folder)) for folder in self.stores or ()]
            if self.superlink:
                tls = Tls(self.authorities) if self.tls or self.authorities else None
                link = SuperlinkClient(self.superlink, None, domain, tls)
                stack.push_async_callback(link.close)
                found.append(SuperlinkSource(link, cache, once=True))
            if self.ipfs:
                kubo = KuboStore(self.ipfs, cache)
                stack.callback(kubo.close)
                found.append(kubo)
            for url in self.gateways or ():
                gateway = GatewaySource(url, cache)
                stack.push_async_callback(gateway.close)
                found.append(gateway)
            yield LayeredStore(cache, found, attempts=1)
