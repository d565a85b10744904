"""Kubo's API, as far as a store needs it, over ipfshttpclient: one session a thread, every call limited."""

import io
import threading
import warnings
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from dao.core.constants import CONTENT_LEAF
from dao.errors import ConfigError, ContentError

_CONNECT_SECONDS = 5.0
_SILENCE_SECONDS = 30.0  # without a byte, although the call as a whole may take longer
_NONE: Mapping[str, str] = {}

T = TypeVar("T")


class DeclinedError(ContentError):
    """Kubo answered that it cannot do this, or not in time; the message is its own."""


class KuboApi:
    """Blocking calls to Kubo. ContentError when it cannot be reached or breaks off, DeclinedError when it refuses."""

    def __init__(self, address: str, name: str) -> None:
        self._address, self._name = address, name
        self._local = threading.local()
        self._clients: list[Any] = []
        self._client()  # an invalid address is refused at once

    def _client(self) -> Any:
        client = getattr(self._local, "client", None)
        if client is None:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # its patch of urllib3 announces itself
                import ipfshttpclient
            warnings.filterwarnings("ignore", "The 'strict' parameter is no longer needed", FutureWarning)
            try:
                client = ipfshttpclient.Client(self._address, session=True, chunk_size=CONTENT_LEAF)
            except ipfshttpclient.exceptions.AddressError:
                raise ConfigError(
                    f"IPFS node {self._address!r}: expected a multiaddr such as /ip4/127.0.0.1/tcp/5001/http"
                ) from None
            client._client._session.trust_env = False  # noqa: SLF001  (a proxy is not for one's own node)
            self._local.client = client
            self._clients.append(client)
        return client

    def close(self) -> None:
        """Close the connections of all threads."""
        for client in self._clients:
            client.close()

    def ask(
        self, path: str, argument: str, seconds: float, options: Mapping[str, str] = _NONE
    ) -> dict[str, Any]:
        """Call and return the first object of the answer."""
        answer = self.ask_all(path, [argument], seconds, options)
        return answer[0] if answer else {}

    def ask_all(
        self, path: str, arguments: Sequence[str], seconds: float, options: Mapping[str, str] = _NONE
    ) -> list[dict[str, Any]]:
        """Call with several arguments; return all objects of the answer."""
        answer = self._twice(
            lambda: self._request(path, arguments, seconds, seconds, options, decoder="json")
        )
        return [dict(part) for part in (answer if isinstance(answer, list | tuple) else [answer])]

    def put_block(self, block: bytes, seconds: float) -> str:
        """Store one dag-pb block; return its CID."""
        limits = {
            "opts": {"cid-codec": "dag-pb", "cid-base": "base32"},
            "timeout": (_CONNECT_SECONDS, seconds),
        }
        return str(self._twice(lambda: self._client().block.put(io.BytesIO(block), **limits))["Key"])

    @contextmanager
    def stream(
        self, path: str, argument: str, seconds: float, options: Mapping[str, str] = _NONE
    ) -> Generator[Iterator[bytes], None, None]:
        """Call and yield the answer's bytes as they come."""
        pieces = self._twice(
            lambda: self._request(path, [argument], seconds, _SILENCE_SECONDS, options, stream=True)
        )
        try:
            yield self._guarded(pieces)
        finally:
            pieces.close()

    def add(self, pieces: Callable[[], Iterator[bytes]], seconds: float, options: Mapping[str, str]) -> str:
        """Add one file; return the CID that Kubo gives it."""
        limits = {"opts": dict(options), "timeout": (_CONNECT_SECONDS, seconds)}
        return str(self._twice(lambda: self._client().add_bytes(pieces(), **limits)))

    def _request(
        self,
        path: str,
        arguments: Sequence[str],
        seconds: float,
        silence: float,
        options: Mapping[str, str],
        **how: Any,
    ) -> Any:
        limits = {
            "opts": {"timeout": f"{seconds:.3f}s", **options},
            "timeout": (_CONNECT_SECONDS, min(silence, seconds)),
        }
        return self._client()._client.request(path, tuple(arguments), **limits, **how)  # noqa: SLF001  (its public calls drop or spoil some arguments)

    def _guarded(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        with self._errors():
            yield from pieces

    def _twice(self, call: Callable[[], T]) -> T:
        """Call again once where the connection was an open one that Kubo has closed since."""
        from ipfshttpclient.exceptions import ConnectionError as NoConnection
        from ipfshttpclient.exceptions import ProtocolError

        with self._errors():
            try:
                return call()
            except (NoConnection, ProtocolError):
                return call()

    @contextmanager
    def _errors(self) -> Generator[None, None, None]:
        import requests
        import urllib3
        from ipfshttpclient import exceptions

        try:
            yield
        except exceptions.ErrorResponse as error:
            raise DeclinedError(str(error)[:300]) from None
        except exceptions.TimeoutError:
            raise DeclinedError("no answer in time") from None
        except exceptions.ConnectionError:
            raise ContentError(
                f"{self._name}: cannot be reached; check that `ipfs daemon` runs there"
            ) from None
        except (
            exceptions.Error,
            requests.RequestException,
            urllib3.exceptions.HTTPError,
            OSError,
            KeyError,
            ValueError,
        ) as error:
            raise ContentError(
                f"{self._name}: the call failed: {str(error)[:200]}; check that `ipfs daemon` runs there"
            ) from None
