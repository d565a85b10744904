"""What a task's data must look like: `schema.json`, a file of an app's bundle, for whoever checks data before it is trained on.

It describes one table: columns with types, units, codes and ranges, the fewest rows, and what may not stand there
twice. It is strict (an unknown field is an error) and bounded, and nothing of it is code. docs/data-scientist.md
explains each field.
"""

import json
from collections.abc import Mapping
from datetime import date
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from dao.core.formats.canonical import read_json
from dao.errors import DaoError, DecodeError
from dao.runtime.config import one_line

FILE = "schema.json"
FORMAT = "schema/1"
MAX_BYTES = 1 << 18
MAX_COLUMNS, MAX_CODES = 2000, 10_000

Name = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]+$")]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Factor = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Column(_Part):
    """What columns of all types have: `missing` says what becomes of a row without a value here."""

    name: Name
    missing: Literal["refuse", "skip", "allow"] = "refuse"


class NumberColumn(_Column):
    """A column of numbers, in a unit; `units` has the factor of each unit that it is often confused with."""

    type: Literal["number", "integer"]
    unit: Name | None = None
    least: Finite | None = None
    most: Finite | None = None
    median: tuple[Finite, Finite] | None = None  # within which the median of good data lies
    units: Annotated[Mapping[Name, Factor], Field(max_length=20)] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.least is not None and self.most is not None and self.least > self.most:
            raise ValueError("expected least to be at most most")
        if self.median is not None and self.median[0] > self.median[1]:
            raise ValueError("expected the median's lower bound first")
        if self.units and (self.median is None or self.unit is None):
            raise ValueError("units are told by the median: expected unit and median, too")
        return self


class CodeColumn(_Column):
    """A column of codes, each of a list."""

    type: Literal["code"]
    codes: Annotated[tuple[Name, ...], Field(min_length=1, max_length=MAX_CODES)]


class DateColumn(_Column):
    """A column of days, as 2026-11-30."""

    type: Literal["date"]
    least: date | None = None
    most: date | None = None


class TextColumn(_Column):
    """A column of text that is not looked at, but for its length in letters."""

    type: Literal["text"]
    most: Annotated[int, Field(ge=1, le=100_000)] = 1000


Column = Annotated[NumberColumn | CodeColumn | DateColumn | TextColumn, Field(discriminator="type")]


class DataSchema(_Part):
    """A table: its columns in order, with or without a line of their names."""

    format: Literal["schema/1"]
    columns: Annotated[tuple[Column, ...], Field(min_length=1, max_length=MAX_COLUMNS)]
    header: bool = True
    delimiter: Literal[",", ";", "\t", "|"] = ","
    least_rows: Annotated[int, Field(ge=1, le=1 << 40)] = 1
    unique: tuple[Name, ...] = ()  # columns that no two rows have alike
    label: Name | None = None  # a column of codes, whose mix is counted

    @model_validator(mode="after")
    def _named(self) -> Self:
        columns = {column.name: column for column in self.columns}
        if len(columns) != len(self.columns):
            raise ValueError("columns: expected each name once")
        if unknown := [name for name in (*self.unique, *filter(None, [self.label])) if name not in columns]:
            raise ValueError(f"{unknown[0]!r}: expected the name of a column")
        if self.label is not None and not isinstance(columns[self.label], CodeColumn):
            raise ValueError("label: expected a column of type code")
        return self

    @property
    def names(self) -> tuple[str, ...]:
        """Return the columns' names, in order."""
        return tuple(column.name for column in self.columns)


def read_schema(files: Mapping[str, str]) -> DataSchema | None:
    """Read the schema among the files of an app; None for an app without one. DecodeError says what is wrong with it."""
    if FILE not in files:
        return None
    try:
        return DataSchema.model_validate_json(
            json.dumps(read_json(files[FILE].encode(), FILE, MAX_BYTES)), strict=True
        )
    except ValidationError as error:
        raise DecodeError(f"{FILE}: {one_line(error)[:500]}") from None
    except DaoError as error:
        raise DecodeError(str(error)) from None
