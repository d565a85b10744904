"""Raises the system's limit of open files for a daemon."""

import resource


def allow_open_files() -> None:
    """Let this process have as many files open as the system allows: every connection and every mapped update is one."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
