import asyncio
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from dao.app.worker import create_model_file, open_model_file
from dao.errors import AppCrashed, AppError, AppTimeout
from node.trainer import Trained, Trainer
from tests.sandbox.support import find_processes, head_of

SOME_TIME = "6007"  # seconds that nothing else sleeps
SHAPES = {"bias": [3], "weight": [2, 3]}

APP = """
import os, signal, sys, time
import numpy as np

class Model:
    def __init__(self):
        self.state = {"weight": np.zeros((2, 3), np.float32), "bias": np.ones(3, np.float32)}
    def state_dict(self):
        return self.state
    def load_state_dict(self, state):
        self.state = dict(state)

def model():
    return Model()

def data(path):
    return float(open(path).read())

def loss(model, batch):
    return 0.0

def metrics(model, data):
    return {"sum": np.float32(sum(float(t.sum()) for t in model.state.values())), "data": data}

def train(model, data, *, seed, round):
    print("training", seed, round)
    yield {"epoch": 1, "loss": float("nan")}
    for tensor in model.state.values():
        tensor += np.float32(data)
    yield 0.5
    yield {"loss": np.float32(0.25), "seed": seed, "round": round}
"""


class Home:
    """A node's folder with an app, data and a base model."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.app = folder / "app"
        self.app.mkdir()
        self.base, self.out, self.data, self.log = (folder / n for n in ("base", "out", "data", "app.log"))
        self.data.write_text("2")
        self.trainers: list[Trainer] = []
        self.write(APP)
        for name, tensor in create_model_file(self.base, head_of(SHAPES)).tensors.items():
            tensor[...] = np.arange(tensor.size).reshape(tensor.shape) + len(name)

    def write(self, code: str) -> None:
        (self.app / "app.py").write_text(code)

    def trainer(self, train: str | None = None, **settings: Any) -> Trainer:
        if train is not None:
            lines = "".join(f"    {line}\n" for line in train.splitlines())
            self.write(f"{APP}\ndef train(model, data, *, seed, round):\n{lines}")
        trainer = Trainer.of(self.app, self.data, self.log, **settings)
        self.trainers.append(trainer)
        return trainer

    async def train(self, trainer: Trainer, limit: float = 20, round: int = 3, **more: Any) -> Trained:  # noqa: A002
        return await trainer.train(self.base, self.out, seed=7, round=round, limit=limit, **more)


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[Home]:
    home = Home(tmp_path)
    yield home
    for trainer in home.trainers:
        await trainer.stop()


def pid_of(trainer: Trainer) -> int:
    return cast(asyncio.subprocess.Process, trainer._process._process).pid


def ended(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except FileNotFoundError:
        return True


async def until(condition: Callable[[], object], limit: float = 10.0) -> None:
    async with asyncio.timeout(limit):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def test_train__numpy_app__writes_base_plus_what_it_learned(home: Home) -> None:
    seen: list[object] = []
    trained = await home.train(home.trainer(), on_progress=seen.append)
    assert seen == [{"epoch": 1, "loss": None}, 0.5, {"loss": 0.25, "seed": 7, "round": 3}]
    assert trained.metrics == {"loss": 0.25, "seed": 7, "round": 3}
    base, out = open_model_file(home.base), open_model_file(home.out)
    assert out.head == base.head == head_of(SHAPES)
    for name in SHAPES:
        np.testing.assert_array_equal(out.tensors[name], base.tensors[name] + 2)
    assert home.out.stat().st_size == home.base.stat().st_size
    assert b"training 7 3" in home.log.read_bytes()


async def test_train__second_round__keeps_the_process_and_starts_from_the_base(home: Home) -> None:
    trainer = home.trainer()
    await home.train(trainer)
    first, pid = home.out.read_bytes(), pid_of(trainer)
    await home.train(trainer)
    assert pid_of(trainer) == pid
    assert home.out.read_bytes() == first


async def test_train__app_returns_metrics__they_arrive(home: Home) -> None:
    trained = await home.train(home.trainer("return {'accuracy': np.float64(0.5), 'note': 'x' * 500}"))
    assert trained.metrics == {"accuracy": 0.5, "note": "x" * 200}


async def test_train__app_raises__says_where_and_goes_on(home: Home) -> None:
    trainer = home.trainer("raise ValueError('no such column')")
    with pytest.raises(
        AppError, match=r"train: ValueError: no such column \(app.py line \d+\); more in .*app.log"
    ):
        await home.train(trainer)
    pid = pid_of(trainer)
    with pytest.raises(AppError, match="no such column"):
        await home.train(trainer)
    assert pid_of(trainer) == pid
    assert "Traceback" in home.log.read_text()


async def test_train__app_exits__is_an_error_of_the_app(home: Home) -> None:
    with pytest.raises(AppError, match="SystemExit"):
        await home.train(home.trainer("sys.exit(3)"))


async def test_train__process_dies__quotes_its_last_words_and_the_next_round_works(home: Home) -> None:
    trainer = home.trainer(
        "if round == 3:\n    print('out of memory, giving up')\n    sys.stdout.flush()\n    os._exit(9)"
    )
    with pytest.raises(
        AppCrashed, match=r"process ended with status 9; its last words: .*out of memory, giving up"
    ):
        await home.train(trainer)
    assert (await home.train(trainer, round=4)).metrics == {}


async def test_train__hangs__is_killed_at_the_limit_with_its_children(home: Home) -> None:
    trainer = home.trainer(
        f"import subprocess\nsubprocess.Popen(['sleep', {SOME_TIME!r}], start_new_session=True)\ntime.sleep(600)"
    )
    await trainer.start()
    pid = pid_of(trainer)
    with pytest.raises(AppTimeout, match="took longer than 1 s"):
        await home.train(trainer, limit=1)
    await until(lambda: ended(pid) and not find_processes(SOME_TIME))


async def test_train__process_is_stopped__is_given_up_without_a_sign_of_life(home: Home) -> None:
    trainer = home.trainer("os.kill(os.getpid(), signal.SIGSTOP)", silence=3)
    with pytest.raises(AppTimeout, match="no sign of life for 3 s"):
        await home.train(trainer, limit=60)


async def test_train__silent_but_alive__is_waited_for(home: Home) -> None:
    trained = await home.train(home.trainer("time.sleep(4)", silence=3))
    assert trained.train_s > 3.9


@pytest.mark.parametrize(
    "garbage", ["b'not json\\n'", "b'[1]\\n'", "b'{\"id\": 2}\\n'", "b'x' * (1 << 21)", "b'\\xff\\n'"]
)
async def test_train__app_writes_into_the_line__is_killed(home: Home, garbage: str) -> None:
    code = f"for fd in os.listdir('/proc/self/fd'):\n    try:\n        os.write(int(fd), {garbage})\n    except OSError:\n        pass\ntime.sleep(60)"
    trainer = home.trainer(code)
    await trainer.start()
    pid = pid_of(trainer)
    with pytest.raises(AppCrashed, match=r"no answer|longer than"):
        await home.train(trainer)
    assert ended(pid)


async def test_train__app_returns_garbage__is_an_error(home: Home) -> None:
    with pytest.raises(AppError, match="a message of"):
        await home.train(home.trainer("return {str(i): 'x' * 200 for i in range(5000)}"))


async def test_train__other_layout__names_the_tensor(home: Home) -> None:
    home.write(APP.replace("np.zeros((2, 3)", "np.zeros((2, 4)"))
    with pytest.raises(
        AppError, match=r"tensor 'weight': the app has shape \[2, 4\], the model file \[2, 3\]"
    ):
        await home.train(home.trainer())


async def test_train__tensor_of_another_type__names_the_tensor(home: Home) -> None:
    home.write(APP.replace("np.ones(3, np.float32)", "np.ones(3, np.complex64)"))
    with pytest.raises(
        AppError, match=r"tensor 'bias': is complex64, expected one of float32, .* or declare it local"
    ):
        await home.train(home.trainer())


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("def model(", "SyntaxError"),
        ("import nothing_like_this", "nothing_like_this"),
        (
            "def model(): pass",
            "expected the functions model, data, train, loss|app.py: expected the functions data",
        ),
        (APP.replace("open(path)", "open(path + '.none')"), "FileNotFoundError"),
    ],
)
async def test_start__app_does_not_load__says_why(home: Home, code: str, words: str) -> None:
    home.write(code)
    with pytest.raises(AppError, match=words):
        await home.trainer().start()


async def test_start__no_such_interpreter__says_so(home: Home) -> None:
    with pytest.raises(AppCrashed, match="cannot run the app's interpreter: No such file"):
        await home.trainer(python=home.folder / "python").start()


async def test_start__interpreter_that_is_no_program__says_so(home: Home) -> None:
    (home.folder / "data.csv").touch()
    for wrong in (home.folder / "data.csv", home.folder):
        with pytest.raises(AppCrashed, match=f"{wrong}: cannot run the app's interpreter: it is no program"):
            await home.trainer(python=wrong).start()


async def test_start__interpreter_without_numpy__quotes_it(home: Home) -> None:
    python = home.folder / "environment" / "bin" / "python"
    python.parent.mkdir(parents=True)
    real = Path(sys.base_exec_prefix, "bin", Path(sys.executable).name)
    (home.folder / "environment" / "pyvenv.cfg").write_text(f"home = {real.parent}\n")
    python.symlink_to(real)
    with pytest.raises(AppCrashed, match="No module named 'numpy'"):
        await home.trainer(python=python).start()


async def test_environment__secrets_of_the_daemon__do_not_reach_the_app(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COMMONWEIGHT_PASSWORD", "canary")
    trainer = home.trainer(
        "return {'n': len([v for v in os.environ.values() if 'canary' in v]), **os.environ}", threads=1
    )
    metrics = (await home.train(trainer)).metrics
    assert metrics["n"] == 0
    assert metrics["OMP_NUM_THREADS"] == "1"


async def test_imports__app_has_its_own_modules__they_win_over_ours(home: Home) -> None:
    (home.app / "trainer.py").write_text("NAME = 'the app'")
    (home.app / "tests.py").write_text("NAME = 'tests'")
    trained = await home.train(
        home.trainer("import trainer, tests\nreturn {'who': trainer.NAME + tests.NAME}")
    )
    assert trained.metrics == {"who": "the apptests"}


async def test_daemon__dies_by_sigkill__takes_the_app_with_it(home: Home) -> None:
    home.trainer("time.sleep(600)")
    code = (
        "import asyncio, sys\nfrom pathlib import Path\nfrom node.trainer import Trainer\n"
        "async def main():\n"
        f"    t = Trainer.of(Path({str(home.app)!r}), Path({str(home.data)!r}), Path({str(home.log)!r}))\n"
        "    await t.start()\n    print(t._process._process.pid, flush=True)\n"
        f"    await t.train(Path({str(home.base)!r}), Path({str(home.out)!r}), seed=1, round=1, limit=600)\n"
        "asyncio.run(main())\n"
    )
    root = Path(__file__).parents[2]
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, cwd=root) as daemon:  # noqa: ASYNC220
        assert daemon.stdout is not None
        child = int(await asyncio.to_thread(daemon.stdout.readline))
        assert not ended(child)
        daemon.send_signal(signal.SIGKILL)
    await until(lambda: ended(child))


async def test_call__cancelled__kills_the_process(home: Home) -> None:
    trainer, begun = home.trainer("yield 'begun'\ntime.sleep(600)"), asyncio.Event()
    task = asyncio.create_task(home.train(trainer, on_progress=lambda _: begun.set()))
    await begun.wait()
    pid = pid_of(trainer)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended(pid)


async def test_restart__crashes_again_and_again__waits_longer_each_time(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits = []
    real = asyncio.sleep

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        await real(0)

    monkeypatch.setattr("dao.app.process.asyncio.sleep", sleep)
    home.write("import os; os._exit(1)")
    trainer = home.trainer()
    for _ in range(4):
        with pytest.raises(AppCrashed):
            await trainer.start()
    assert waits == [0.5, 1.0, 2.0]


async def test_measure__model_file__gives_the_apps_own_metrics(home: Home) -> None:
    trainer = home.trainer()
    values = sum(float(t.sum()) for t in open_model_file(home.base).tensors.values())
    assert await trainer.measure(home.base, home.data) == {"sum": values, "data": 2.0}


async def test_stop__twice_or_never_started__does_nothing(home: Home) -> None:
    trainer = home.trainer()
    await trainer.stop()
    await trainer.start()
    pid = pid_of(trainer)
    await trainer.stop()
    await trainer.stop()
    assert ended(pid)


TORCH_APP = """
import torch

def model():
    torch.manual_seed(1)
    return torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.Flatten(), torch.nn.Linear(8, 2))

def data(path):
    return torch.ones(4, 1, 4, 4), torch.zeros(4, dtype=torch.int64)

def loss(model, batch):
    return torch.nn.functional.cross_entropy(model(batch[0]), batch[1])

def train(model, data, *, seed, round):
    optimizer = torch.optim.SGD(model.parameters(), 1e-4)
    for _ in range(3):
        optimizer.zero_grad()
        value = loss(model, data)
        value.backward()
        optimizer.step()
        yield {"loss": value}
"""


async def test_train__torch_app__trains_from_the_model_file(home: Home) -> None:
    home.write(TORCH_APP)
    trainer = home.trainer(threads=1)
    shapes = {"0.bias": [2], "0.weight": [2, 1, 3, 3], "2.bias": [2], "2.weight": [2, 8]}
    home.base.unlink()
    for name, tensor in create_model_file(home.base, head_of(shapes)).tensors.items():
        tensor[...] = 0.1 * len(name)
    losses = []
    await home.train(trainer, on_progress=lambda value: losses.append(value["loss"]))
    assert losses[0] > losses[1] > losses[2]
    first = home.out.read_bytes()
    assert first != home.base.read_bytes()
    await home.train(trainer)
    assert home.out.read_bytes() == first


async def test_create__app__writes_its_own_first_model(home: Home) -> None:
    await home.trainer().create(home.out)
    model = open_model_file(home.out)
    assert {name: list(tensor.shape) for name, tensor in model.tensors.items()} == SHAPES
    assert model.tensors["bias"].tolist() == [1, 1, 1]


def test_daemon_side__imports__no_torch() -> None:
    code = "import sys, node.trainer; sys.exit('torch' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=Path(__file__).parents[2], timeout=60, check=False
    )
    assert done.returncode == 0
