"""Actions as JSON and back."""

import json

import pytest

from dao.core.types import Address, Wei
from dao.errors import DecodeError
from dao.gov.action_json import get_kind, read_action, write_fields
from dao.gov.actions import Grant, Known, Unknown
from tests.gov.test_actions import ACTIONS, ANN


@pytest.mark.parametrize("action", ACTIONS)
def test_form__written_and_read__the_same(action: Known) -> None:
    fields = json.loads(json.dumps(write_fields(action)))
    assert read_action(get_kind(action), fields) == action


def test_form__checksummed_address__read() -> None:
    assert read_action("grant", {"to": "0x" + "A1" * 20, "amount": "7"}) == Grant(ANN, Wei(7))


@pytest.mark.parametrize(
    ("kind", "fields", "named"),
    [
        ("steal", {}, "expected one of create_task"),
        ("grant", {"to": "0x12", "amount": "7"}, "grant.to"),
        (
            "grant",
            {"to": "0x5AAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", "amount": "7"},
            "grant.to: .* mistyped",
        ),
        ("grant", {"to": "0x" + "A1" * 19, "amount": "7"}, "grant.to: expected 0x and 40 hex digits"),
        ("grant", {"to": "0x" + "a1" * 20, "amount": 7}, "grant.amount"),
        ("grant", {"to": "0x" + "a1" * 20}, "grant.amount"),
        ("set_quorum", {"percent": 4, "more": 1}, "set_quorum.more"),
        ("pause_tasks", [], "an object"),
    ],
)
def test_form__wrong__named(kind: str, fields: object, named: str) -> None:
    with pytest.raises(DecodeError, match=named):
        read_action(kind, fields)


def test_form__unknown__shown_as_bytes() -> None:
    unknown = Unknown(Address(b"\1" * 20), Wei(3), b"\2\3")
    assert get_kind(unknown) == "unknown"
    assert write_fields(unknown) == {"target": "0x" + "01" * 20, "value": "3", "calldata": "0x0203"}
