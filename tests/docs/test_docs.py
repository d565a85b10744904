"""The documentation keeps up: every page, command and setting is in it, every command in it parses, every link leads somewhere."""

import importlib
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer.core
import typer.main
from pydantic import BaseModel

from aggregator.settings import SuperlinkSettings
from dao.api.settings import ApiSettings
from dao.app.data_schema import read_schema
from dao.cli import COMMANDS, command_line
from dao.cli.options import OWNER_PASSWORD
from dao.runtime.config import HOME_VARIABLE, PASSWORD_VARIABLE, HomeSettings
from dao.runtime.locks import RUNTIME_VARIABLE
from node.settings import NodeSettings, TaskSettings

ROOT = Path(__file__).parents[2]
PAGES = {path.name: path.read_text() for path in (ROOT / "docs").glob("*.md")}
ALL = {
    str(path.relative_to(ROOT)): path.read_text()
    for path in [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]
}
SHELL = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
CALL = re.compile(r"(?:^|[(;&|])\s*(dao [^\n|&;()<>]*)", re.MULTILINE)
SPAN = re.compile(r"`([^`\n]+)`")


def calls() -> list[tuple[str, str]]:
    """Each call of `dao` in a shell block, with its page."""
    found = []
    for page, text in ALL.items():
        for block in SHELL.findall(text):
            whole = re.sub(r"\$\([^()]*\)", lambda inner: inner[0] if "dao" in inner[0] else "1", block)
            plain = re.sub(r" 2?>\S+", "", whole.replace("\\\n", " "))
            found += [(page, call.strip()) for call in CALL.findall(plain)]
    return found


def commands() -> Iterator[tuple[str, str]]:
    """Each command as group and name; the name is "" where the group is the command."""
    for group in COMMANDS:
        module = importlib.import_module(f"dao.cli.{group}")
        inner = [] if hasattr(module, "command") else module.app.registered_commands
        yield from [(group, c.name or c.callback.__name__) for c in inner] or [(group, "")]


def settings_of(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """The settings of a model, those in tables as `table.name`."""
    for name, field in model.model_fields.items():
        inner = [
            kind
            for kind in (field.annotation, *getattr(field.annotation, "__args__", ()))
            if isinstance(kind, type)
        ]
        tables = [kind for kind in inner if issubclass(kind, BaseModel)]
        if tables:
            yield from settings_of(tables[0], f"{name}.")
        elif name != "home":
            yield prefix + name


def slugs(text: str) -> set[str]:
    """What the headings of a page are called in links to them."""
    plain = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    titles = re.findall(r"^#+ (.+)$", plain, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize(("page", "call"), calls())
def test_docs__each_command_shown__parses(page: str, call: str) -> None:
    words = shlex.split(call)[1:]
    command = typer.main.get_command(command_line(words))
    context = command.make_context("dao", list(words))
    while isinstance(command, typer.core.TyperGroup):
        name, inner, rest = command.resolve_command(context, [*context._protected_args, *context.args])
        assert inner is not None, (page, call)
        command = inner
        context = command.make_context(name, rest, parent=context)


def test_docs__each_command__is_in_the_table() -> None:
    rows = {}
    for line in PAGES["operations.md"].partition("## Commands")[2].partition("\n## ")[0].splitlines():
        spans = SPAN.findall(line.split("|")[1]) if line.startswith("| `dao ") else []
        for first in spans[:1]:
            rows[first.split()[1]] = {*first.split()[2:], *spans[1:]} or {""}
    assert {(group, name) for group, names in rows.items() for name in names} == set(commands())


def test_docs__each_command_named_in_a_sentence__is_one() -> None:
    known = {" ".join(filter(None, words)) for words in commands()} | set(COMMANDS)
    for page, text in ALL.items():
        for span in SPAN.findall(text):
            words = [word for word in span.split()[1:3] if re.fullmatch("[a-z]+", word)]
            if span.startswith("dao ") and words:
                assert " ".join(words) in known or words[0] in known, (page, span)


@pytest.mark.parametrize(
    ("page", "model"),
    [
        ("operations.md", HomeSettings),
        ("operations.md", NodeSettings),
        ("operations.md", TaskSettings),
        ("superlink.md", SuperlinkSettings),
        ("api.md", ApiSettings),
    ],
)
def test_docs__each_setting__is_explained(page: str, model: type[BaseModel]) -> None:
    shared = set() if page == "operations.md" else set(settings_of(HomeSettings))
    spans = {span for line in PAGES[page].splitlines() if line.startswith("|") for span in SPAN.findall(line)}
    missing = set(settings_of(model)) - shared - spans
    assert not missing, f"docs/{page}: no row in the tables of settings for {', '.join(sorted(missing))}"


def test_docs__each_variable__is_explained() -> None:
    for name in (HOME_VARIABLE, PASSWORD_VARIABLE, RUNTIME_VARIABLE, OWNER_PASSWORD):
        assert f"`{name}`" in PAGES["operations.md"]


def test_docs__links__lead_somewhere() -> None:
    for page, text in ALL.items():
        for target in re.findall(r"\]\(([^)\s]+)\)", text):
            if "://" in target:
                continue
            name, _, anchor = target.partition("#")
            path = (ROOT / page).parent / name if name else ROOT / page
            assert path.exists(), (page, target)
            assert not anchor or anchor in slugs(path.read_text()), (page, target)


def test_docs__each_page__is_in_the_readme() -> None:
    assert not [name for name in PAGES if f"](docs/{name})" not in ALL["README.md"]]


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "SECURITY.md", "docs/development.md"])
def test_docs__files_that_developers_are_sent_to__are_there(page: str) -> None:
    for span in SPAN.findall(ALL[page]):
        if re.fullmatch(r"[\w.*-]+(/[\w.*-]+)+|\w+\.(py|sol|md|toml)", span):
            assert list(ROOT.glob(span)), (page, span)


def test_docs__names_in_the_recipes__are_in_the_files_before_them() -> None:
    recipes = PAGES["development.md"].partition("## Recipes")[2]
    found = re.findall(r"`([\w/]+\.(?:py|sol))`(?::[^;.`]*| )`(\w+)`", recipes)
    assert len(found) > 5
    for path, name in found:
        assert re.search(rf"\b{name}\b", (ROOT / path).read_text()), (
            f"docs/development.md: {path} has no {name}"
        )


def test_docs__methods_of_a_rounds_way__are_in_the_files_before_them() -> None:
    way = PAGES["development.md"].partition("## A round's way")[2].partition("\n## ")[0]
    for cell in re.split(r"[|\n]", way):
        file = None
        for span in SPAN.findall(cell):
            if span.endswith((".py", ".sol")):
                file = ROOT / span
            elif re.fullmatch(r"_?[a-z][a-z_]+", span) and file:
                assert f"def {span}(" in file.read_text(), (span, file)


def test_docs__the_schema_shown__is_one() -> None:
    (text,) = re.findall(
        r"```json\n(\{\n  \"format\": \"schema/1\".*?)```", PAGES["data-scientist.md"], re.DOTALL
    )
    assert read_schema({"schema.json": text}) is not None
