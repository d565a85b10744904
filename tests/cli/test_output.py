"""Amounts as people write them, exactly."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dao.cli.output import parse_tokens
from dao.core.formats.reasons import format_tokens
from dao.errors import ConfigError
from tests.cli.command import Dao


@given(st.integers(0, 10**40))
def test_in_tokens__any_wei__reads_back_exactly(wei: int) -> None:
    assert parse_tokens(format_tokens(wei), "stake") == wei


def test_in_tokens__below_zero__has_its_sign() -> None:
    assert format_tokens(-1500000000000000000) == "-1.5"


@pytest.mark.parametrize(
    "text", ["", "-1", "1e3", "1.", ".5", "1_0", "NaN", "٣", "0." + "0" * 18 + "1", "1 "]
)
def test_parse_tokens__anything_but_a_plain_amount__named_and_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="--stake: expected an amount"):
        parse_tokens(text, "--stake")


def test_logs__an_exception_with_a_secret_in_its_frame__shows_the_error_and_not_the_secret(dao: Dao) -> None:
    program = """
import structlog
from dao.cli.output import log_to_stderr

def open_key(password):
    raise ValueError("does not open")

log_to_stderr()
try:
    open_key("canary" + "-" * 3)
except ValueError:
    structlog.get_logger().exception("trouble", task=3)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], env=dao.environment, capture_output=True, text=True, check=True
    )
    assert not done.stdout
    assert "task=3" in done.stderr
    assert "does not open" in done.stderr
    assert "canary---" not in done.stderr


def test_logs__of_libraries_and_of_a_superlink__one_format_one_line_each(dao: Dao, tmp_path: Path) -> None:
    program = """
import logging, sys
from pathlib import Path
from aggregator.status_stream import StatusStream
from dao.cli.output import log_to_stderr

log_to_stderr()
logging.getLogger("dao.chain.heads").warning("lost %s", "it")
try:
    raise ValueError("by a library")
except ValueError:
    logging.getLogger("aiohttp").exception("failed")
status = StatusStream(Path(sys.argv[1]) / "status.jsonl")
status.emit("opened", round=3, nodes=["0x01", "0x02"])
status.emit("waiting", reason="0 of 2")
status.emit("posted", model=bytes(2))
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)],
        env=dao.environment,
        capture_output=True,
        text=True,
        check=True,
    )
    lines = done.stderr.splitlines()
    assert all(re.match(r"timestamp='[0-9T:.-]+Z' level='[a-z]+' event='", line) for line in lines), lines
    words = [line.partition(" ")[2] for line in lines]
    assert words[0] == "level='warning' event='lost it' logger='dao.chain.heads'"
    assert words[1].startswith("level='error' event='failed'")
    assert "ValueError: by a library" in words[1]
    assert words[2:] == [
        "level='info' event='opened' round=3 nodes=2",
        "level='warning' event='waiting' reason='0 of 2'",
        "level='info' event='posted' model='0x0000'",
    ]
