"""Where manifests are read from: folders, Superlinks, an IPFS node and gateways that the operator named, nobody else."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from dao.api.settings import ApiSettings
from dao.core.errors import ConfigError
from dao.core.types import Domain
from dao.store.disk import DiskStore
from dao.store.folder import FolderSource
from dao.store.gateway import GatewaySource
from dao.store.kubo import KuboStore
from dao.store.layered import LayeredStore
from dao.store.source import Source
from dao.wire.grpc_options import Tls
from dao.wire.superlink_client import SuperlinkClient
from dao.wire.superlink_source import SuperlinkSource


@asynccontextmanager
async def open_content(settings: ApiSettings, domain: Domain) -> AsyncIterator[Source]:
    """Open all of them as one, which keeps what it fetched; ConfigError for a folder or address that is none."""
    given = settings.content
    async with AsyncExitStack() as stack:
        kept = DiskStore(settings.at(given.folder), sync=False)
        found: list[Source] = [_folder(settings.at(folder)) for folder in given.stores]
        authorities = given.authorities and settings.at(given.authorities)
        tls = Tls(authorities) if given.tls or authorities else None
        for address in given.superlinks:
            link = SuperlinkClient(address, None, domain, tls)
            stack.push_async_callback(link.close)
            found.append(SuperlinkSource(link, kept))
        if given.kubo:
            kubo = KuboStore(given.kubo, kept)
            stack.callback(kubo.close)
            found.append(kubo)
        for url in given.gateways:
            gateway = GatewaySource(url, kept)
            stack.push_async_callback(gateway.close)
            found.append(gateway)
        yield LayeredStore(kept, found, attempts=1)


def _folder(folder: Path) -> FolderSource:
    if not (folder / "objects").is_dir():
        raise ConfigError(f"content.stores {folder}: not the folder of a store; a Superlink's is HOME/store")
    return FolderSource(folder)
