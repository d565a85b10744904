"""Named places where a fault test may end this process at once, as a power cut would."""

import os
import signal

VARIABLE = "COMMONWEIGHT_FAILPOINT"


def failpoint(name: str) -> None:
    """Kill this process with SIGKILL if `COMMONWEIGHT_FAILPOINT` is `NAME` or `NAME:kill`; do nothing otherwise."""
    if os.environ.get(VARIABLE, "").removesuffix(":kill") == name:
        os.kill(os.getpid(), signal.SIGKILL)
