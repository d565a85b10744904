"""Writes proofs.json, results that lie and the proofs of it: `python -m tests.vectors.make_proofs`.

A case has what a coordinator holds: of the accused round its state, result and statement as `abi.encode` has them, the hash of
its parent's result, the rules that the provers read, the members. And the prover, claim and bytes that convict. With `--large`
it prints the same of trees as deep as a model of 100 MB needs, and of up to 1,000 rows, to measure.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from tests.vectors.availability_proofs import availability
from tests.vectors.body_proofs import last_steps, models, shapes, steps, sums
from tests.vectors.commit_proofs import commits
from tests.vectors.draw_proofs import draws, draws_of_many
from tests.vectors.proof_case import BODY_DEPTH, Case
from tests.vectors.settlement_proofs import medians, settlements

LARGE_DEPTH = 17
LARGE_COUNTS = (10, 64, 100, 128)  # inputs
LARGE_ROWS = (10, 100, 1000)
LARGE_LISTS = (1000, 2048)  # nodes that passed the gate


def make_cases(depth: int, counts: Sequence[int]) -> dict[str, Case]:
    """All cases by name; sums of so many inputs."""
    return dict(
        [
            *sums(depth, counts),
            *models(depth),
            *steps(depth),
            *shapes(depth),
            *commits(),
            *settlements(),
            *availability(depth),
            *draws(),
            *draws_of_many(),
            *last_steps(depth),
        ]
    )


def make_large_cases() -> dict[str, Case]:
    """The same of deep trees and many rows."""
    cases = make_cases(LARGE_DEPTH, LARGE_COUNTS)
    for count in LARGE_ROWS:
        cases |= settlements(count, f"_{count}")
        cases |= availability(LARGE_DEPTH, count, f"_{count}")
    return cases | dict(medians(LARGE_LISTS))


def text(*, large: bool = False) -> str:
    """The file's text."""
    cases = make_large_cases() if large else make_cases(BODY_DEPTH, (3,))
    return json.dumps({"cases": cases}, indent=1) + "\n"


def main() -> None:
    """Write the committed file, or print large cases."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--large", action="store_true", help="print cases of deep trees")
    if parser.parse_args().large:
        print(text(large=True))  # noqa: T201
    else:
        (Path(__file__).parent / "proofs.json").write_text(text())


if __name__ == "__main__":
    main()
