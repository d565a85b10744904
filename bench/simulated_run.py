"""Runs `dao simulate` as its own process, as people do, and reads what it wrote."""

import asyncio
import json
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.process_sampler import Sampler
from dao.errors import DaoError


@dataclass(frozen=True)
class SimulatedRun:
    """The rounds as `--json` has them, and what was seen of the process `pid` and all that it started."""

    rounds: list[dict[str, Any]]
    pid: int
    sampler: Sampler


async def run_simulation(
    name: str, out: Path, *options: object, limit: float, app: Path | None = None
) -> SimulatedRun:
    """Run the command with `options`, in an app's folder if one is given, writing to the file `out`.

    DaoError begins with `name`, where the command fails or takes longer than `limit` seconds.
    """
    command = [Path(sys.executable).with_name("dao"), "simulate", "--json", out, *options]
    process = await asyncio.create_subprocess_exec(
        *map(str, command), cwd=app, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    sampler = Sampler(process.pid)
    watching = asyncio.create_task(sampler.run())
    try:
        async with asyncio.timeout(limit):
            said, _ = await process.communicate()
    except TimeoutError:
        raise DaoError(f"{name}: took longer than {limit:.0f} s") from None
    finally:
        watching.cancel()
        with suppress(ProcessLookupError):
            process.kill()
    if process.returncode:
        raise DaoError(f"{name}: {said.decode(errors='replace').strip().rpartition(chr(10))[2]}")
    written = await asyncio.to_thread(out.read_text, "utf-8")
    return SimulatedRun(json.loads(written)["rounds"], process.pid, sampler)
