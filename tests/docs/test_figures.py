"""Figures in the pages that the code knows: limits, defaults, codecs, versions."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from aggregator.settings import SuperlinkSettings
from dao.api.settings import ApiSettings
from dao.app import bundle, process
from dao.chain.deploy import Params
from dao.chain.sender import MAX_FEE
from dao.core import constants
from dao.core.formats.update import get_leaf_size
from dao.core.types import Codec
from dao.runtime.config import HomeSettings
from dao.store.source import MAX_CONTENT
from dao.wire.call_limits import CallLimits
from node.settings import NodeSettings, TaskSettings
from tests.docs.test_docs import PAGES, ROOT

CALLS = CallLimits()
GIB, MIB, GWEI, DAY = 1 << 30, 1 << 20, 10**9, 86_400
BINARY = {"MiB": MIB, "GiB": GIB}
UNSET = ("", "none", "as they choose", "its own", "until the task is over", "the usual ones")

# rows of operations.md's limits: what they are of, and words that they must have
LIMITS = {
    "a model": f"{constants.MAX_TENSORS:,} tensors",
    "one content, models included": f"{MAX_CONTENT // GIB} GiB",
    "an app": f"{bundle.MAX_BYTES // MIB} MiB of text",
    "a manifest": f"{constants.MAX_MANIFEST // MIB} MiB",
    "calls to a Superlink": (
        f"{CALLS.node_rate:.0f} a second for each node, {CALLS.host_rate:,.0f} from each host; "
        f"{CALLS.calls} at work at once"
    ),
    "streams": (
        f"{CALLS.reveals} reveals and {CALLS.fetches} fetches at once, "
        f"{CALLS.node_reveals} and {CALLS.node_fetches} for each node, "
        f"{CALLS.public_fetches} fetches of strangers"
    ),
    "a silent stream": f"ends after {CALLS.silence_seconds:.0f} s",
    "an app that gives no sign of life": f"is killed after {process.SILENCE:.0f} s",
    "a transaction": f"at most {MAX_FEE // GWEI} gwei per gas",
}


def rows_of(text: str) -> Iterator[list[str]]:
    """The cells of each row of the tables in a text."""
    for line in text.splitlines():
        if line.startswith("| "):
            yield [cell.strip() for cell in line.strip("|").split("|")]


def defaults_of(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The settings of a model with their defaults, those in tables as `table.name`; None where there is none."""
    for name, field in model.model_fields.items():
        default = None if field.is_required() else field.get_default(call_default_factory=True)
        if isinstance(default, BaseModel):
            yield from defaults_of(type(default), f"{name}.")
        else:
            yield prefix + name, default


def stated_in(cell: str, default: object) -> bool:
    """Whether a cell of a table states a default."""
    text = cell.strip("`")
    if default is None or default == ():
        return text in UNSET
    if number := re.fullmatch(r"([\d,]+) ([MG]iB)", text):
        return int(number[1]) * BINARY[number[2]] == default
    return text.lower() == (f"{default:g}" if isinstance(default, float) else str(default)).lower()


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
def test_settings__defaults_in_the_tables__are_those_of_the_code(page: str, model: type[BaseModel]) -> None:
    defaults, checked = dict(defaults_of(model)), set()
    shared = set() if page == "operations.md" else set(dict(defaults_of(HomeSettings)))
    for cells in rows_of(PAGES[page]):
        names = re.findall(r"`([^`]+)`", cells[0])
        if len(cells) == 3 and set(names) <= defaults.keys() - shared:
            checked |= set(names)
            for name in names:
                assert stated_in(cells[2], defaults[name]), (name, cells[2], defaults[name])
    assert len(checked) > 3


@pytest.mark.parametrize("what", LIMITS)
def test_limits__of_the_table__are_those_of_the_code(what: str) -> None:
    (row,) = [cells[1] for cells in rows_of(PAGES["operations.md"]) if cells[0] == what]
    assert LIMITS[what] in row


def test_codecs__their_numbers_and_sizes__as_pages_and_contracts_have_them() -> None:
    last = re.search(r"LAST_CODEC = (\d+);", (ROOT / "contracts/coordinator/RuleBook.sol").read_text())
    assert last
    assert int(last[1]) == len(Codec) - 1, (
        "contracts/coordinator/RuleBook.sol: LAST_CODEC is not the last codec's number"
    )
    numbers = ", ".join(f"{codec.number} {codec}" for codec in Codec)
    assert f"uint8 codec; // {numbers}\n" in (ROOT / "contracts/interfaces/ITasks.sol").read_text(), numbers
    (sizes,) = [cells[1] for cells in rows_of(PAGES["protocol.md"]) if cells[0] == "update body"]
    for codec in Codec:
        assert f"\n- **{codec}**" in PAGES["protocol.md"], f"docs/protocol.md: Update codecs lack {codec}"
        leaf = f"{get_leaf_size(codec):,} (`{codec}`)"
        assert leaf in sizes, f"docs/protocol.md: the leaves of an update's tree lack {leaf}"


def test_unbonding__its_default__as_the_pages_have_it() -> None:
    assert Params().unbonding_period == 7 * DAY
    for page in ("supernode.md", "superlink.md"):
        assert "by default seven days" in " ".join(PAGES[page].split()), page


def test_versions__python_and_kubo__as_they_are_set_up() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    python = project["requires-python"].removeprefix(">=")
    kubo = re.search(r"^KUBO=(\d+\.\d+)", (ROOT / "script/setup").read_text(), re.MULTILINE)
    assert kubo
    assert f"Python {python}" in (ROOT / "README.md").read_text()
    assert f"Python {python}" in PAGES["supernode.md"]
    assert f"Kubo {kubo[1]}" in PAGES["operations.md"]


def test_space__that_packages_take__as_setup_warns_of() -> None:
    space = re.search(r"tell_space (\d+) ", (ROOT / "script/setup").read_text())
    assert space
    assert f"up to {space[1]} GB" in Path(ROOT / "README.md").read_text()
