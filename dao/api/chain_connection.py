"""The connection to the chain's node: while the node is away, requests fail at once; it reconnects by itself."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

from dao.api.http.problems import Problem
from dao.chain.client import Chain
from dao.chain.deployment import Deployment
from dao.core.types import BlockNumber
from dao.errors import ChainError, RpcError

PATIENCE = 5.0  # seconds for a request with all its attempts
LIMIT = 3.0  # seconds for one attempt
_PAUSE = 1.0  # seconds between two checks of the node
_CHECK_LIMIT = 2.0  # seconds that it has to answer one

_log = logging.getLogger(__name__)


class ChainConnection:
    """A network's chain through one node. `up` says whether the node answered the last check."""

    def __init__(self, url: str, deployment: Deployment, confirmations: int) -> None:
        self.deployment = deployment
        self.up = False
        self._url = url
        self._confirmations = confirmations
        self._chain: Chain | None = None

    @property
    def head(self) -> int | None:
        """The newest block seen; None before the first."""
        return None if self._chain is None else self._chain.head().number

    @property
    def final(self) -> BlockNumber | None:
        """The newest block that may be acted on; None before the first."""
        return None if self._chain is None else self._chain.final().number

    def get_chain(self) -> Chain:
        """Get the chain, to ask it now; Problem 503 while its node is away."""
        if self._chain is None or not self.up:
            raise Problem(
                503,
                "chain-unreachable",
                "the chain's node does not answer; what is shown is what was known before",
                retry_after=5,
            )
        return self._chain

    async def run(
        self, work: Callable[[Chain], Coroutine[Any, Any, None]], on_change: Callable[[], None]
    ) -> None:
        """Connect, as often as it takes, and do `work`; call `on_change` with each new head and when `up` changes.

        A node of another chain, or without these contracts, counts as one that is away: the log says so.
        """
        chain = await self._connect(on_change)
        async with chain:
            self._chain, self.up = chain, True
            on_change()
            async with asyncio.TaskGroup() as group:
                group.create_task(work(chain))
                group.create_task(self._check_node(chain, on_change))
                group.create_task(_watch_heads(chain, on_change))

    async def _connect(self, on_change: Callable[[], None]) -> Chain:
        is_logged = False
        while True:
            try:
                return await Chain.connect(
                    self._url, self.deployment, self._confirmations, limit=LIMIT, patience=PATIENCE
                )
            except RpcError as error:
                if not is_logged:
                    _log.warning("%s; reads go on without it", error)
                    on_change()
                is_logged = True
            await asyncio.sleep(_PAUSE)

    async def _check_node(self, chain: Chain, on_change: Callable[[], None]) -> None:
        while True:
            up = True
            try:
                await chain.request("eth_blockNumber", patience=_CHECK_LIMIT)
            except ChainError as error:
                up = False
                if self.up:
                    _log.warning("%s; reads go on without it", error)
            if up is not self.up:
                self.up = up
                on_change()
            await asyncio.sleep(_PAUSE)


async def _watch_heads(chain: Chain, on_change: Callable[[], None]) -> None:
    while True:
        if await chain.changed(60.0):
            on_change()
