"""Keeps what runs on this machine out of the proxy that a site's environment names for the world outside."""

from collections.abc import MutableMapping

LOOPBACK = ("localhost", "127.0.0.1", "::1")
_PROXY, _EXCEPT = "_proxy", "no_proxy"


def spare_loopback(environment: MutableMapping[str, str]) -> None:
    """Add this machine's own names to the exceptions, which every library reads from there; no proxy, no change.

    Chain, IPFS node and Superlink may be here, and a proxy elsewhere would look for them on its own machine.
    """
    names = [name for name in environment if name.lower().endswith(_PROXY)]
    if not any(name.lower() != _EXCEPT for name in names):
        return
    exceptions = environment.get(_EXCEPT) or environment.get(_EXCEPT.upper()) or ""
    hosts = [host.strip() for host in exceptions.split(",") if host.strip()]
    joined = ",".join(dict.fromkeys([*hosts, *LOOPBACK]))
    for name in (_EXCEPT, _EXCEPT.upper()):  # some read the one, some the other
        environment[name] = joined
