"""Lets a command take a group of options as one dataclass, whose fields become the command's options."""

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, fields, is_dataclass
from functools import wraps
from typing import Any, get_type_hints

Command = Callable[..., None]


def with_option_groups(function: Command) -> Command:
    """Expand each parameter that is a dataclass into one option for each of its fields, in place.

    A field is annotated as an option is; a field that is a dataclass itself is expanded likewise. The command that typer
    sees has the options, and the function gets the dataclasses.
    """
    hints = get_type_hints(function, include_extras=True)
    parameters = inspect.signature(function).parameters.values()
    groups = {one.name: hints[one.name] for one in parameters if is_dataclass(hints[one.name])}
    expanded: list[inspect.Parameter] = []
    for one in parameters:
        if one.name in groups:
            expanded += _parameters_of(groups[one.name])
        else:
            expanded.append(_parameter(one.name, hints[one.name], one.default))

    @wraps(function)
    def command(**values: Any) -> None:
        records = {name: _make_record(group, values) for name, group in groups.items()}
        function(**values, **records)

    command.__signature__ = inspect.Signature(expanded)  # type: ignore[attr-defined]
    command.__annotations__ = {one.name: one.annotation for one in expanded}
    return command


def _parameters_of(group: Any) -> Iterator[inspect.Parameter]:
    hints = get_type_hints(group, include_extras=True)
    for field in fields(group):
        if is_dataclass(hints[field.name]):
            yield from _parameters_of(hints[field.name])
        else:
            default = inspect.Parameter.empty if field.default is MISSING else field.default
            yield _parameter(field.name, hints[field.name], default)


def _parameter(name: str, annotation: object, default: object) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def _make_record(group: Any, values: dict[str, Any]) -> Any:
    """Take the group's options out of all `values`."""
    hints: Mapping[str, Any] = get_type_hints(group)
    return group(
        **{
            field.name: _make_record(hints[field.name], values)
            if is_dataclass(hints[field.name])
            else values.pop(field.name)
            for field in fields(group)
        }
    )
