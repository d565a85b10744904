import subprocess
from pathlib import Path

import pytest

from dao.errors import ConfigError, Unreachable
from dao.wire.grpc_options import Certificate, Tls
from tests.wire.network import COMMIT, Network


def self_made(folder: Path, name: str) -> Certificate:
    """A key and a certificate for 127.0.0.1 that signs itself."""
    certificate = Certificate(folder / f"{name}.crt", folder / f"{name}.key")
    subprocess.run(
        [
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
            "-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2",
            "-keyout", str(certificate.key), "-out", str(certificate.chain),
        ],
        check=True,
        capture_output=True,
        timeout=60,
    )  # fmt: skip
    return certificate


async def test_tls__right_authority__calls_pass(network: Network, tmp_path: Path) -> None:
    certificate = self_made(tmp_path, "superlink")
    service = await network.serve(certificate=certificate)
    client = network.client(service.address, tls=Tls(certificate.chain))
    assert await client.commit(COMMIT)


async def test_tls__other_authority_or_none__unreachable(network: Network, tmp_path: Path) -> None:
    service = await network.serve(certificate=self_made(tmp_path, "superlink"))
    for tls in (Tls(self_made(tmp_path, "other").chain), Tls(), None):
        with pytest.raises(Unreachable, match="check that it runs, the address and TLS"):
            await network.client(service.address, tls=tls, limit=0.5).commit(COMMIT)


async def test_tls__spoken_to_a_plain_service__unreachable(network: Network, tmp_path: Path) -> None:
    service = await network.serve()
    with pytest.raises(Unreachable, match="TLS"):
        await network.client(service.address, tls=Tls(), limit=0.5).commit(COMMIT)


async def test_tls__files_missing_or_no_pem__config_error(network: Network, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("not a certificate")
    for name in ("absent", "text"):
        with pytest.raises(ConfigError, match=name):
            network.client("127.0.0.1:1", tls=Tls(tmp_path / name))
        with pytest.raises(ConfigError, match=name):
            await network.serve(certificate=Certificate(tmp_path / name, tmp_path / name))
