"""Opens the sources of manifests: only folders, Superlinks, an IPFS node and gateways that the operator named."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from dao.api.settings import ApiSettings
from dao.content.assembly import ContentSources, check_store_folder
from dao.core.types import Domain
from dao.store.disk import DiskStore
from dao.store.source import Source
from dao.wire.grpc_options import Tls
from dao.wire.superlink_client import SuperlinkClient


@asynccontextmanager
async def open_content(settings: ApiSettings, domain: Domain) -> AsyncIterator[Source]:
    """Open all of them as one, which keeps what it fetched; ConfigError for a folder or address that is none."""
    content = settings.content
    async with AsyncExitStack() as stack:
        sources = ContentSources(
            DiskStore(settings.at(content.folder), sync=False),
            stack,
            folders=[check_store_folder(settings.at(folder), "content.stores") for folder in content.stores],
            ipfs=content.ipfs,
            gateways=content.gateways,
        )
        ca_file = content.ca_file and settings.at(content.ca_file)
        tls = Tls(ca_file) if content.tls or ca_file else None
        links = [SuperlinkClient(address, None, domain, tls) for address in content.superlinks]
        for link in links:
            stack.push_async_callback(link.close)
        yield sources.store(*links, attempts=1, replicate=False)
