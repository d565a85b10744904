/** The reader's wallet (EIP-1193), found as EIP-6963 says; its refusals as one sentence. */

import { choose } from "./dialog.js";
import { several } from "./format.js";

const ANNOUNCED = 100; // ms in which wallets announce themselves
const LIMIT = 180; // seconds in which a transaction is expected to be mined
const EVERY = 1000; // ms
const DENIED = 4001; // EIP-1193
const UNKNOWN_CHAIN = 4902; // EIP-3085

const announced = new Map();
let provider = null;

addEventListener("eip6963:announceProvider", ({ detail }) => announced.set(detail.info.uuid, detail));
dispatchEvent(new Event("eip6963:requestProvider"));

/** What went wrong with the wallet, in words; `denied` when its owner said no. */
export class WalletError extends Error {
  constructor(message, denied = false) {
    super(message);
    this.denied = denied;
  }
}

/** Connects a wallet and gives its account's address. */
export async function connect() {
  provider ??= await find();
  const [account] = await ask("eth_requestAccounts");
  if (!account) throw new WalletError("The wallet shows no account to this page; unlock it and allow one.");
  return account;
}

/** Forgets which wallet was used. */
export function disconnect() {
  provider = null;
}

/** Signs a text (EIP-191). */
export function signText(text, account) {
  const bytes = new TextEncoder().encode(text);
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return ask("personal_sign", [`0x${hex}`, account]);
}

/** Signs typed data (EIP-712); wallets refuse it for another chain than the one they are on. */
export async function signTyped(typed, account) {
  await onChain(Number(typed.domain.chainId));
  return ask("eth_signTypedData_v4", [account, JSON.stringify(typed)]);
}

/** Sends a transaction from the wallet's own ether and waits until it is mined; returns its receipt. */
export async function send({ to, data, value }, account, chainId) {
  await onChain(chainId);
  const hash = await ask("eth_sendTransaction", [{ from: account, to, data, value: hex(value) }]);
  for (let waited = 0; waited < LIMIT * 1000; waited += EVERY) {
    const receipt = await ask("eth_getTransactionReceipt", [hash]);
    if (receipt && BigInt(receipt.status) === 0n) {
      throw new WalletError(`The chain took the transaction and refused what it asks for (${hash}).`);
    }
    if (receipt) return receipt;
    await new Promise((resolve) => setTimeout(resolve, EVERY));
  }
  throw new WalletError(
    `No block has the transaction after ${several(LIMIT, "second")}; see it in your wallet (${hash}).`,
  );
}

async function find() {
  await new Promise((resolve) => setTimeout(resolve, ANNOUNCED));
  const options = [...announced.values()].map((one) => ({ label: one.info.name, value: one.provider }));
  if (!options.length && window.ethereum) options.push({ label: "Wallet", value: window.ethereum });
  if (!options.length)
    throw new WalletError("No wallet was found in this browser; install one, then reload the page.");
  const chosen = await choose("Which wallet?", options);
  if (!chosen) throw new WalletError("No wallet was chosen.", true);
  return chosen;
}

async function onChain(chainId) {
  if (Number(await ask("eth_chainId")) === chainId) return;
  await ask("wallet_switchEthereumChain", [{ chainId: hex(chainId) }]);
}

async function ask(method, params = []) {
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

function hex(number) {
  return `0x${BigInt(number).toString(16)}`;
}
