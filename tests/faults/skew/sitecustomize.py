"""Gives a Python process a clock that is wrong by CLOCK_OFF seconds: it is imported before anything else."""

import os
import sys
import time

_right = time.time
_off = float(os.environ["CLOCK_OFF"])


def _wrong() -> float:
    caller = sys._getframe(1).f_globals.get("__name__", "")
    # gRPC turns a limit in seconds into a time of day, which its C library compares with a clock that is right
    return _right() + (0.0 if caller.startswith("grpc.") else _off)


time.time = _wrong
