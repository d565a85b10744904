"""Puts off what web3 imports for keystores of Ethereum's validators, which nobody here has: half a second of each start.

eth_keyfile needs of py_ecc's BLS modules a number when it is imported, and a function once it makes such a keystore;
the modules compute tables of pairings meanwhile. What stands in for them has the number, and is them for all else.
"""

import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

_BLS, _CURVE = "py_ecc.bls", "py_ecc.bls12_381"
CURVE_ORDER = 0x73EDA753299D7D483339D80809A1D80553BDA402FFFE5BFEFFFFFFFF00000001  # of BLS12-381


class _LateModule(ModuleType):
    """Is imported when something of it is asked for that was not given."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # whoever looks through all modules
            raise AttributeError(name)
        return getattr(_import_really(self), name)


class _LateScheme:
    """The module's signature scheme of that name."""

    def __init__(self, module: _LateModule, name: str) -> None:
        self._module, self._name = module, name

    def __getattr__(self, name: str) -> Any:
        return getattr(getattr(_import_really(self._module), self._name), name)


def put_off_bls() -> None:
    """Have what is not imported yet of py_ecc's BLS modules imported once it is used. Call it before web3 is imported."""
    bls, curve = _LateModule(_BLS), _LateModule(_CURVE)
    vars(bls)["G2ProofOfPossession"] = _LateScheme(bls, "G2ProofOfPossession")
    vars(curve)["curve_order"] = CURVE_ORDER
    package = find_spec(_BLS.partition(".")[0])
    for module in (bls, curve):
        found = [] if package is None else package.submodule_search_locations or []
        module.__path__ = [str(Path(folder, module.__name__.rpartition(".")[2])) for folder in found]
        sys.modules.setdefault(module.__name__, module)


def _import_really(late: _LateModule) -> ModuleType:
    if sys.modules.get(late.__name__) is late:
        del sys.modules[late.__name__]
    return import_module(late.__name__)
