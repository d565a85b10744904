"""What web3 imports for others is not imported, and works for those who use it."""

import subprocess
import sys

import pytest

from dao.runtime.late_modules import CURVE_ORDER

V4 = """
from eth_keyfile import create_keyfile_json, decode_keyfile_json
made = create_keyfile_json(bytes([7] * 32), b"word", version=4, kdf="pbkdf2", iterations=2)
assert decode_keyfile_json(made, b"word") == bytes([7] * 32)
print(made["pubkey"])
"""
USES = {
    "keystore": V4,
    "scheme": "from py_ecc.bls import G2Basic; print(G2Basic.SkToPk(7).hex())",
    "module": "import py_ecc.bls.hash as used; print(used.i2osp(7, 2))",
    "curve": "from py_ecc.bls12_381 import G1, multiply; print(multiply(G1, 7))",
}


def run(program: str) -> str:
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_daemons__started__have_imported_no_pairings() -> None:
    ask = "import sys; print([name for name in sys.modules if 'pairing' in name])"
    assert run(f"import node.daemon, aggregator.daemon, eth_keyfile; {ask}") == "[]\n"


@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_bls__used_all_the_same__is_py_eccs(use: str) -> None:
    assert run(f"import dao.chain\n{use}") == run(use) != ""


def test_curve_order__given_in_advance__is_py_eccs() -> None:
    assert run("from py_ecc.bls12_381 import curve_order; print(curve_order)") == f"{CURVE_ORDER}\n"
