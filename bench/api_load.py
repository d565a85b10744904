"""Fills an index, serves it by `dao api start`, and asks it at a steady rate: milliseconds from when a request was due.

The chain's node is away meanwhile: reads do not need it. Requests are due at fixed times, whether those before them are
answered or not, so that a pause counts for all that fell into it.
"""

import asyncio
import contextlib
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
from sqlalchemy import Engine, insert, select

from bench.busy import run_busy
from bench.index_load import fill
from bench.synthetic_events import NETWORK, TOKEN, SyntheticHistory, operator_of, owner_of
from dao.api.settings import NAMES_FILE
from dao.api.token_names import TokenNames, save_names
from dao.core.types import Phase, hex_of
from dao.errors import ConfigError
from dao.index import schema
from dao.index.database import WRITE, migrate, open_database
from dao.index.reads import Reads
from dao.runtime.config import FILE

MANIFESTS = 20  # of the newest rounds of each task
_START = 60.0  # seconds until it must serve
_LIMIT = 30.0  # seconds for an answer
_WARM = 2.0  # seconds that do not count
_NICE = 10  # of the API and of what is busy beside it: whoever asks goes first, or it would measure itself
_CONFIG = """\
[chain]
rpc = "ws://127.0.0.1:9"
[api]
listen = "127.0.0.1:0"
database = "{database}"
reads_per_second = 1000000
[relay]
enabled = false
"""


def measure(count: int, rate: int, seconds: int, database: str | None, busy: int) -> dict[str, Any]:
    """Fill an index with `count` events, ask `rate` times a second for `seconds`; the figures.

    Beside the API, `busy` processes want a core each. ConfigError where the database is not empty.
    """
    with tempfile.TemporaryDirectory(prefix="commonweight-bench-") as folder:
        home = Path(folder)
        where = database or str(home / "index.db")
        engine = open_database(where)
        migrate(engine)
        if Reads(engine).find_status() is not None:
            raise ConfigError("--database: expected an empty one, this one holds an index")
        history = SyntheticHistory()
        fill(engine, count, history)
        _write_manifests(engine)
        paths = _paths(Reads(engine), history, rate * seconds)
        dialect = engine.dialect.name
        engine.dispose()
        NETWORK.save(home / "deployment.json")
        save_names(home / NAMES_FILE, NETWORK.token, TokenNames("Made up", "MUP"))
        (home / FILE).write_text(_CONFIG.format(database=where), encoding="utf-8")
        with run_busy(busy, _NICE):
            figures = asyncio.run(_served(home, paths, rate))
        return {"database": dialect, "events": count, "busy": busy, **figures}


async def _served(home: Path, paths: list[tuple[str, str]], rate: int) -> dict[str, Any]:
    program = "from dao.cli import main; main()"
    serving = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", program, "api", "start", "--home", str(home)),
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert serving.stdout is not None  # noqa: S101  (told to the type checker)
        async with asyncio.timeout(_START):
            line = await serving.stdout.readline()
        if not line:
            raise ConfigError("dao api start ended; what it says above is why")
        url = line.decode().removeprefix("API at ").strip()
        process = psutil.Process(serving.pid)
        process.nice(_NICE)
        before = sum(process.cpu_times()[:2])
        figures = await _ask(url, paths, rate)
        spent = 1000 * (sum(process.cpu_times()[:2]) - before) / len(paths)
        asked_before = 1 - len({path for _, path in paths}) / len(paths)
        return {"cpu_ms_each": round(spent, 2), "asked_before": round(asked_before, 2), **figures}
    finally:
        if serving.returncode is None:
            serving.terminate()
        await serving.wait()


async def _ask(url: str, paths: list[tuple[str, str]], rate: int) -> dict[str, Any]:
    times: dict[str, list[float]] = defaultdict(list)
    took: dict[str, list[float]] = defaultdict(list)  # by outcome, since they were sent
    late: list[float] = []  # how much later than due they were sent: the asker wants a core, too
    outcomes, size = Counter[str](), 0
    asker = Asker(url.removeprefix("http://"))

    async def ask(number: int, name: str, path: str) -> None:
        nonlocal size
        due = began + number / rate
        await asyncio.sleep(due - time.perf_counter())
        sent, status, length = time.perf_counter(), 0, 0
        with contextlib.suppress(OSError, EOFError):  # more connections than the API takes of an address
            async with asyncio.timeout(_LIMIT):
                status, length = await asker.get(f"/api/v1{path}")
        if due - began >= _WARM:
            outcomes[outcome := {200: "answered", 503: "shed", 0: "cut"}.get(status, "failed")] += 1
            late.append(1000 * (sent - due))
            took[outcome].append(1000 * (time.perf_counter() - sent))
            if status == 200:
                times[name].append(1000 * (time.perf_counter() - due))
                size += length

    began = time.perf_counter() + 0.1
    async with asyncio.TaskGroup() as group:
        for number, (name, path) in enumerate(paths):
            group.create_task(ask(number, name, path))
    seconds = time.perf_counter() - began
    asker.close()
    every = [value for found in times.values() for value in found]
    return {
        "requests_per_second": round(len(paths) / seconds, 1),
        "outcomes": dict(outcomes),
        "mean_bytes": size // len(every),
        **_summary(every),
        "max_ms": round(max(every), 1),
        "sent_late": _summary(late),
        "since_sent": {outcome: _summary(found) for outcome, found in took.items()},
        "routes": {name: _summary(found) for name, found in sorted(times.items())},
    }


class Asker:
    """Asks over kept connections, as many as it takes, at as little cost as can be: the server is what is measured."""

    def __init__(self, host: str) -> None:
        self._host = host
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def get(self, path: str) -> tuple[int, int]:
        """Ask for a path; the status, and the bytes of the answer."""
        name, _, port = self._host.partition(":")
        reader, writer = self._idle.pop() if self._idle else await asyncio.open_connection(name, int(port))
        writer.write(f"GET {path} HTTP/1.1\r\nHost: {self._host}\r\n\r\n".encode())
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        length = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0])
        await reader.readexactly(length)
        if b"connection: close" in head:
            writer.close()
        else:
            self._idle.insert(0, (reader, writer))  # so that all are used before the server ends one
        return int(head[9:12]), length

    def close(self) -> None:
        """Close the connections."""
        for _, writer in self._idle:
            writer.close()


def _summary(times: list[float]) -> dict[str, float]:
    ordered = sorted(times)
    return {f"p{part}_ms": round(ordered[len(ordered) * part // 100], 1) for part in (50, 99)}


def _paths(reads: Reads, history: SyntheticHistory, count: int) -> list[tuple[str, str]]:
    """What is asked, and under which name it counts: what the page's views read, of ever other things."""
    last = reads.list_tasks(limit=1).items[0].last_round
    proposals = [item.proposal for item in reads.list_proposals(limit=100).items]
    if not proposals:
        raise ConfigError("--events: expected 10000 or more, so that there is of everything")
    operators = [hex_of(operator_of(member)) for member in range(history.members)]
    owners = [hex_of(owner_of(member)) for member in range(history.members)]

    def endless() -> Iterator[tuple[str, str]]:
        number = 0
        while True:
            number += 1
            task, proposal = 1 + number % history.tasks, proposals[number % len(proposals)]
            who, owner = operators[number % len(operators)], owners[number % len(owners)]
            round_ = last - number % MANIFESTS
            yield "network", "/network"
            yield "tasks", "/tasks"
            yield "task", f"/tasks/{task}"
            yield "rounds", f"/tasks/{task}/rounds"
            yield "round", f"/tasks/{task}/rounds/{round_}"
            yield "supernodes", f"/tasks/{task}/supernodes?limit=100"
            yield "history", f"/tasks/{1 + number % len(operators) % history.tasks}/supernodes/{who}/history"
            yield "supernode", f"/supernodes/{who}"
            yield "account", f"/accounts/{owner}"
            yield "delegates", "/delegates"
            yield "treasury", "/treasury"
            yield "proposals", "/proposals?limit=20"
            yield "proposals in a state", "/proposals?state=defeated&limit=20"
            yield "proposal", f"/proposals/{proposal}"
            yield "votes", f"/proposals/{proposal}/votes"
            yield "activity", f"/activity?address={owner}"

    found = endless()
    return [next(found) for _ in range(count)]


def _write_manifests(engine: Engine) -> None:
    """Make up what the manifests of the newest rounds say."""
    rounds, members = schema.rounds, schema.members
    with engine.execution_options(**WRITE).begin() as connection:
        for task in connection.execute(select(schema.tasks.c.task)).scalars().all():
            nodes = connection.execute(select(members).where(members.c.task == task)).all()
            query = (
                select(rounds.c.round, rounds.c.result_hash)
                .where(rounds.c.task == task, rounds.c.phase == Phase.FINALIZED)
                .order_by(rounds.c.round.desc())
                .limit(MANIFESTS)
            )
            for round_, result_hash in connection.execute(query).all():
                row = {
                    "task": task,
                    "round": round_,
                    "result_hash": result_hash,
                    "refusal": "",
                    "cid": "bafk",
                }
                row |= {"base_model": "bafk", "model": "bafk", "shard": 1, "loss_before": 2, "loss_after": 1}
                row |= {"budget": 100 * TOKEN, "refunded": 0}
                made = connection.execute(insert(schema.manifests).values(**row)).inserted_primary_key
                number = made[0] if made is not None else 0
                of = {"manifest": number, "task": task, "round": round_, "status": "ok", "stake": 100 * TOKEN}
                said = {"weight": 10_000, "score": 12_345, "debt": 0, "reward": TOKEN, "reason": "x" * 100}
                connection.execute(
                    insert(schema.manifest_nodes),
                    [{**of, **said, "node": node.operator, "owner": node.owner} for node in nodes],
                )
                account = {"manifest": number, "cumulative": round_ * TOKEN, "debt": 0, "memory": 0}
                connection.execute(
                    insert(schema.manifest_accounts),
                    [
                        {**account, "owner": node.owner, "place": place, "row": place}
                        for place, node in enumerate(nodes)
                    ],
                )
