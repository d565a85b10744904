"""Apps that take too much or stay behind are ended, with one clear line; the daemon goes on, and the next call works."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dao.app import jail_plan
from dao.app import sandbox as sandboxes
from dao.app.sandbox import AUTO, Output, SandboxSettings, copy_output
from dao.app.worker import create_model_file
from dao.errors import AppCrashed, AppError, ConfigError
from node.trainer import Trained, Trainer
from tests.sandbox.support import find_processes, head_of

APP = """
import os, subprocess, sys, time
import numpy as np

class Model:
    def __init__(self):
        self.state = {"weight": np.zeros(4, np.float32)}
    def state_dict(self):
        return self.state
    def load_state_dict(self, state):
        self.state = dict(state)

def model():
    return Model()

def data(path):
    return path

def loss(model, batch):
    return 0.0

def train(model, data, *, seed, round):
    if round == 1:
        bad(data)
    yield {"data": data}

def bad(data):
"""
ROOT = Path(__file__).parents[2]


class Site:
    """A folder with an app, data and a base model, and the app's trainers."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.app, self.base, self.out = folder, folder / "app", folder / "base", folder / "out"
        self.app.mkdir()
        self.data = folder / "mine.csv"
        self.data.write_text("1")
        create_model_file(self.base, head_of({"weight": [4]})).tensors["weight"][:] = np.arange(4)
        self.trainers: list[Trainer] = []

    def trainer(self, bad: str, **limits: Any) -> Trainer:
        lines = "".join(f"    {line}\n" for line in bad.splitlines())
        (self.app / "app.py").write_text(APP + lines)
        sandbox = SandboxSettings(**limits)
        trainer = Trainer.of(self.app, self.data, self.folder / "app.log", threads=1, sandbox=sandbox)
        self.trainers.append(trainer)
        return trainer

    async def train(self, trainer: Trainer, round_id: int = 1) -> Trained:
        return await trainer.train(self.base, self.out, seed=1, round=round_id, limit=60)


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    site = Site(tmp_path)
    yield site
    for trainer in site.trainers:
        await trainer.stop()


async def until(condition: Callable[[], object], limit: float = 20.0) -> None:
    async with asyncio.timeout(limit):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.02)


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (
            "for _ in range(40): subprocess.Popen(['sleep', '6011'])\ntime.sleep(60)",
            r"the app runs \d+ processes, at most 20 may be; ended",
        ),
        (
            "pid = os.fork()\nkept = [bytearray(b'x') * (90 << 20) for _ in range(2)]\ntime.sleep(60)",
            r"the app takes \d+ MiB of memory, at most 256 may be; ended",
        ),
        (
            "while True:\n    try:\n        os.fork()\n    except OSError:\n        pass",
            r"the app runs \d+ processes, at most 20 may be; ended",
        ),
    ],
    ids=["children", "memory of several", "fork bomb"],
)
async def test_app__takes_more_than_it_may__is_ended_with_a_line_and_the_next_round_works(
    site: Site, bad: str, words: str
) -> None:
    trainer = site.trainer(bad, memory_bytes=256 << 20, processes=20)
    with pytest.raises(AppCrashed, match=words):
        await site.train(trainer)
    assert (await site.train(trainer, 2)).metrics == {"data": "/data/mine.csv"}
    if "6011" in bad:  # others run beside it
        assert not find_processes("6011")


async def test_app__takes_memory_by_itself__is_refused_it(site: Site) -> None:
    trainer = site.trainer("bytearray(300 << 20)", memory_bytes=256 << 20)
    with pytest.raises(AppError, match="train: MemoryError"):
        await site.train(trainer)


async def test_app__fills_the_disk__is_refused_it(site: Site) -> None:
    trainer = site.trainer("open('/out', 'ab').write(bytes(3 << 20))", file_bytes=2 << 20)
    with pytest.raises(AppError, match=r"train: OSError: .*File too large"):
        await site.train(trainer)
    trainer = site.trainer("open('/tmp/x', 'ab').write(bytes(3 << 20))", scratch_bytes=2 << 20)
    with pytest.raises(AppError, match=r"train: OSError: .*No space left"):
        await site.train(trainer)


LEAVES_A_CHILD = "subprocess.Popen(['sleep', '{}'], start_new_session=True)\nprint('left')"


async def test_app__leaves_a_child_in_a_session_of_its_own__it_ends_with_the_app(site: Site) -> None:
    trainer = site.trainer(LEAVES_A_CHILD.format("6012"))
    await site.train(trainer)
    await until(lambda: find_processes("6012"))  # its arguments show a moment after it was started
    await trainer.stop()
    await until(lambda: not find_processes("6012"))


async def test_daemon__is_killed__nothing_of_its_app_outlives_it(site: Site) -> None:
    site.trainer(LEAVES_A_CHILD.format("6013") + "\ntime.sleep(600)")
    code = (
        "import asyncio\nfrom pathlib import Path\nfrom node.trainer import Trainer\n"
        f"t = Trainer.of(Path({str(site.app)!r}), Path({str(site.data)!r}), Path({str(site.folder / 'app.log')!r}))\n"
        f"asyncio.run(t.train(Path({str(site.base)!r}), Path({str(site.out)!r}), seed=1, round=1, limit=600))\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], cwd=ROOT) as daemon:  # noqa: ASYNC220
        await until(lambda: find_processes("6013"), 60)
        daemon.send_signal(signal.SIGKILL)
    await until(lambda: not find_processes("6013"))
    trainer = site.trainer("pass")
    await site.train(trainer)
    await trainer.stop()
    assert not list(site.folder.glob(".app-*")), "a killed daemon's folder is removed by the next"


async def test_folder__of_a_killed_daemon_with_this_number__is_removed_and_that_of_a_live_app_stays(
    site: Site,
) -> None:
    left = site.folder / f".app-{os.getpid()}-left.box"
    (left / "in").mkdir(parents=True)
    first = site.trainer("pass")
    await site.train(first, 2)
    assert not left.exists()
    await site.train(site.trainer("pass"), 2)
    assert len(list(site.folder.glob(".app-*"))) == 2
    await site.train(first, 3)


async def test_start__cancelled_before_its_folder_is_made__leaves_none_once_it_is_stopped(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on, made = threading.Event(), threading.Event(), threading.Event()

    def wait(_: Path) -> None:
        begun.set()
        assert go_on.wait(60)

    def wrap(*_: object) -> list[str]:
        made.set()
        return []

    monkeypatch.setattr(sandboxes, "_remove_stale", wait)
    monkeypatch.setattr(sandboxes.Sandbox, "wrap", wrap)
    trainer = site.trainer("pass")
    starting = asyncio.create_task(trainer.start())
    await until(begun.is_set, 60)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    go_on.set()
    await until(made.is_set, 60)
    assert list(site.folder.glob(".app-*"))
    await trainer.stop()
    assert not list(site.folder.glob(".app-*"))


async def test_machine__of_another_kind__is_told_what_a_sandbox_is_made_of(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sandboxes, "MACHINE", "riscv64")
    assert sandboxes._try_maker("jail") == "it is made of what Linux has on x86_64 and aarch64"


async def test_two_tasks__on_one_machine__see_their_own_data_alone(site: Site, tmp_path: Path) -> None:
    other = tmp_path / "theirs.csv"
    other.write_text("secret of the other task")
    theirs = Trainer.of(site.app, other, tmp_path / "app-2.log", threads=1)
    site.trainers.append(theirs)
    look = 'seen = [p for p in os.popen(\'find / -name "*.csv" -path "/data/*"\').read().split()]\nraise ValueError(seen)'
    ours = site.trainer(look)
    found = []
    for trainer in (ours, theirs):
        with pytest.raises(AppError) as raised:
            await site.train(trainer)
        found.append(str(raised.value))
    assert "['/data/mine.csv']" in found[0]
    assert "['/data/theirs.csv']" in found[1]


async def test_data__holds_the_daemons_folder__is_refused(site: Site) -> None:
    trainer = Trainer.of(site.app, site.folder, site.folder / "app.log")
    with pytest.raises(ConfigError, match="name a folder with the data alone"):
        await trainer.start()


async def test_sandbox__a_device_that_is_not_there__is_named(site: Site) -> None:
    trainer = site.trainer("pass", devices=("/dev/gpu-of-nobody",))
    with pytest.raises(ConfigError, match="/dev/gpu-of-nobody: expected a device or a folder"):
        await trainer.start()


async def test_data__named_by_its_parent__stays_in_its_place(site: Site) -> None:
    folder = site.folder / "records" / "old"
    folder.mkdir(parents=True)
    trainer = site.trainer("pass")
    named = Trainer.of(site.app, folder / "..", site.folder / "app.log", threads=1, sandbox=AUTO)
    site.trainers.append(named)
    assert (await site.train(named, 2)).metrics == {"data": "/data/records"}
    await trainer.stop()


async def test_data__is_reached_by_a_symbolic_link__is_read(site: Site) -> None:
    real = site.folder / "real.csv"
    site.data.rename(real)
    site.data.symlink_to(real)
    trainer = site.trainer("raise ValueError(open(data).read() + ' of ' + data)")
    with pytest.raises(AppError, match=r"ValueError: 1 of /data/mine.csv"):
        await site.train(trainer)


async def test_machine_without_namespaces__is_named_in_one_line_and_nothing_starts(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sandboxes, "find_maker", lambda: "unshare: Operation not permitted")
    trainer = site.trainer("pass")
    with pytest.raises(
        ConfigError, match=r"has none for apps \(unshare: Operation not permitted\).*mode = \"none\""
    ):
        await trainer.start()
    assert not (site.folder / "app.log").read_bytes()
    freed = Trainer.of(site.app, site.data, site.folder / "app.log", sandbox=SandboxSettings(mode="auto"))
    site.trainers.append(freed)
    assert (await site.train(freed, 2)).metrics == {"data": str(site.data)}


async def test_output__shortened_while_it_is_read__is_an_error_and_no_end_of_the_daemon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written, out = tmp_path / "written", tmp_path / "out"
    written.write_bytes(bytes(1 << 20))
    copy_output(written, Output(out, 1 << 20))
    assert out.read_bytes() == written.read_bytes()
    monkeypatch.setattr("os.sendfile", lambda *_: 0)
    with pytest.raises(AppError, match="shortened its output"):
        copy_output(written, Output(out, 1 << 20))


LIES = """import gc, json
from dao.app.worker import CallServer
host = next(one for one in gc.get_objects() if isinstance(one, CallServer))
answer = {"metrics": {}, "load_s": 0.0, "train_s": 0.0, "store_s": 0.0}
answer |= {"public_shards": 0, "public_problem": "", "kept_here": [], "rows": 3}
def say(line):
    host._line.sendall(line.encode() + b"\\n")
def tell(**lies):
    say(json.dumps({"id": host._current, "result": {**answer, **lies}}))
"""


TOLD = {
    "say(json.dumps({'id': host._current, 'result': 7}))": "its answer has no",
    "tell(metrics=5)": "its answer has no metrics",
    "tell(train_s='abc')": "its answer has no train_s",
    "tell(train_s=float('nan'))": "its answer has no train_s",
    "tell(rows='Zanzibar')": "its answer has no rows",
    "tell(rows=-1)": "its answer has no rows",
    "tell(public_shards=10**30)": "its answer has no public_shards",
    "tell(public_problem='x' * 100_000)": "its answer has no public_problem",
    "tell(public_problem='\\ud800')": "its answer has no public_problem",
    "tell(kept_here=['x'] * 5000)": "its answer has no kept_here",
    "tell(more=1)": "its answer has no more",
    # until the daemon, which has no room for it, has cut it off
    "os.truncate('/out', 1 << 30)\ntell()\nwhile os.path.getsize('/out'):\n    time.sleep(0.01)": "the app wrote 1073741824 bytes, at most 88 may be",
}


async def test_app__answers_by_itself_what_no_worker_does__is_one_line_without_what_it_said(
    site: Site,
) -> None:
    """Whoever writes an app writes to the daemon's line as he likes: he gets no further than an error."""
    trainer = site.trainer(f"{LIES}\ntries = globals().setdefault('tries', {[*TOLD]})\nexec(tries.pop(0))")
    for words in TOLD.values():
        with pytest.raises(AppError, match=words) as raised:
            await site.train(trainer)
        assert "Zanzibar" not in str(raised.value)
        assert len(str(raised.value)) < 1000
    assert (await site.train(trainer, 2)).metrics == {"data": "/data/mine.csv"}


@pytest.mark.parametrize("line", ["say('[' * 500_000)", "say('{\"a\":' * 99_000)"])
async def test_app__sends_what_crashes_a_parser__is_ended_and_the_daemon_lives(site: Site, line: str) -> None:
    trainer = site.trainer(LIES + line)
    with pytest.raises(AppCrashed, match="which is no answer"):
        await site.train(trainer)
    assert (await site.train(trainer, 2)).metrics == {"data": "/data/mine.csv"}


async def test_app__tells_what_a_terminal_would_obey__it_is_shown_as_text(site: Site) -> None:
    trainer = site.trainer(
        LIES + "tell(public_problem='\\x1b[2J\\nall is well', metrics={'a': ['x' * 9000]})"
    )
    trained = await site.train(trainer)
    assert trained.public_problem == r"\x1b[2J all is well"
    assert len(str(trained.metrics)) < 300


async def test_app__fills_the_disk_by_default__has_a_quarter_of_what_is_free(site: Site) -> None:
    free = shutil.disk_usage(site.folder).free
    trainer = site.trainer(f"with open('/out', 'ab') as file:\n    file.truncate({free // 2})")
    with pytest.raises(AppError, match=r"train: OSError: .*File too large"):
        await site.train(trainer)


@pytest.mark.parametrize("lies_there", ["home", "data"])
async def test_site__lies_in_what_all_apps_see__is_refused(
    site: Site, lies_there: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a container whose work is below /usr: keys, and another task's data, would be in each app's reach."""
    seen = site.folder / "usr"
    (seen / "home").mkdir(parents=True)
    shutil.copy(site.data, seen / "mine.csv")
    monkeypatch.setattr("dao.app.jail_plan._SYSTEM", (*jail_plan._SYSTEM, str(seen)))
    log = (seen / "home" if lies_there == "home" else site.folder) / "app.log"
    data = site.data if lies_there == "home" else seen / "mine.csv"
    trainer = Trainer.of(site.app, data, log, threads=1, sandbox=AUTO)
    with pytest.raises(ConfigError, match=f"lies in {seen}, which all apps see; have it elsewhere"):
        await trainer.start()
    await trainer.stop()
