"""Describes by JSON Schema what each kind of action takes, so that programs and agents can fill in its fields."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, get_type_hints

from dao.api.http.json_types import ADDRESS_SCHEMA, DIGEST_SCHEMA, WEI_SCHEMA
from dao.api.models.training import TaskRules
from dao.core.types import Address, Digest, RoundId, Rules, TaskId, Wei
from dao.gov.action_json import KIND_NAMES
from dao.gov.drafts import show_name

_NUMBER = {"type": "integer", "minimum": 0, "maximum": 2**53 - 1}
_TYPES: Mapping[Any, Mapping[str, Any]] = {
    Address: ADDRESS_SCHEMA,
    Wei: WEI_SCHEMA,
    TaskId: _NUMBER,
    RoundId: _NUMBER,
    int: _NUMBER,
    bool: {"type": "boolean"},
    Digest: DIGEST_SCHEMA,
    tuple[Digest, ...]: {"type": "array", "items": DIGEST_SCHEMA, "maxItems": 64},
}


@dataclass(frozen=True, slots=True)
class _ObjectSchema:
    properties: Mapping[str, Any]
    about: str

    def dump(self) -> dict[str, Any]:
        return {
            "type": "object",
            "description": self.about,
            "properties": dict(self.properties),
            "required": list(self.properties),
            "additionalProperties": False,
        }


@cache
def describe_actions() -> list[dict[str, Any]]:
    """Describe the actions, one schema for each kind: its name and its fields, with units in their names."""
    return [_describe_action(name, kind) for name, kind in KIND_NAMES.items()]


def _describe_action(name: str, kind: type) -> dict[str, Any]:
    about = (kind.__doc__ or "").strip()
    hints = get_type_hints(kind)
    fields = {show_name(field): _describe_field(hint) for field, hint in hints.items()}
    form = {"kind": {"const": name, "type": "string"}, "fields": _ObjectSchema(fields, about).dump()}
    return {**_ObjectSchema(form, about).dump(), "title": name}


def _describe_field(hint: Any) -> dict[str, Any]:
    return _describe_rules() if hint is Rules else dict(_TYPES[hint])


def _describe_rules() -> dict[str, Any]:
    schema: dict[str, Any] = TaskRules.model_json_schema(mode="serialization")
    inner = schema.get("$defs", {})
    properties = {
        name: inner[field["$ref"].rsplit("/", 1)[1]] if "$ref" in field else field
        for name, field in schema["properties"].items()
    }
    return _ObjectSchema(properties, "All rules of the task.").dump()
