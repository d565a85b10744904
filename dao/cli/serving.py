"""Runs a daemon until it is told to stop."""

import asyncio
import contextlib
import gc
import signal
from collections.abc import Awaitable

from dao.runtime.open_files import allow_open_files


async def until_told(work: Awaitable[None]) -> None:
    """Do work, and cancel it at SIGTERM or SIGINT."""
    allow_open_files()
    gc.freeze()  # what is imported stays: the garbage collector need not look at it
    doing, loop = asyncio.ensure_future(work), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, doing.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await doing
