"""Opens the way by which a member acts: the API where one is named, else its own account."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from dao.cli.deciding import Way
from dao.cli.network import DEPLOYMENT_DEFAULT, Paying, expanded, paying


@asynccontextmanager
async def acting(api: str | None, rpc: str, deployment: Path, account: Paying) -> AsyncIterator[Way]:
    """Open the way that was chosen: the API's when it is named."""
    if api is not None:
        from dao.cli.relayed import relayed

        expected = None if deployment == DEPLOYMENT_DEFAULT else expanded(deployment)
        async with relayed(api, expected, account) as way:
            yield way
    else:
        from dao.cli.paid import Paid

        async with paying(rpc, deployment, account) as (chain, sender):
            yield Paid(chain, sender)
