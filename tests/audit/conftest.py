"""The fixtures of rounds serve audits too."""

from tests.aggregator.conftest import assignment, evaluator

__all__ = ["assignment", "evaluator"]
