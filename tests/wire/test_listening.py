"""Where a Superlink cannot listen, one error says so, and gRPC adds no line of its own."""

import socket

import pytest

from dao.errors import ConfigError
from tests.wire.network import Network


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0.0.0.0"])  # noqa: S104  (taken at one of them)
async def test_serve__the_port_is_taken__one_error_and_no_other_line(
    network: Network, capfd: pytest.CaptureFixture[str], host: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"{host}:{other.getsockname()[1]}"
        with pytest.raises(
            ConfigError, match=f"address {address}: cannot be listened at: Address already in"
        ):
            await network.serve(address=address)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("address", ["192.0.2.1:9", "a..b:9"])
async def test_serve__the_host_is_another_or_none__one_error_and_no_other_line(
    network: Network, capfd: pytest.CaptureFixture[str], address: str
) -> None:
    with pytest.raises(ConfigError, match=f"address {address}: cannot be listened at"):
        await network.serve(address=address)
    assert capfd.readouterr().err == ""
