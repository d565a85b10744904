"""Manifests: written and read back, and read strictly, with the field named."""

import json
from collections.abc import Callable
from dataclasses import is_dataclass, replace
from enum import StrEnum
from types import NoneType
from typing import Any, get_args, get_origin, get_type_hints

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dao.core.constants import MAX_INTEGER, MAX_MANIFEST, MAX_TEXT
from dao.core.formats.canonical import write_canonical
from dao.core.formats.cid import Cid, ContentCodec
from dao.core.formats.json_form import Count, Decimal, SignedDecimal, get_form
from dao.core.formats.manifest import Manifest, dump_manifest, parse_manifest
from dao.core.types import Address, Digest, MicroScore, RoundId, Signature, TaskId, Wei
from dao.errors import DecodeError, TooLarge

CID = "bafkreid7qoywk77r7rj3slobqfekdvs57qwuwh5d2z3sqsw52iabe3mqne"
numbers = st.integers(-MAX_INTEGER, MAX_INTEGER)
counts = st.integers(0, MAX_INTEGER)
LEAVES: dict[Any, st.SearchStrategy[Any]] = {
    int: numbers,
    MicroScore: numbers,
    Count: counts,
    TaskId: counts,
    RoundId: counts,
    Decimal: st.integers(0, 2**256 - 1),
    SignedDecimal: st.integers(-(2**255), 2**255 - 1),
    Wei: st.integers(0, 2**256 - 1),
    bool: st.booleans(),
    str: st.text(st.characters(exclude_categories=["Cs"]), max_size=30),
    Cid: st.builds(Cid, st.sampled_from(ContentCodec), st.binary(min_size=32, max_size=32)),
    Digest: st.binary(min_size=32, max_size=32),
    Address: st.binary(min_size=20, max_size=20),
    Signature: st.binary(min_size=65, max_size=65),
}


def any_of(kind: Any) -> st.SearchStrategy[Any]:
    """Any value of a field's type."""
    if kind in LEAVES:
        return LEAVES[kind]
    if get_origin(kind) is tuple:
        return st.lists(any_of(get_args(kind)[0]), max_size=3).map(tuple)
    if isinstance(kind, type) and is_dataclass(kind):
        hints = get_type_hints(kind, include_extras=True)
        return st.builds(kind, **{name: any_of(hint) for name, hint in hints.items()})
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return st.sampled_from(list(kind))
    return st.one_of(*(st.none() if arg is NoneType else any_of(arg) for arg in get_args(kind)))


def rising(items: tuple[Any, ...], key: Callable[[Any], Any]) -> tuple[Any, ...]:
    return tuple(sorted({key(item): item for item in items}.values(), key=key))


def in_order(manifest: Manifest) -> Manifest:
    return replace(
        manifest,
        used_shards=rising(manifest.used_shards, lambda index: index),
        nodes=rising(manifest.nodes, lambda node: node.node),
        passes=rising(manifest.passes, lambda node: node.node),
        absent=rising(manifest.absent, lambda node: node.node),
        accounts=tuple({account.owner: account for account in manifest.accounts}.values()),
    )


manifests = any_of(Manifest).map(in_order)


@given(manifests)
@settings(max_examples=50)
def test_manifest__any__reads_back_and_is_canonical(manifest: Manifest) -> None:
    data = dump_manifest(manifest)
    assert parse_manifest(data) == manifest
    assert write_canonical(json.loads(data)) == data


def example() -> dict[str, Any]:
    """A manifest as docs/protocol.md writes it."""
    address, other, digest = "0x" + "01" * 20, "0x" + "02" * 20, "0x" + "0a" * 32
    cid = CID
    node = {
        "node": address,
        "owner": other,
        "stake": "1000000000000000000000",
        "commitment": digest,
        "signature": "0x" + "1b" * 65,
        "forced": False,
        "cid": cid,
        "body_root": digest,
        "salt": digest,
        "status": "clipped",
        "counted_stake": "1000000000000000000000",
        "unit_weight": 524288,
        "weight": 262144,
        "gate_dot": "-12345678901234567890",
        "square": "12345678901234567890",
        "cosine": 31000,
        "memory": -4000,
        "dot": "-1",
        "step_dot": "0",
        "gate_totals": digest,
        "score_totals": digest,
        "fault": {"chunk": 3, "value": 255},
        "score": -312,
        "debt": "312",
        "share": 0,
        "reward_wei": "0",
        "reason": "score of -0.000312 is a debt – later scores pay it off first",
    }
    return {
        "format": "manifest/2",
        "chain_id": 31337,
        "coordinator": address,
        "task": 1,
        "round": 2,
        "parent": 1,
        "opening": digest,
        "codec": "int8",
        "values": 512,
        "seed": digest,
        "base_model": cid,
        "model": cid,
        "step": cid,
        "gate_gradient": None,
        "gradient": cid,
        "shard": {"index": 3, "cid": cid, "proof": [digest] * 16},
        "used_shards": [1, 3],
        "nodes": [node, {**node, "node": other, "cid": None, "body_root": None, "salt": None}],
        "passes": [
            {"node": "0x" + "04" * 20, "owner": other, "signature": "0x" + "1b" * 65, "reason": "no time"}
        ],
        "absent": [{"node": "0x" + "03" * 20, "owner": other, "reason": "no commit"}],
        "weight_sum": 524288,
        "gate_square": "9",
        "norm_median": "3",
        "gradient_along": "-7",
        "step_square": "5",
        "along_median": "0",
        "loss_before": 2301000,
        "loss_after": 2300000,
        "metric": {"name": "accuracy", "value": 912500},
        "budget_wei": "10",
        "refunded_wei": "10",
        "accounts": [{"owner": other, "cumulative_wei": "7", "debt": "312", "memory": -4000}],
        "roots": dict.fromkeys(
            [
                *("commits", "rows", "inputs", "aggregate", "model", "new_step", "gate", "gradient"),
                *("step", "gate_totals", "step_totals", "accounts"),
            ],
            digest,
        ),
        "reward_total_wei": "7",
        "forced_hash": digest,
    }


def test_manifest__as_the_protocol_writes_it__reads_and_writes_the_same_bytes() -> None:
    data = write_canonical(example())
    assert dump_manifest(parse_manifest(data)) == data


def keys_of(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """The path of every key of every object."""
    if isinstance(value, dict):
        return [p for k, v in value.items() for p in [(*path, k), *keys_of(v, (*path, k))]]
    if isinstance(value, list):
        return keys_of(value[0], (*path, 0)) if value else []
    return []


def changed(path: tuple[str | int, ...], change: Callable[[Any, Any], None]) -> dict[str, Any]:
    obj = example()
    inner: Any = obj
    for key in path[:-1]:
        inner = inner[key]
    change(inner, path[-1])
    return obj


def name_of(path: tuple[str | int, ...]) -> str:
    return "manifest" + "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in path)


PATHS = [path for path in keys_of(example()) if path != ("format",)]


def refusal(data: bytes) -> str:
    with pytest.raises(DecodeError) as error:
        parse_manifest(data)
    return str(error.value)


@pytest.mark.parametrize("path", PATHS, ids=name_of)
def test_parse_manifest__a_key_missing__refused_by_name(path: tuple[str | int, ...]) -> None:
    def drop(inner: Any, key: Any) -> None:
        del inner[key]

    assert (
        refusal(write_canonical(changed(path, drop))) == f"{name_of(path)}: expected this key, it is missing"
    )


@pytest.mark.parametrize("path", PATHS, ids=name_of)
def test_parse_manifest__an_unknown_key__refused_by_name(path: tuple[str | int, ...]) -> None:
    def add(inner: Any, key: Any) -> None:
        inner["zz_" + key] = 1

    unknown = (*path[:-1], f"zz_{path[-1]}")
    assert refusal(write_canonical(changed(path, add))) == f"{name_of(unknown)}: expected no such key"


@pytest.mark.parametrize("path", PATHS, ids=name_of)
def test_parse_manifest__float_nan_huge_or_nested__refused_by_name(path: tuple[str | int, ...]) -> None:
    def put(inner: Any, key: Any) -> None:
        inner[key] = "WRONG"

    data = write_canonical(changed(path, put))
    for wrong in ["1.5", "NaN", "Infinity", "1e3", "9" * 40, "9" * 5000, "[[[[[[]]]]]]"]:
        assert refusal(data.replace(b'"WRONG"', wrong.encode())).startswith(f"{name_of(path)}")


@pytest.mark.parametrize("path", PATHS, ids=name_of)
def test_parse_manifest__a_key_twice__refused_by_name(path: tuple[str | int, ...]) -> None:
    def twice(inner: Any, key: Any) -> None:
        inner["TWICE"] = inner[key]

    data = write_canonical(changed(path, twice)).replace(b"TWICE", str(path[-1]).encode())
    assert f"key '{path[-1]}': expected once, got it twice" in refusal(data)


WRONG: list[tuple[tuple[str | int, ...], object]] = [
    (("chain_id",), -1),
    (("chain_id",), True),
    (("chain_id",), "1"),
    (("task",), None),
    (("codec",), "int4"),
    (("nodes", 0, "status"), "OK"),
    (("nodes", 0, "forced"), 0),
    (("nodes", 0, "forced"), None),
    (("nodes", 0, "node"), "0x" + "AB" * 20),
    (("nodes", 0, "node"), "0x" + "ab" * 21),
    (("nodes", 0, "node"), 5),
    (("nodes", 0, "body_root"), "0a" * 32),
    (("nodes", 0, "signature"), "0x" + "ab" * 64),
    (("nodes", 0, "stake"), "01"),
    (("nodes", 0, "stake"), "-1"),
    (("nodes", 0, "stake"), "1.0"),
    (("nodes", 0, "stake"), "٣"),  # a digit, but not one of ours
    (("nodes", 0, "stake"), 1),
    (("nodes", 0, "norm"), str(2**256)),
    (("nodes", 0, "norm"), "1" * 500),
    (("nodes", 0, "score"), "1"),
    (("nodes", 0, "reason"), "x" * (MAX_TEXT + 1)),
    (("nodes", 0, "reason"), None),
    (("nodes", 0, "cid"), ""),
    (("nodes", 0, "cid"), "Qm" + "a" * 44),
    (("nodes", 0, "cid"), "b" + "a" * 59),
    (("nodes", 0, "cid"), "b" + "a" * 58),  # base32, but no CIDv1
    (("nodes", 0, "cid"), CID.upper()),
    (("nodes", 0), []),
    (("nodes",), {}),
    (("nodes",), None),
    (("shard", "proof"), "0x"),
    (("used_shards", 0), -1),
    (("roots",), []),
]


@pytest.mark.parametrize(("path", "value"), WRONG)
def test_parse_manifest__wrong_value__refused_by_name(path: tuple[str | int, ...], value: object) -> None:
    def put(inner: Any, key: Any) -> None:
        inner[key] = value

    assert refusal(write_canonical(changed(path, put))).startswith(f"{name_of(path)}: expected ")


@pytest.mark.parametrize(
    ("field", "rows"),
    [
        ("used_shards", [3, 1]),
        ("used_shards", [3, 3]),
        ("nodes", [example()["nodes"][1], example()["nodes"][0]]),
        ("nodes", [example()["nodes"][0]] * 2),
        ("passes", example()["passes"] * 2),
        ("absent", example()["absent"] * 2),
    ],
)
def test_parse_manifest__rows_out_of_order_or_twice__refused_by_name(field: str, rows: list[object]) -> None:
    data = write_canonical({**example(), field: rows})
    assert refusal(data) == f"manifest.{field}[1]: expected rising order, none twice"


def test_parse_manifest__account_twice__refused() -> None:
    data = write_canonical({**example(), "accounts": example()["accounts"] * 2})
    assert refusal(data) == "manifest.accounts: expected one for each owner"


@pytest.mark.parametrize("form", ["manifest/1", None, 1])
def test_parse_manifest__another_format__refused_by_name(form: object) -> None:
    data = write_canonical({**example(), "format": form})
    assert refusal(data).startswith("manifest.format: expected manifest/2")


def test_parse_manifest__not_canonical__refused() -> None:
    assert "expected canonical JSON" in refusal(json.dumps(example()).encode())
    assert "expected canonical JSON" in refusal(write_canonical(example()).replace(b":-312,", b":-312 ,"))


def test_parse_manifest__deep_nesting__refused() -> None:
    data = write_canonical({**example(), "absent": "DEEP"}).replace(b'"DEEP"', b"[" * 10**5 + b"]" * 10**5)
    assert refusal(data).startswith("manifest: expected at most 64 objects and lists in one another")


def test_parse_manifest__larger_than_the_cap__refused() -> None:
    with pytest.raises(TooLarge, match="manifest: expected at most 33554432 bytes"):
        parse_manifest(b" " * (MAX_MANIFEST + 1))


def test_form_of__type_without_a_form__refused() -> None:
    with pytest.raises(TypeError, match="expected a type that has a form"):
        get_form(float)
