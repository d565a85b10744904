/** Talks to the member's wallet (EIP-1193, found by EIP-6963), and says its refusals in a sentence. */

import { formatPlural } from "./format.js";
import { chooseOne } from "./questions.js";

const ANNOUNCED = 100; // ms in which wallets announce themselves
const LIMIT = 180; // seconds in which a transaction is expected to be mined
const POLL = 1000; // ms
const DENIED = 4001; // EIP-1193
const UNKNOWN_CHAIN = 4902; // EIP-3085

const announced = new Map();
let provider = null;

addEventListener("eip6963:announceProvider", ({ detail }) => announced.set(detail.info.uuid, detail));
dispatchEvent(new Event("eip6963:requestProvider"));

/** A failure of the wallet, in words; `denied` when its owner said no. */
export class WalletError extends Error {
  constructor(message, denied = false) {
    super(message);
    this.denied = denied;
  }
}

/** Connects a wallet and returns its account's address. */
export async function connectWallet() {
  provider ??= await findProvider();
  const [account] = await request("eth_requestAccounts");
  if (!account) throw new WalletError("The wallet shows no account to this page; unlock it and allow one.");
  return account;
}

/** Forgets which wallet was used. */
export function forgetWallet() {
  provider = null;
}

/** Signs a text (EIP-191). */
export function signText(text, account) {
  const bytes = new TextEncoder().encode(text);
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return request("personal_sign", [`0x${hex}`, account]);
}

/** Signs typed data (EIP-712), on its chain: wallets refuse it on another. */
export async function signTyped(typed, account) {
  await switchChain(Number(typed.domain.chainId));
  return request("eth_signTypedData_v4", [account, JSON.stringify(typed)]);
}

/** Sends a transaction from the wallet's own ether and waits until it is mined; returns its receipt. */
export async function sendTransaction({ to, data, value }, account, chainId) {
  await switchChain(chainId);
  const hash = await request("eth_sendTransaction", [{ from: account, to, data, value: toHex(value) }]);
  for (let waited = 0; waited < LIMIT * 1000; waited += POLL) {
    const receipt = await request("eth_getTransactionReceipt", [hash]);
    if (receipt && BigInt(receipt.status) === 0n) {
      throw new WalletError(`The chain took the transaction and refused what it asks for (${hash}).`);
    }
    if (receipt) return receipt;
    await new Promise((resolve) => setTimeout(resolve, POLL));
  }
  throw new WalletError(
    `No block has the transaction after ${formatPlural(LIMIT, "second")}; see it in your wallet (${hash}).`,
  );
}

async function findProvider() {
  await new Promise((resolve) => setTimeout(resolve, ANNOUNCED));
  const choices = [...announced.values()].map((one) => ({ label: one.info.name, value: one.provider }));
  if (!choices.length && window.ethereum) choices.push({ label: "Wallet", value: window.ethereum });
  if (!choices.length)
    throw new WalletError("No wallet was found in this browser; install one, then reload the page.");
  const chosen = await chooseOne("Which wallet?", choices);
  if (!chosen) throw new WalletError("No wallet was chosen.", true);
  return chosen;
}

async function switchChain(chainId) {
  if (Number(await request("eth_chainId")) === chainId) return;
  await request("wallet_switchEthereumChain", [{ chainId: toHex(chainId) }]);
}

async function request(method, params = []) {
  try {
    return await provider.request({ method, params });
  } catch (error) {
    if (error.code === DENIED)
      throw new WalletError("You declined it in the wallet; nothing was sent.", true);
    if (error.code === UNKNOWN_CHAIN) {
      throw new WalletError(
        `The wallet does not know chain ${Number(params[0].chainId)}; add it there, then try again.`,
      );
    }
    throw new WalletError(`The wallet refused: ${error.message ?? "it gave no reason"}`);
  }
}

function toHex(number) {
  return `0x${BigInt(number).toString(16)}`;
}
