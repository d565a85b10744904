"""Reads our files as syntax trees."""

import ast
import gc
from pathlib import Path


def parse(path: Path) -> ast.Module:
    """Return the tree of a Python file.

    Nothing is collected meanwhile: a finaliser that prints a traceback parses too, and until 3.11.8 Python adds up the
    depths of both trees (SystemError: "AST constructor recursion depth mismatch", gh-106905).
    It takes a quarter of the time, too.
    """
    gc.disable()
    try:
        return ast.parse(path.read_text())
    finally:
        gc.enable()
