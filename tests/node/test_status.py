"""What an operator is told when something does not answer: what it is, and not something else."""

import asyncio
from typing import cast

import pytest

from dao.chain.client import Chain
from dao.core.errors import ContentError
from dao.core.types import Address
from dao.store.base import Source
from node import status


async def test_rewards__no_source_has_the_manifest_in_time__the_superlink_is_named_not_the_chain(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def searching(*_: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(status, "standing", searching)
    task = status.TaskStatus(1)
    with pytest.raises(ContentError, match="does its Superlink run"):
        await status.ask_rewards(
            cast("Chain", None), cast("Source", None), task, Address(bytes(20)), limit=0.01
        )
    assert task.claimable_wei is None
