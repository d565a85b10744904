from pathlib import Path

import pytest

from dao.core.types import TaskId
from dao.errors import ConfigError
from dao.runtime.config import FILE, HomeSettings, default_home
from node.settings import NodeSettings, PrivacySettings, TaskSettings, put_aside, write_task


class Settings(HomeSettings):
    threads: int = 2


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COMMONWEIGHT_HOME", raising=False)


def test_load__no_file__gives_the_defaults(tmp_path: Path) -> None:
    settings = Settings.load(tmp_path)
    assert (settings.threads, settings.chain.rpc) == (2, "ws://127.0.0.1:8545")
    assert settings.at(settings.chain.deployment) == tmp_path / "deployment.json"
    assert settings.password_file() is None


def test_load__file_variable_flag__the_later_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / FILE).write_text('threads = 3\n[chain]\nrpc = "http://a"\nconfirmations = 1\n')
    settings = Settings.load(tmp_path, threads=None)
    assert (settings.threads, settings.chain.rpc, settings.chain.confirmations) == (3, "http://a", 1)
    monkeypatch.setenv("COMMONWEIGHT_THREADS", "4")
    monkeypatch.setenv("COMMONWEIGHT_CHAIN__CONFIRMATIONS", "5")
    settings = Settings.load(tmp_path)
    assert (settings.threads, settings.chain.rpc, settings.chain.confirmations) == (4, "http://a", 5)
    assert Settings.load(tmp_path, threads=6).threads == 6


def test_load__absolute_path__is_kept(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text('[key]\nkeystore = "/keys/operator.json"\n')
    assert Settings.load(tmp_path).at(Settings.load(tmp_path).key.keystore) == Path("/keys/operator.json")


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("thread = 3", "thread: there is no such setting"),
        ("threads = 'many'", "threads: expected a whole number"),
        ("[chain]\nrpc = 'ftp://x'", r"chain\.rpc: "),
        ("[chain]\nport = 1", r"chain\.port: "),
        ("threads =", "expected TOML"),
    ],
)
def test_load__wrong_file__names_the_setting_in_one_line(tmp_path: Path, text: str, named: str) -> None:
    (tmp_path / FILE).write_text(text)
    with pytest.raises(ConfigError, match=named) as caught:
        Settings.load(tmp_path)
    assert "\n" not in str(caught.value)
    assert str(tmp_path) in str(caught.value)


def test_known_tasks__a_task_is_left_and_joined_again__its_settings_stay_to_claim_by(tmp_path: Path) -> None:
    settings, given = NodeSettings.load(tmp_path), TaskSettings(data=Path("mine.csv"), superlink="link:8600")
    write_task(settings, TaskId(3), given)
    put_aside(settings, TaskId(3))
    put_aside(settings, TaskId(3))
    assert (settings.tasks(), settings.known_tasks()) == ({}, {3: given})
    write_task(settings, TaskId(3), given)
    assert settings.tasks() == settings.known_tasks() == {3: given}
    assert [path.name for path in (tmp_path / "tasks").iterdir()] == ["3.toml"]


def test_write_task__with_privacy__is_read_back(tmp_path: Path) -> None:
    settings = NodeSettings.load(tmp_path)
    private = PrivacySettings(clip=0.5, noise=8, epsilon_budget=8)
    given = TaskSettings(
        data=Path("mine.csv"), superlink="link:8600", least_rows=20, check=False, privacy=private
    )
    write_task(settings, TaskId(3), given)
    assert settings.tasks() == {3: given}


@pytest.mark.parametrize(
    ("table", "named"),
    [
        ("clip = 1.0\nnoise = 2.0", "privacy.epsilon_budget: is missing"),
        ("clip = 0\nnoise = 2.0\nepsilon_budget = 8", "privacy.clip"),
        (
            "clip = 8.0\nnoise = 2.0\nepsilon_budget = 8",
            "to be at most 59, which updates can hold; lower one",
        ),
        ("clip = inf\nnoise = 2.0\nepsilon_budget = 8", "privacy.clip"),
        ("clip = 1.0\nnoise = 2.0\nepsilon_budget = 8\ndelta = 0.5", "privacy.delta"),
        (
            "clip = 1.0\nnoise = 2.0\nepsilon_budget = 8\nsecret = 1",
            "privacy.secret: there is no such setting",
        ),
    ],
)
def test_tasks__privacy_that_is_none__names_the_setting(tmp_path: Path, table: str, named: str) -> None:
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks" / "3.toml").write_text(f'data = "x"\nsuperlink = "link:1"\n[privacy]\n{table}\n')
    with pytest.raises(ConfigError) as caught:
        NodeSettings.load(tmp_path).tasks()
    assert named in str(caught.value)


def test_default_home__variable__wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert default_home("node") == Path.home() / ".commonweight" / "node"
    monkeypatch.setenv("COMMONWEIGHT_HOME", str(tmp_path))
    assert default_home("node") == tmp_path
