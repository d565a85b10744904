"""The constants of the protocol are those of docs/protocol.md, and of the contracts where they appear there."""

import math
import re
from pathlib import Path

import pytest

from dao.app import shard_batches
from dao.core import constants

ROOT = Path(__file__).parents[2]
PAGE = " ".join((ROOT / "docs" / "protocol.md").read_text().split())
STATED = {  # how the page states each; the group is its value
    "BLOCK": r"A \*block\* is (\d+) values",
    "CHUNK": r"a \*chunk\* (\d+) values",
    "BLOCKS": r"256 values = (\d+) blocks",
    "VALUE_POWER": r"Grid of values: 2\^-(\d+)",
    "GRADIENT_POWER": r"Grid of gradients: 2\^-(\d+)",
    "PRODUCT_POWER": r"`dot = <G, u>` \(integer, grid 2\^-(\d+)\)",
    "UPDATE_MAX_EXPONENT": r"least `e` in 0\.\.(\d+) for which `rint\(x / 2\^e\)` of all 64",
    "FLOAT32_POWER": r"an integer of magnitude `< 2\^(\d+)`",
    "TOPK_CHUNKS": r"a leaf has room for (\d+) chunks = 4,096 values",
    "TOPK_KEPT": r"Body: per leaf (\d+) entries",
    "TOPK_MAX_EXPONENT": r"`e` is the least in 0\.\.(\d+) for which",
    "GRADIENT_MAX_EXPONENT": r"least `e` in 0\.\.(\d+) for which `rint\(y / 2\^e\)`",
    "GRADIENT_LEAF": r"gradient \| (\d+): 256 int16, exponent byte",
    "BATCH": r"in batches of (\d+) in order",
    "GRADIENT_TOLERANCE": r"relative L2 distance at most (10\^-4)",
    "LOSS_TOLERANCE": r"auditors allow (10\^-3) of them",
    "METRIC_TOLERANCE": r"and allow one part in (\d+) of it",
    "WEIGHT_UNITS": r"`unit weight w0 = floor\(s \* (2\^20) / sum of s\)`",
    "MILLION": r"`cosine = floor\(dot0 \* (10\^6) / ",
    "PUBLIC_ROUNDS": r"shown in the (\d+) rounds before it",
    "GATE_DEVIATIONS": r"`memory > floor\((\d+) \* 10\^6 / isqrt\(values\)\)`",
    "ROWS_DEPTH": r"`clipped` or `gated` \| (\d+) \|",
    "TOTALS_STEP": r"a leaf for each (\d+) chunks, of what",
    "NO_ROW": r"2\^32 - 1 = ([\d,]+) of an owner",
    "SHARDS_DEPTH": r"shard content digest 32 \| (\d+) \|",
    "UPDATE_MAGIC": r"update \| `(\w{4})`",
    "GRADIENT_MAGIC": r"gradient \| `(\w{4})`",
    "MANIFEST_FORMAT": r'\{"format":"(manifest/\d)"',
    "MAX_MANIFEST": r"At most (32 MiB), a text in it",
    "MAX_TEXT": r"a text in it ([\d,]+) characters",
    "CARD_FORMAT": r'\{"format":"(card/\d)"',
    "MAX_CARD": r"A card has at most ([\d,]+) bytes",
    "MAX_NAME": r"`name` has 1 to (\d+) printable",
    "MAX_SETTINGS": r"`settings` has at most (\d+) names",
    "MAX_EVALUATORS": r"at most (\d+) addresses in rising order",
    "MAX_STOP_ROUNDS": r"the newest half, `rounds` from 1 to (\d+),",
    "MAX_HEADER": r"A header has at most (1 MiB)",
    "MAX_TENSORS": r"a model 1 to ([\d,]+) tensors",
    "MAX_RANK": r"tensors of at most (\d+) dimensions",
    "MAX_VALUES": r"none of them 0, and (2\^40) values",
    "MAX_JSON_VALUES": r"one object of at most (2\^20) values",
    "MAX_JSON_DEPTH": r"at most (\d+) objects and lists in one another",
    "COMMIT_KIND": r"kind `0x(00)` of a commit",
    "PASS_KIND": r"`0x(01)` of a pass",
    "CONTENT_LEAF": r"Up to 1 MiB \(([\d,]+) bytes\) content is one raw leaf",
    "CONTENT_LINKS": r"at most ([\d,]+) links a node",
    "DOMAIN_NAME": r'Domain `\{name: "(\w+)"',
    "DOMAIN_VERSION": r'version: "(\d)", chainId, verifyingContract: TrainingCoordinator',
    "MAX_AHEAD": r"(\d+) ahead at most",
    "FORCED_REVEAL_MARGIN": r"less one part in (\d+), rounded down",
    "ATTESTERS": r"is \*\*drawn\*\* where `n` is at most (\d+), or",
}
IN_WORDS = {
    "UPDATE_DIGITS",
    "GRADIENT_DIGITS",
    "TOPK_DIGITS",
    "GAUSS_LEGENDRE",
    "MAX_INTEGER",
}  # as tested below
SOLIDITY = {  # constant of a contract and its value here
    ("Rounds", "MAX_WEIGHT_SUM"): constants.WEIGHT_UNITS,
    ("RuleBook", "MAX_COMMITS"): 1 << constants.ROWS_DEPTH,
    ("RuleBook", "SHARDS_DEPTH"): constants.SHARDS_DEPTH,
    ("ForcedReveals", "MARGIN"): constants.FORCED_REVEAL_MARGIN,
    ("Attesters", "DRAWN"): constants.ATTESTERS,
}


def read_value(text: str) -> object:
    """A number as a page or a contract writes it: 1,024, 2^20, 10^-3, 32 MiB, 1 << 16; else the text."""
    if match := re.fullmatch(r"(\d+)\^(-?\d+)", text):
        return float(match[1]) ** int(match[2])
    if match := re.fullmatch(r"(\d+) << (\d+)", text):
        return int(match[1]) << int(match[2])
    if match := re.fullmatch(r"(\d+) MiB", text):
        return int(match[1]) << 20
    return int(text.replace(",", "")) if re.fullmatch(r"[\d,]+", text) else text


def as_written(value: object) -> object:
    return value.decode() if isinstance(value, bytes) else value


@pytest.mark.parametrize("name", STATED)
def test_constant__in_the_protocol__is_what_the_page_states(name: str) -> None:
    values = {read_value(value) for value in re.findall(STATED[name], PAGE)}
    value = as_written(getattr(constants, name))
    assert values == {value if name != "DOMAIN_VERSION" else 1}


def test_constants__all__are_compared_with_the_page() -> None:
    assert {name for name in vars(constants) if name.isupper()} == STATED.keys() | IN_WORDS


def test_constants__stated_in_words__are_those_of_the_page() -> None:
    for digits in (constants.UPDATE_DIGITS, constants.GRADIENT_DIGITS, constants.TOPK_DIGITS):
        assert f"lies in -{2**digits - 1}..{2**digits - 1}" in PAGE
    assert "integers within 2^53 - 1" in PAGE
    assert constants.MAX_INTEGER == 2**53 - 1
    low, high = constants.GAUSS_LEGENDRE
    assert f"`a = {low}`, `b = {high}`" in PAGE
    assert math.isclose(low, (1 - 3**-0.5) / 2, abs_tol=1e-16)
    assert math.isclose(high, (1 + 3**-0.5) / 2, abs_tol=1e-16)


@pytest.mark.parametrize(("contract", "name"), SOLIDITY)
def test_constant__in_a_contract__is_the_same(contract: str, name: str) -> None:
    (path,) = (ROOT / "contracts").rglob(f"{contract}.sol")
    source = path.read_text()
    (value,) = re.findall(rf"constant {name} = ([^;]+);", source)
    assert read_value(value) == SOLIDITY[contract, name]


def test_domain__in_the_coordinator__has_the_same_name_and_version() -> None:
    source = (ROOT / "contracts/coordinator/ForcedCommits.sol").read_text()
    assert f'EIP712("{constants.DOMAIN_NAME}", "{constants.DOMAIN_VERSION}")' in source


def test_batch__of_the_worker_that_imports_no_core__is_the_same() -> None:
    assert shard_batches.BATCH == constants.BATCH
