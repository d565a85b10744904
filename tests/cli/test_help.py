"""Every command explains itself with an example, and no command loads what it does not use."""

import importlib
import subprocess
import sys

import pytest
import typer.core
import typer.main

from dao.cli import COMMANDS, command_line
from tests.cli.command import Dao


def all_commands() -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = []
    for name in COMMANDS:
        module = importlib.import_module(f"dao.cli.{name}")
        inner = [] if hasattr(module, "command") else module.app.registered_commands
        found += [(name, c.name or c.callback.__name__) for c in inner] or [(name,)]
    return found


def command_of(words: tuple[str, ...]) -> typer.core.TyperCommand:
    command = typer.main.get_command(command_line(words))
    for word in words:
        assert isinstance(command, typer.core.TyperGroup)
        command = command.commands[word]
    assert isinstance(command, typer.core.TyperCommand)
    return command


@pytest.mark.parametrize("words", all_commands(), ids=" ".join)
def test_help__every_command__has_a_purpose_and_explains_every_option(words: tuple[str, ...]) -> None:
    command = command_of(words)
    assert command.help
    for parameter in command.params:
        if isinstance(parameter, typer.core.TyperOption):
            assert parameter.help, (words, parameter.name)


@pytest.mark.parametrize("words", all_commands(), ids=" ".join)
def test_help__every_command__shows_an_example(words: tuple[str, ...]) -> None:
    command = command_of(words)
    assert f"Example: dao {' '.join(words)}" in " ".join((command.help or "").split())


def test_help__of_all__names_every_command_and_loads_neither_web3_nor_torch(dao: Dao) -> None:
    text = dao.spawn("--help").stdout
    assert all(name in text for name in COMMANDS)
    program = (
        "import sys\nfrom dao.cli import command_line\ncommand_line([])\n"
        "print([m for m in ('web3', 'torch', 'grpc', 'eth_account') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], env=dao.environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("module", ["typer", "dao.chain.client"])
def test_main__interrupted_while_it_loads__ends_without_words(dao: Dao, module: str) -> None:
    program = (
        "import os, signal, sys\nfrom importlib.abc import MetaPathFinder\nfrom dao.cli import main\n"
        "class Interrupt(MetaPathFinder):\n"
        "    def find_spec(self, name, path, target=None):\n"
        f"        if name == {module!r}: os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, Interrupt())\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "sys.argv = ['dao', 'task', 'ls']\nmain()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], env=dao.environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")
