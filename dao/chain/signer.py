"""Keys: a keystore file opened once, signatures over digests and transactions, and the signer of a signature."""

import json
import os
import secrets
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coincurve import PrivateKey, PublicKey

from dao.core.engine.keccak import keccak256
from dao.core.types import Address, Digest, Wei, hex_of
from dao.errors import DecodeError, KeyFileError

_ORDER = 0xFFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFE_BAAEDCE6_AF48A03B_BFD25E8C_D0364141  # of secp256k1
_MAX_FILE = 64 * 1024
_WORK = 262_144  # scrypt's n in a keystore


@dataclass(frozen=True, slots=True)
class Transaction:
    """An EIP-1559 transaction before its signature; `to` None creates a contract, fees are wei per gas."""

    chain_id: int
    nonce: int
    to: Address | None
    data: bytes
    gas: int
    max_fee: Wei
    tip: Wei
    value: int = 0


class Signer:
    """An account that can sign. Shows its address and never its key."""

    __slots__ = ("_key", "address")

    def __init__(self, secret: bytes) -> None:
        """Take a private key of 32 bytes, 0 < key < the curve's order."""
        self._key = PrivateKey(secret)
        self.address: Address = _address_of(self._key.public_key)

    def __repr__(self) -> str:
        return f"Signer({hex_of(self.address)})"

    def __reduce__(self) -> str:
        raise KeyFileError(f"{self!r}: a key is not copied; open its keystore again")

    @classmethod
    def ephemeral(cls) -> "Signer":
        """Return a new key that is written nowhere, for tests and rehearsals."""
        return cls(secrets.token_bytes(32))

    @classmethod
    def create(cls, path: Path, password: str, work: int = _WORK) -> "Signer":
        """Write a new key to a keystore (Web3 Secret Storage V3) that only this user can read.

        `work` is scrypt's n, a power of two. KeyFileError when the file exists or the password is empty.
        """
        if not password:
            raise KeyFileError(f"{path}: a keystore needs a password; give one")
        secret = secrets.token_bytes(32)
        _write_private(path, _encrypt(secret, password, work))
        return cls(secret)

    @classmethod
    def load(cls, path: Path, password_file: Path | None = None, password_env: str | None = None) -> "Signer":
        """Open a keystore with the password in a file, or else in an environment variable.

        KeyFileError when a file is absent, readable by others (mode 0600 is expected), or does not open.
        """
        text = _read_private(path)
        if not _is_keystore(text):
            raise KeyFileError(
                f"{path}: is no keystore; expected JSON of version 3, as Ethereum wallets export"
            )
        secret = _decrypt(text, _password(path, password_file, password_env))
        if secret is None:
            raise KeyFileError(f"{path}: does not open with this password; check the file and the password")
        return cls(secret)

    def sign(self, digest: Digest) -> bytes:
        """Sign 32 bytes: r, s (in the lower half), v (27 or 28); 65 bytes, the same for the same digest."""
        raw = self._key.sign_recoverable(digest, hasher=None)
        return raw[:64] + bytes([27 + raw[64]])

    def sign_transaction(self, transaction: Transaction) -> bytes:
        """Sign a transaction and return its bytes to broadcast; its hash is their keccak256."""
        from eth_account import Account

        fields = {
            "type": 2,
            "chainId": transaction.chain_id,
            "nonce": transaction.nonce,
            "to": transaction.to,
            "value": transaction.value,
            "data": transaction.data,
            "gas": transaction.gas,
            "maxFeePerGas": transaction.max_fee,
            "maxPriorityFeePerGas": transaction.tip,
        }
        if transaction.to is None:
            del fields["to"]
        return bytes(Account.sign_transaction(fields, self._key.secret).raw_transaction)


def recover(digest: Digest, signature: bytes) -> Address:
    """Return the signer; DecodeError for anything but 65 bytes with v 27 or 28 and s in the lower half."""
    if len(signature) != 65 or signature[64] not in (27, 28):
        raise DecodeError(f"signature: expected 65 bytes ending in 27 or 28, got {len(signature)} bytes")
    if int.from_bytes(signature[32:64], "big") > _ORDER // 2:
        raise DecodeError("signature: expected s in the lower half of the curve's order (EIP-2)")
    raw = signature[:64] + bytes([signature[64] - 27])
    try:
        key = PublicKey.from_signature_and_message(raw, digest, hasher=None)
    except Exception as error:  # coincurve raises plain Exception
        raise DecodeError("signature: no key could have made it") from error
    return _address_of(key)


def _address_of(key: PublicKey) -> Address:
    return Address(keccak256(key.format(compressed=False)[1:])[12:])


def _read_private(path: Path) -> str:
    """Read a small file; KeyFileError unless its user alone may."""
    try:
        with path.open(encoding="utf-8") as file:
            mode = os.fstat(file.fileno()).st_mode
            text = file.read(_MAX_FILE) if stat.S_ISREG(mode) and not mode & 0o077 else None
    except (OSError, UnicodeDecodeError):
        mode, text = 0, None
    if not mode:
        raise KeyFileError(f"{path}: cannot be read; check that it exists and is yours")
    if text is None:
        raise KeyFileError(
            f"{path}: mode {stat.S_IMODE(mode):04o} lets others read it, expected 0600; run chmod 600 {path}"
        )
    return text


def _write_private(path: Path, text: str) -> None:
    """Write a new file for this user alone; KeyFileError when it exists or cannot be made."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise KeyFileError(
            f"{path}: already exists; a key is never overwritten, choose another name"
        ) from None
    except OSError as error:
        raise KeyFileError(f"{path}: cannot be written ({error.strerror}); choose another place") from None
    with os.fdopen(handle, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _password(keystore: Path, file: Path | None, env: str | None) -> str:
    if file is not None:
        password = _read_private(file).rstrip("\r\n")
    else:
        password = os.environ.get(env, "") if env else ""
    if not password:
        where = file or " or ".join(
            ["a password file", *([f"the environment variable {env}"] if env else [])]
        )
        raise KeyFileError(f"{keystore}: no password; expected it in {where}")
    return password


def _encrypt(secret: bytes, password: str, work: int) -> str:
    from eth_account import Account

    return json.dumps(Account.encrypt(secret, password, kdf="scrypt", iterations=work))


def _is_keystore(text: str) -> bool:
    try:
        fields = json.loads(text)
    except ValueError:
        return False
    return isinstance(fields, dict) and any(name.lower() == "crypto" for name in fields)


def _decrypt(keystore: str, password: str) -> bytes | None:
    """Return the key, or None: the caller raises, for its frame has neither key nor password."""
    from eth_account import Account

    try:
        fields: dict[str, Any] = json.loads(keystore)
        return bytes(Account.decrypt(fields, password))
    except (ValueError, TypeError, KeyError, AttributeError, NotImplementedError):
        return None
