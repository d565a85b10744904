"""The vectors that the provers run: the files are what the scripts write today."""

from pathlib import Path

from tests.vectors import make_dots, make_floats, make_honest, make_proofs, make_settled


def test_proofs__committed_file__is_what_the_script_writes() -> None:
    path = Path(make_proofs.__file__).with_name("proofs.json")
    assert path.read_text() == make_proofs.text(), "python -m tests.vectors.make_proofs"


def test_floats__committed_file__is_what_the_script_writes() -> None:
    path = Path(make_floats.__file__).with_name("floats.json")
    assert path.read_text() == make_floats.text(), "python -m tests.vectors.make_floats"


def test_dots__committed_file__is_what_the_script_writes() -> None:
    path = Path(make_dots.__file__).with_name("dots.json")
    assert path.read_text() == make_dots.text(), "python -m tests.vectors.make_dots"


def test_settled__committed_file__is_what_the_script_writes() -> None:
    assert make_settled.PATH.read_text() == make_settled.text(), "python -m tests.vectors.make_settled"


def test_honest__committed_file__is_what_the_script_writes() -> None:
    path = Path(make_honest.__file__).with_name("honest.json")
    assert path.read_text() == make_honest.text(), "python -m tests.vectors.make_honest"
