"""Every field of a manifest is bound: whatever a Superlink changes in it, the audit names the check that fails."""

import copy
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from dao.audit import exit_code
from dao.core.constants import MAX_INTEGER
from dao.core.formats.manifest import dump_manifest
from dao.core.types import Status, hex_of
from tests.audit.stage import Stage, failed

pytestmark = pytest.mark.asyncio(loop_scope="session")

FREE = re.compile(r"reason$")  # words for people
# the first pattern that a field matches names the check that must fail
CAUGHT = (
    (r"format|used_shards.*|nodes\[\d\]\.node", "manifest|shard draw|signatures"),
    (r"chain_id|coordinator|task|round|parent|opening|codec|seed|budget_wei|base_model|model", "round"),
    (r"values", "base model"),
    (r"gate_gradient", "gate gradient"),
    (r"gradient", "reference gradient"),
    (r"shard\.index", "shard draw"),
    (r"shard\..*", "shard"),
    (r"nodes\[\d\]\.(owner|stake)|absent.*|passes\[\d\]\.owner", "members"),
    (r"passes\[\d\]\.(node|signature)", "commits|signatures"),
    (r"nodes\[\d\]\.(commitment|forced)", "commits|forced commits"),
    (r"nodes\[\d\]\.signature", "signatures"),
    (r"nodes\[\d\]\.(cid|body_root|salt)", "commitments"),
    (r"nodes\[\d\]\.fault.*", "commitments|updates"),
    (r"nodes\[\d\]\.status", "commitments|updates|weights"),
    (r"nodes\[\d\]\.(unit_weight|weight|gate_dot|square|cosine|memory)", "weights|payouts"),
    (r"nodes\[\d\]\.(dot|step_dot|score)", "scores|payouts"),
    (r"weight_sum|gate_square|norm_median", "weights"),
    (r"gradient_along|step_square|along_median", "scores"),
    (r"step", "model"),
    (r"loss_.*", "losses"),
    (r"metric.*", "metric"),
    (r"roots.*|reward_total_wei|forced_hash", "result"),
    (r".*", "payouts"),
)


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Every field: its path, what holds it, its key there."""
    for key, item in value.items() if isinstance(value, dict) else enumerate(value):
        name = f"{path}[{key}]" if isinstance(value, list) else f"{path}.{key}".removeprefix(".")
        if isinstance(item, dict | list) and item:
            yield from leaves(item, name)
        else:
            yield name, value, key


def changed(path: str, value: Any, other_cid: str) -> Any:
    """Another value of the same form."""
    new: Any = other_cid
    match value:
        case _ if path.endswith("status"):
            new = "gated" if value == "ok" else "ok"
        case None if path.endswith("fault"):
            new = {"chunk": 0, "value": 0}
        case bool():
            new = not value
        case int():
            new = 2 * value + 1
        case None if not path.endswith("cid"):
            new = hex_of(bytes(32))
        case str() if value.removeprefix("-").isdigit():
            new = str(int(value) + 1)
        case str() if value.startswith("0x"):
            new = value[:-1] + ("0" if value[-1] != "0" else "1")
        case str() if not value.startswith("bafk"):
            new = {"int8": "float32"}.get(value, value + "x")
    return new


def other_than(manifest: dict[str, Any], value: Any) -> str:
    """The CID of a content that is there, and another one."""
    cids: list[str] = [manifest["shard"]["cid"], manifest["gate_gradient"]]
    return cids[int(value == cids[0])]


def fields(stage: Stage, *statuses: Status) -> list[str]:
    """Paths of all fields but those of further rows of the same kind: one node of each status, and the forced one."""
    nodes = stage.manifest.nodes
    rows = {next(index for index, node in enumerate(nodes) if node.status is status) for status in statuses}
    rows |= {index for index, node in enumerate(nodes) if node.forced}
    paths = []
    for path, *_ in leaves(stage.as_json()):
        row = re.match(r"nodes\[(\d)\]", path)
        other = re.match(r"(shard\.proof|accounts)\[(\d+)\]", path)
        if not FREE.search(path) and (not row or int(row[1]) in rows) and (not other or int(other[2]) < 1):
            paths.append(path)
    return paths


async def test_manifest__any_field_changed__is_caught(stage: Stage) -> None:
    honest = stage.as_json()
    paths = fields(stage, Status.OK, Status.WITHHELD, Status.INVALID)
    assert len(paths) > 100
    missed = []
    for wanted in paths:
        manifest = copy.deepcopy(honest)
        ((holder, key),) = ((holder, key) for path, holder, key in leaves(manifest) if path == wanted)
        holder[key] = changed(wanted, holder[key], other_than(honest, holder[key]))
        checks = await stage.audit(manifest)
        caught = next(names for pattern, names in CAUGHT if re.fullmatch(pattern, wanted))
        if not failed(checks) & {*caught.split("|")} or exit_code([*checks.values()]) != 1:
            missed.append((wanted, failed(checks)))
    assert missed == []


async def test_manifest__any_number_at_its_limits__is_caught_without_a_crash(stage: Stage) -> None:
    honest = stage.as_json()
    for wanted in fields(stage, Status.OK):
        manifest = copy.deepcopy(honest)
        ((holder, key),) = ((holder, key) for path, holder, key in leaves(manifest) if path == wanted)
        value = holder[key]
        limits: list[int | str] = []
        if isinstance(value, int) and not isinstance(value, bool):
            limits = [MAX_INTEGER, 0]
        elif isinstance(value, str) and value.removeprefix("-").isdigit():
            limits = [str(2**256 - 1)]
        for limit in limits:
            holder[key] = limit
            if limit != value:
                checks = await stage.audit(manifest)
                assert exit_code([*checks.values()]) == 1, f"{wanted} {limit}"


async def test_manifest__any_row_dropped__is_caught(stage: Stage) -> None:
    honest = stage.as_json()
    for name in ("nodes", "passes", "absent", "accounts", "used_shards"):
        for index in range(len(honest[name])):
            manifest = copy.deepcopy(honest)
            del manifest[name][index]
            checks = await stage.audit(manifest)
            assert exit_code([*checks.values()]) == 1, f"{name}[{index}]"
            wanted = {
                "nodes": {"commits", "forced commits"},
                "passes": {"commits"},
                "absent": {"members"},
            }.get(name)
            assert failed(checks) & (wanted or {"payouts", "shard draw"}), f"{name}[{index}]"


@pytest.mark.parametrize(
    "spoil",
    [
        lambda content: content[:-1],
        lambda content: content + b"\n",
        lambda content: content.replace(b'"chain_id":', b'"chain_id": '),
        lambda content: content.replace(b'"absent":', b'"absence":'),
        lambda content: b"{" * 100_000,
    ],
    ids=["cut off", "new line", "white space", "another key", "nested"],
)
async def test_manifest__not_canonical__is_caught(stage: Stage, spoil: Callable[[bytes], bytes]) -> None:
    checks = await stage.audit(spoil(dump_manifest(stage.manifest)))
    assert failed(checks) == {"manifest"}
    assert exit_code([*checks.values()]) == 1
