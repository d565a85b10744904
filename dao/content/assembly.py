"""Assembles a store: its own disk first, then folders, Superlinks, an IPFS node and gateways, always in this order."""

from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

from dao.errors import ConfigError
from dao.store.disk import DiskStore
from dao.store.folder import FolderSource
from dao.store.kubo import KuboStore
from dao.store.layered import LayeredStore
from dao.store.source import Source
from dao.wire.superlink_client import SuperlinkClient
from dao.wire.superlink_source import SuperlinkSource


class ContentSources:
    """The sources that settings name, shared by all stores over one disk; `stack` closes them.

    Nothing is asked of any of them before content is read. ConfigError for an address that is none.
    """

    def __init__(
        self,
        disk: DiskStore,
        stack: AsyncExitStack,
        *,
        folders: Sequence[Path] = (),
        ipfs: str | None = None,
        gateways: Sequence[str] = (),
        owner: str = "commonweight",
    ) -> None:
        """`folders` are stores' folders, `ipfs` is the multiaddr of an IPFS node's API; `disk` keeps what is fetched.

        `owner`: in whose name content is pinned at the IPFS node, which others may use too.
        """
        self.disk = disk
        self._folders = [FolderSource(folder) for folder in folders]
        self._nodes = [KuboStore(ipfs, disk, owner=owner)] if ipfs else []
        for node in self._nodes:
            stack.callback(node.close)
        self._gateways: list[Source] = []
        for url in gateways:
            from dao.store.gateway import GatewaySource  # httpx takes a tenth of a second, and few have any

            gateway = GatewaySource(url, disk)
            stack.push_async_callback(gateway.close)
            self._gateways.append(gateway)

    def store(
        self, *links: SuperlinkClient, attempts: int = 3, replicate: bool = True, once: bool = False
    ) -> LayeredStore:
        """Return a store over all sources and the Superlinks at the end of `links`, which their owner closes.

        With `replicate`, what is put goes to the IPFS node too. `attempts`: see LayeredStore; `once`: see SuperlinkSource.
        """
        superlinks = [SuperlinkSource(link, self.disk, once) for link in links]
        sources: list[Source] = [*self._folders, *superlinks, *self._nodes, *self._gateways]
        return LayeredStore(self.disk, sources, self._nodes if replicate else (), attempts)


def check_store_folder(folder: Path, setting: str) -> Path:
    """Return the folder of an existing store, rather than make one; ConfigError names the flag or setting."""
    folder = folder.expanduser()
    if not (folder / "objects").is_dir():
        raise ConfigError(f"{setting} {folder}: not the folder of a store; a Superlink's is HOME/store")
    return folder
