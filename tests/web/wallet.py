"""A browser wallet (EIP-1193, announced by EIP-6963) whose owner is a test: keys sign here, Anvil does the rest."""

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

from playwright.async_api import BrowserContext

from dao.chain.signer import Signer
from dao.core.formats.address import checksummed
from dao.core.types import hex_of
from dao.devnet.anvil import CHAIN_ID, Anvil
from dao.gov.siwe import compute_text_digest
from dao.gov.typed_data import compute_digest

_SCRIPT = """
const provider = {
  async request({ method, params = [] }) {
    const { result, error } = JSON.parse(await window.askWallet(method, JSON.stringify(params)));
    if (error) throw Object.assign(new Error(error.message), error);
    return result;
  },
};
const info = { uuid: "b1f4a9c2-0000-4000-8000-000000000000", name: "Test wallet", icon: "data:,", rdns: "test.wallet" };
const announce = () =>
  dispatchEvent(new CustomEvent("eip6963:announceProvider", { detail: Object.freeze({ info, provider }) }));
addEventListener("eip6963:requestProvider", announce);
announce();
"""


@dataclass
class Wallet:
    """One account, on a chain. `asked` are the methods that pages called; the next ones in `declined` are refused."""

    signer: Signer
    anvil: Anvil
    chain: int = CHAIN_ID
    asked: list[str] = field(default_factory=list)
    declined: set[str] = field(default_factory=set)

    @property
    def address(self) -> str:
        return checksummed(self.signer.address)

    async def inject(self, context: BrowserContext) -> None:
        """Have every page of a context find it."""
        await context.expose_function("askWallet", self._ask)
        await context.add_init_script(_SCRIPT)

    async def _ask(self, method: str, params: str) -> str:
        self.asked.append(method)
        if method in self.declined:
            self.declined.remove(method)
            return json.dumps({"error": {"code": 4001, "message": "User rejected the request."}})
        if method == "eth_signTypedData_v4":
            wanted = int(json.loads(json.loads(params)[1])["domain"]["chainId"])
            if wanted != self.chain:  # in MetaMask's words
                message = f'Provided chainId "{wanted}" must match the active chainId "{self.chain}"'
                return json.dumps({"error": {"code": -32603, "message": message}})
        return json.dumps({"result": await asyncio.to_thread(self._answer, method, json.loads(params))})

    def _answer(self, method: str, params: list[Any]) -> Any:
        found: Any = None
        match method:
            case "eth_requestAccounts":
                found = [self.address.lower()]
            case "eth_chainId":
                found = hex(self.chain)
            case "wallet_switchEthereumChain":
                self.chain = int(params[0]["chainId"], 16)
            case "personal_sign":
                text = bytes.fromhex(params[0].removeprefix("0x")).decode()
                found = hex_of(self.signer.sign(compute_text_digest(text)))
            case "eth_signTypedData_v4":
                found = hex_of(self.signer.sign(compute_digest(json.loads(params[1]))))
            case "eth_sendTransaction":
                self.anvil.request("anvil_impersonateAccount", params[0]["from"])
                found = self.anvil.request(method, *params)
            case _:
                found = self.anvil.request(method, *params)
        return found
