"""Ends a daemon's work when its user or the system asks for it."""

import asyncio
import signal
from collections.abc import Coroutine
from typing import Any

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


async def run_until_signal(work: Coroutine[Any, Any, None]) -> None:
    """Do work to its end, or cancel it at SIGTERM or SIGINT and return; raises what the work raises."""
    loop, task = asyncio.get_running_loop(), asyncio.ensure_future(work)
    is_stopped = asyncio.Event()

    def stop() -> None:
        is_stopped.set()
        task.cancel()

    for number in STOP_SIGNALS:
        loop.add_signal_handler(number, stop)
    try:
        await task
    except asyncio.CancelledError:
        if not is_stopped.is_set():
            raise
    finally:
        for number in STOP_SIGNALS:
            loop.remove_signal_handler(number)
