import json
import os
import pickle
import stat
import traceback
from pathlib import Path

import pytest
from eth_account import Account

from dao.chain.signer import Signer, Transaction, recover
from dao.core.engine.keccak import keccak256
from dao.core.formats.address import address_of
from dao.core.types import Address, Wei
from dao.errors import DecodeError, KeyFileError

PASSWORD = "canary-password-5d2f"
ORDER = 0xFFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFE_BAAEDCE6_AF48A03B_BFD25E8C_D0364141
WORK = 4096
DIGEST = keccak256(b"message")


@pytest.fixture
def password_file(tmp_path: Path) -> Path:
    path = tmp_path / "password"
    path.write_text(PASSWORD + "\n")
    path.chmod(0o600)
    return path


@pytest.fixture
def keystore(tmp_path: Path) -> Path:
    path = tmp_path / "key.json"
    Signer.create(path, PASSWORD, WORK)
    return path


def test_keystore__created__opens_again_and_only_for_its_user(tmp_path: Path, password_file: Path) -> None:
    made = Signer.create(tmp_path / "key.json", PASSWORD, WORK)
    assert stat.S_IMODE((tmp_path / "key.json").stat().st_mode) == 0o600
    assert Signer.load(tmp_path / "key.json", password_file).address == made.address


def test_keystore__password_in_the_environment__opens(
    keystore: Path, password_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COMMONWEIGHT_TEST_PASSWORD", PASSWORD)
    opened = Signer.load(keystore, password_env="COMMONWEIGHT_TEST_PASSWORD")
    assert opened.address == Signer.load(keystore, password_file).address


def test_keystore__another_tool__reads_it(keystore: Path, password_file: Path) -> None:
    fields = json.loads(keystore.read_text())
    secret = Account.decrypt(fields, PASSWORD)
    assert fields["version"] == 3
    assert address_of(Account.from_key(secret).address) == Signer.load(keystore, password_file).address


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660, 0o777])
def test_keystore__readable_by_others__refused(keystore: Path, password_file: Path, mode: int) -> None:
    keystore.chmod(mode)
    with pytest.raises(KeyFileError, match=f"mode {mode:04o} .* chmod 600"):
        Signer.load(keystore, password_file)


def test_password_file__readable_by_others__refused(keystore: Path, password_file: Path) -> None:
    password_file.chmod(0o644)
    with pytest.raises(KeyFileError, match="password: mode 0644"):
        Signer.load(keystore, password_file)


def test_keystore__exists__not_overwritten(keystore: Path) -> None:
    before = keystore.read_bytes()
    with pytest.raises(KeyFileError, match="never overwritten"):
        Signer.create(keystore, PASSWORD, WORK)
    assert keystore.read_bytes() == before


def test_keystore__missing_or_nonsense__refused(tmp_path: Path, password_file: Path) -> None:
    with pytest.raises(KeyFileError, match="cannot be read"):
        Signer.load(tmp_path / "absent", password_file)
    for text in ("", "[]", "{}", '{"version": 3}', "not json"):
        path = tmp_path / "nonsense"
        path.write_text(text)
        path.chmod(0o600)
        with pytest.raises(KeyFileError, match="is no keystore"):
            Signer.load(path, password_file)


def test_keystore__no_password__refused(keystore: Path, tmp_path: Path) -> None:
    with pytest.raises(KeyFileError, match="no password"):
        Signer.load(keystore)
    with pytest.raises(KeyFileError, match="COMMONWEIGHT_ABSENT"):
        Signer.load(keystore, password_env="COMMONWEIGHT_ABSENT")
    with pytest.raises(KeyFileError, match="needs a password"):
        Signer.create(tmp_path / "new", "")


def test_canary__wrong_password__neither_password_nor_key_in_error_or_frames(
    keystore: Path, tmp_path: Path
) -> None:
    wrong = tmp_path / "wrong"
    wrong.write_text("canary-wrong-8a1c")
    wrong.chmod(0o600)
    with pytest.raises(KeyFileError) as caught:
        Signer.load(keystore, wrong)
    told = "".join(traceback.TracebackException.from_exception(caught.value, capture_locals=True).format())
    assert "does not open" in told
    assert "canary-wrong" not in told


def test_canary__a_key__shown_nowhere(tmp_path: Path) -> None:
    secret = bytes.fromhex("c0ffee" * 10 + "c0de")
    signer = Signer(secret)
    for shown in (repr(signer), str(signer), f"{signer}", repr([signer]), repr({"signer": signer})):
        assert "c0ffee" not in shown
        assert signer.address.hex() in shown
    with pytest.raises(KeyFileError):
        pickle.dumps(signer)
    Signer.create(tmp_path / "key", PASSWORD, WORK)
    assert PASSWORD not in (tmp_path / "key").read_text()


def test_sign__any_digest__equals_eth_account_and_recovers() -> None:
    secret = os.urandom(32)
    signer = Signer(secret)
    for number in range(20):
        digest = keccak256(bytes([number]))
        signature = signer.sign(digest)
        assert signature == bytes(Account.unsafe_sign_hash(digest, secret).signature)
        assert signature == signer.sign(digest)
        assert recover(digest, signature) == signer.address
        assert recover(keccak256(b"other"), signature) != signer.address


def test_recover__what_the_contracts_refuse__refused() -> None:
    good = Signer.ephemeral().sign(DIGEST)
    s = int.from_bytes(good[32:64], "big")
    high = good[:32] + (ORDER - s).to_bytes(32, "big") + bytes([55 - good[64]])
    bad = [
        b"",
        good[:64],
        good + b"\0",
        good[:64] + b"\0",
        good[:64] + bytes([29]),
        high,
        bytes(64) + bytes([27]),
    ]
    for signature in bad:
        with pytest.raises(DecodeError, match="signature"):
            recover(DIGEST, signature)


@pytest.mark.parametrize("to", [None, Address(bytes(range(20)))])
def test_sign_transaction__call_or_creation__recovers_with_its_fields(to: Address | None) -> None:
    signer = Signer.ephemeral()
    raw = signer.sign_transaction(Transaction(31337, 7, to, b"data", 90_000, Wei(5), Wei(2)))
    assert raw[0] == 2
    assert address_of(Account.recover_transaction(raw)) == signer.address
