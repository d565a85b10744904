import asyncio
import os
import signal

import pytest

from dao.runtime.signals import STOP_SIGNALS, run_until_signal


@pytest.mark.parametrize("number", STOP_SIGNALS)
async def test_run_until_signal__told_to_stop__cancels_the_work_and_returns(number: int) -> None:
    ended = []

    async def work() -> None:
        os.kill(os.getpid(), number)
        try:
            await asyncio.sleep(60)
        finally:
            ended.append(True)

    await asyncio.wait_for(run_until_signal(work()), 20)
    assert ended == [True]
    assert signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler)


async def test_run_until_signal__work_ends_fails_or_is_cancelled_by_itself__so_does_it() -> None:
    async def fail(error: BaseException | None) -> None:
        if error is not None:
            raise error

    await run_until_signal(fail(None))
    for error in (ZeroDivisionError, asyncio.CancelledError):
        with pytest.raises(error):
            await run_until_signal(fail(error()))
