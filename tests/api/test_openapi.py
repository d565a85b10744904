"""The API's description is one that clients can be generated from."""

import re
from collections.abc import Iterator
from typing import Any, cast

import pytest

from dao.api.application import create_app
from dao.api.dependencies import Dependencies
from dao.api.http.load import LoadShedder
from dao.api.http.rate_limits import Rate, RateLimiter
from dao.api.settings import ApiSettings
from dao.gov.action_json import get_kind
from dao.gov.actions import Known
from dao.gov.drafts import show_fields
from tests.gov.test_actions import ACTIONS

METHODS = ("get", "post")


class Nothing:
    """As much of a service as its description needs."""

    settings = ApiSettings.model_construct(home=None)  # type: ignore[arg-type]
    secure = False
    read_load = write_load = LoadShedder(1)

    class metrics:  # noqa: N801
        observe = None

    def make_limiter(self, _: float) -> RateLimiter:
        return RateLimiter(Rate(1, 1))


@pytest.fixture(scope="module")
def description() -> Any:
    return create_app(cast("Dependencies", Nothing()), {}).openapi()


def operations(description: Any) -> Iterator[tuple[str, Any]]:
    for path, found in description["paths"].items():
        for method in METHODS:
            if method in found:
                yield f"{method} {path}", found[method]


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for inner in value.values():
            yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


def test_description__each_reference__leads_to_a_model_and_each_model_is_used(description: Any) -> None:
    models = {f"#/components/schemas/{name}" for name in description["components"]["schemas"]}
    assert set(references(description)) == models


def test_description__each_operation__has_a_name_of_its_own_and_says_what_it_does(description: Any) -> None:
    names = [operation["operationId"] for _, operation in operations(description)]
    assert len(set(names)) == len(names)
    for name, operation in operations(description):
        assert operation["operationId"].isidentifier(), name
        assert operation["description"].endswith("."), name
        assert operation["tags"], name


def test_description__each_error__is_a_problem_and_each_route_may_be_asked_too_often(
    description: Any,
) -> None:
    problem = {"$ref": "#/components/schemas/ProblemBody"}
    for name, operation in operations(description):
        assert "429" in operation["responses"], name
        for status, answer in operation["responses"].items():
            if status >= "400":
                assert answer["content"] == {"application/problem+json": {"schema": problem}}, (name, status)


@pytest.mark.parametrize("action", ACTIONS, ids=get_kind)
def test_description__each_action__has_its_fields_with_their_types(description: Any, action: Known) -> None:
    forms = {form["title"]: form for form in description["components"]["schemas"]["ActionForm"]["oneOf"]}
    described = forms[get_kind(action)]["properties"]["fields"]
    assert described["additionalProperties"] is False
    check_fields(described, show_fields(action))


def check_fields(described: Any, fields: Any) -> None:
    """Compare fields with the schema of an object, and their values with their types."""
    assert set(described["properties"]) == set(described["required"]) == set(fields)
    for name, value in fields.items():
        check_value(described["properties"][name], value, name)


def check_value(schema: Any, value: Any, name: str) -> None:
    """Compare a value, and what it consists of, with its schema."""
    match schema["type"]:
        case "object":
            check_fields(schema, value)
        case "array":
            assert value, name
            for one in value:
                check_value(schema["items"], one, name)
        case "string":
            assert re.fullmatch(schema.get("pattern", ".+"), value), name
        case kind:
            assert type(value) is {"integer": int, "boolean": bool}[kind], name


def test_description__each_read_of_the_index__has_a_model_a_tag_and_a_304(description: Any) -> None:
    apart = ("/auth/", "/relay/", "/health", "/ready", "/metrics", "/events")
    for name, operation in operations(description):
        if name.startswith("get ") and not any(part in name for part in apart):
            good = operation["responses"]["200"]
            assert "ETag" in good["headers"], name
            model = good["content"]["application/json"]["schema"]["$ref"].rsplit("/", 1)[1]
            fields = description["components"]["schemas"][model]["properties"]
            assert "as_of" in fields, name
            assert "304" in operation["responses"], name
            if "/list_" in f"/{operation['operationId']}":
                assert {"items", "next"} <= set(fields), name
                assert {"cursor", "limit"} <= {given["name"] for given in operation["parameters"]}, name
