"""Has a session of processes leave the cores to others where these are busy."""

import asyncio
import os
from contextlib import suppress
from pathlib import Path

LOW_PRIORITY = 5  # of 19 to -20: a quarter of a busy core, for a juror has a minute to vote
_TRIES, _PAUSE = 5, 0.11  # seconds


async def lower_priority(session: int) -> None:
    """Lower the priority of a session and its processes; of one that is gone, a call finds out.

    Linux shares cores among sessions before it does among their processes (sched(7), "The autogroup feature"): a process's own
    priority says nothing to other sessions.
    """
    lowest = max(LOW_PRIORITY, os.getpriority(os.PRIO_PROCESS, 0))
    with suppress(ProcessLookupError):
        os.setpriority(os.PRIO_PGRP, session, lowest)
    for _ in range(_TRIES):
        try:
            await asyncio.to_thread(Path(f"/proc/{session}/autogroup").write_text, str(lowest), "ascii")
        except BlockingIOError:  # one in a tenth of a second is taken
            await asyncio.sleep(_PAUSE)
        except OSError:  # a system without
            return
        else:
            return
