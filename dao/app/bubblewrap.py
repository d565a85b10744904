"""The command line by which bubblewrap makes a sandbox, where the kernel lets it and not every program make namespaces."""

import shutil
from collections.abc import Sequence

from dao.app.jail_plan import Plan, boot_jail

_HOW = {"read": "--ro-bind", "write": "--bind", "device": "--dev-bind"}


def wrap_by_bubblewrap(plan: Plan, python: str, keep: Sequence[int], command: Sequence[str]) -> list[str]:
    """Return the command line; limits and the filter of calls are set from within, in the app's interpreter."""
    size = str(plan["scratch_bytes"])
    line = [shutil.which("bwrap") or "bwrap", "--unshare-all", "--unshare-user", "--as-pid-1"]
    line += [
        "--die-with-parent",
        "--uid",
        "1000",
        "--gid",
        "1000",
        "--hostname",
        "app",
        "--cap-drop",
        "ALL",
        "--chdir",
        "/",
    ]
    line += ["--size", size, "--tmpfs", "/tmp", "--size", size, "--tmpfs", "/dev/shm", "--proc", "/proc"]  # noqa: S108
    for how, source, target in plan["mounts"]:
        line += [_HOW[how], source, target]
    for target, source in plan["links"].items():
        line += ["--symlink", source, target]
    line += ["--remount-ro", "/proc", "--remount-ro", "/"]
    return [*line, "--", *boot_jail(python, {**plan, "root": None}, keep, command)]
