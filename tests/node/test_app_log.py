"""What an app says and how it ends reach whoever looks after it, within bounds."""

import pytest

from dao.app import process
from dao.errors import AppCrashed, AppError
from tests.node.test_trainer import APP, Home, home, until

__all__ = ["home"]

COUNTING = """

class Counting:
    def state_dict(self):
        return {"norm.num_batches_tracked": np.zeros((), np.int64)}
"""


async def test_train__app_raises_in_a_library__says_which_line_of_the_app_led_to_it(home: Home) -> None:
    trainer = home.trainer("import json\njson.loads('{')", keeps_log=False)
    with pytest.raises(AppError, match=r"JSONDecodeError: .* \(app.py line \d+\)$"):
        await home.train(trainer)


async def test_train__app_is_killed__says_by_which_signal(home: Home) -> None:
    trainer = home.trainer("os.kill(os.getpid(), 9)", keeps_log=False)
    with pytest.raises(AppCrashed, match=r"process ended by signal 9; it said nothing$"):
        await home.train(trainer)


async def test_train__app_that_never_stops_talking__its_log_is_bounded_and_its_last_words_quoted(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "LARGEST_LOG", 1 << 16)
    words = "for _ in range(40):\n    print('x' * 10_000, flush=True)\n    yield {}\n"
    words += "while os.fstat(1).st_size > 1 << 16:\n    yield {}\n    time.sleep(0.01)\n"
    words += "print('the last words')\nos._exit(3)"
    with pytest.raises(AppCrashed, match=r"status 3; its last words: .*the last words \("):
        await home.train(home.trainer(words))
    kept = home.log.with_name("app.log.1")
    assert 1 << 12 <= kept.stat().st_size < 400_000 > home.log.stat().st_size


async def test_train__app_prints_much__goes_to_the_log_only(home: Home) -> None:
    trained = await home.train(home.trainer("print('x' * 1_000_000)\nsys.stderr.write('y' * 1_000_000)"))
    assert trained.metrics == {}
    assert home.log.stat().st_size >= 2_000_000


async def test_process__talks_between_calls__its_log_is_bounded(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "LARGEST_LOG", 1 << 16)
    monkeypatch.setattr(process, "_BOUND_SECONDS", 0.05)
    talk = "import threading\nthreading.Thread(target=lambda: print('y' * 200_000, flush=True)).start()"
    await home.train(home.trainer(talk))
    await until(home.log.with_name("app.log.1").exists)


async def test_shapes__nothing_but_counts__refused(home: Home) -> None:
    home.write(APP.replace("def model():", "def model():\n    return Counting()\n\ndef other():") + COUNTING)
    with pytest.raises(AppError, match="none of its tensors is trained and travels"):
        await home.trainer().create(home.out)
