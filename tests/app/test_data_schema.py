"""A schema is read strictly and in bounds; an app with a wrong one is not bundled."""

import json
from pathlib import Path

import pytest

from dao.app.bundle import bundle
from dao.app.data_schema import FILE, MAX_BYTES, read_schema
from dao.errors import AppError, DecodeError

NUMBER = {"name": "a", "type": "number"}


def text_of(*columns: object, **more: object) -> str:
    return json.dumps({"format": "schema/1", "columns": [*columns], **more})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "schema.json: expected JSON"),
        ("[]", "schema.json: expected an object"),
        (text_of(), "columns: "),
        (text_of({**NUMBER, "pattern": "(a+)+$"}), "columns.0.number.pattern: there is no such setting"),
        (text_of({"name": "a", "type": "regex"}), "columns.0"),
        (text_of(NUMBER, NUMBER), "expected each name once"),
        (text_of({**NUMBER, "name": "a\nb"}), "columns.0.number.name"),
        (text_of({**NUMBER, "least": 2, "most": 1}), "expected least to be at most most"),
        (text_of({**NUMBER, "median": [2, 1], "unit": "mm"}), "lower bound first"),
        (text_of({**NUMBER, "units": {"cm": 10}}), "expected unit and median, too"),
        (
            text_of({**NUMBER, "median": [1, 2], "unit": "mm", "units": {"cm": 0}}),
            "columns.0.number.units.cm",
        ),
        (text_of({"name": "a", "type": "code", "codes": []}), "columns.0.code.codes"),
        (text_of(NUMBER, unique=["b"]), "'b': expected the name of a column"),
        (text_of(NUMBER, label="a"), "label: expected a column of type code"),
        (text_of(NUMBER, delimiter="ab"), "delimiter"),
        (text_of(NUMBER, least_rows=0), "least_rows"),
        (text_of(NUMBER).replace("schema/1", "schema/2"), "format"),
        (text_of(NUMBER).replace('"type"', '"name": "b", "type"'), "expected once, got it twice"),
        (text_of(NUMBER) + " " * MAX_BYTES, f"expected at most {MAX_BYTES} bytes"),
        (text_of({**NUMBER, "least": float("nan")}), "finite number"),
        ("[" * 1000, "schema.json"),
    ],
)
def test_schema__not_as_it_should_be__is_refused_in_a_line(text: str, words: str) -> None:
    with pytest.raises(DecodeError) as refused:
        read_schema({FILE: text})
    assert words in str(refused.value)


def test_schema__app_without_one__has_none() -> None:
    assert read_schema({"app.py": ""}) is None


def test_bundle__app_with_a_wrong_schema__is_not_made(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("")
    (tmp_path / FILE).write_text(text_of(NUMBER, label="a"))
    with pytest.raises(AppError, match="label: expected a column of type code"):
        bundle(tmp_path)
    (tmp_path / FILE).write_text(text_of(NUMBER))
    assert bundle(tmp_path)
