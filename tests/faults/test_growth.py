"""What rounds leave in the homes of real daemons for good: manifests, journals, outboxes, reports, the shards shown.

What becomes of models and updates, tests/aggregator/test_retention.py tries, and `script/bench store` measures.
"""

import os
import sqlite3
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.faults.world import World, open_world, write_config
from tests.support import Network

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(300)]
KEPT, WARM, ROUNDS = 1, 6, 12
A_ROUND = 30_000  # bytes beside the shard: 1,000 rounds leave 30 MB
BOUNDED = ("-wal", "-shm", ".log")  # files that begin anew by themselves
BY_SETTING = ("content", "scratch", "apps", "data")  # what a node's settings bound, or rounds do not touch


async def test_homes__round_after_round__grow_by_the_shard_and_little_else(
    living_network: Network, tmp_path: Path
) -> None:
    async with open_world(living_network, tmp_path) as world:
        keep_few_rounds(world)
        await world.start()
        sizes: dict[str, list[int]] = defaultdict(list)
        for _ in range(ROUNDS):
            await world.play()
            for daemon in (world.superlink, *world.nodes):
                sizes[daemon.name].append(measure(daemon.home))
        world.show()
        shard = (world.folder / "shards" / "000.safetensors").stat().st_size
    for name, measured in sizes.items():
        # the least of three: files lie there for a moment
        early, late = (min(measured[end - 3 : end]) for end in (WARM, ROUNDS))
        each = (late - early) / (ROUNDS - WARM)
        print(f"{name}: {each:.0f} bytes a round, {late} after {ROUNDS}")  # noqa: T201
        assert each < shard + A_ROUND
    assert sizes["superlink"][0] < sizes["superlink"][-1]  # manifests stay


def keep_few_rounds(world: World) -> None:
    """Have the Superlink keep the content of few decided rounds."""
    first, _, _ = (world.superlink.home / "config.toml").read_text().partition("[chain]")
    write_config(world.superlink.home, world.network, f"{first}content.keep_rounds = {KEPT}")


def measure(home: Path) -> int:
    """Measure what does not end by itself, in bytes; of databases what they hold, wherever it lies now."""
    return sum(measure_file(path) for path in find_files(home) if not path.name.endswith(BOUNDED))


def find_files(home: Path) -> Iterator[Path]:
    """Find the files of a home whose daemon goes on: os.walk bears folders that end meanwhile, rglob does not."""
    for folder, subfolders, names in os.walk(home):
        if Path(folder) == home:
            subfolders[:] = [name for name in subfolders if name not in BY_SETTING]
        yield from (Path(folder) / name for name in names)


def measure_file(path: Path) -> int:
    if path.suffix == ".db":
        return measure_database(path)
    try:
        return path.stat().st_size
    except FileNotFoundError:  # the daemon goes on meanwhile
        return 0


def measure_database(path: Path) -> int:
    with closing(sqlite3.connect(path)) as database:
        (pages,), (size,) = (
            database.execute(f"PRAGMA {name}").fetchone() for name in ("page_count", "page_size")
        )
    return int(pages * size)
