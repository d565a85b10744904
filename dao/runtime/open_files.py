"""What the system lets a daemon have."""

import resource


def allow_open_files() -> None:
    """Let this process have as many files open as the system allows: every connection and every mapped update is one."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
