"""A flag means one thing, whichever command has it; options that come in groups reach the command as one record."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Annotated, Any

import typer
import typer.main
from typer.core import TyperOption
from typer.testing import CliRunner

from dao.chain.task_rules import TASK_RULES
from dao.cli import command_line
from dao.cli.option_groups import with_option_groups
from dao.core.types import Rules
from tests.cli.test_help import all_commands

# of init, whose file is copied from where it is named and from nowhere else, and of what is no daemon
WITHOUT_VARIABLE = {
    ("--deployment", "node init"),
    ("--deployment", "superlink init"),
    ("--home", "demo"),
    ("--home", "devnet up"),
    ("--home", "devnet down"),
    ("--home", "devnet fund"),
}


# `--json FILE` of a command that draws on the screen while it runs is the one exception: elsewhere `--json` prints
def all_options() -> Iterator[tuple[str, TyperOption]]:
    for words in all_commands():
        command: Any = typer.main.get_command(command_line(words))
        for word in words:
            command = command.commands[word]
        for parameter in command.params:
            if isinstance(parameter, TyperOption) and parameter.metavar != "FILE":
                yield " ".join(words), parameter


def test_options__of_one_name__have_one_meaning_type_and_variable() -> None:
    meanings, variables = defaultdict(set), defaultdict(set)
    for command, option in all_options():
        for name in option.opts:
            # the range of a number may differ: a demonstration has so many shards
            meanings[name].add((option.help, option.is_flag, option.multiple and name != "--data"))
            if (name, command) not in WITHOUT_VARIABLE:
                variables[name].add(option.envvar)
    assert not {name: found for name, found in (meanings | variables).items() if len(found) > 1}


def test_options__of_one_meaning__have_one_name() -> None:
    names = defaultdict(set)
    for _, option in all_options():
        names[option.help].add(option.opts[0])
    assert not {text: found for text, found in names.items() if len(found) > 1}


def test_options__of_a_daemons_start__leave_unset_what_its_file_may_say() -> None:
    for command, option in all_options():
        if command.endswith(" start") and option.name != "leave":  # of one run, and no setting
            assert option.default in (None, ()), (
                f"dao {command} {option.opts[0]}: the default belongs to the setting; "
                f"here it is None, else {option.default!r} overrides config.toml and variables"
            )


def test_rules__the_table__has_a_row_for_each_field_and_labels_of_its_own() -> None:
    assert sorted(rule.name for rule in TASK_RULES) == sorted(field.name for field in fields(Rules))
    assert len({rule.label for rule in TASK_RULES}) == len(TASK_RULES)


@dataclass(frozen=True)
class Inner:
    required: Annotated[int, typer.Option("--number", help="A number.")]
    optional: Annotated[list[str] | None, typer.Option("--text", help="Texts.")] = None


@dataclass(frozen=True, kw_only=True)
class Outer:
    first: Annotated[bool, typer.Option("--first", help="First.")] = False
    inner: Inner
    last: Annotated[str, typer.Option(help="Last.")] = "z"


def test_with_option_groups__nested_groups__options_in_order_and_records_for_the_command() -> None:
    calls: list[tuple[object, ...]] = []
    app = typer.Typer()

    @app.command()
    @with_option_groups
    def command(name: str, *, outer: Outer, more: int = 3) -> None:
        """Say what it does."""
        calls.append((name, outer, more))

    made = typer.main.get_command(app)
    assert [parameter.name for parameter in made.params][:6] == [
        *("name", "first", "required", "optional", "last", "more")
    ]
    assert made.help == "Say what it does."
    words = ["me", "--number", "2", "--text", "a", "--text", "b", "--first"]
    assert CliRunner().invoke(app, words).exit_code == 0
    assert calls == [("me", Outer(first=True, inner=Inner(2, ["a", "b"])), 3)]
    assert CliRunner().invoke(app, ["me"]).exit_code == 2
