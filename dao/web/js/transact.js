/** Has the API prepare an action, the member sign it, and the relayer send it, or the member who pays. */

import { follow } from "./activity.js";
import { get, post, Problem } from "./api.js";
import { formatDuration, formatPlural, shorten } from "./format.js";
import { askMember } from "./questions.js";
import { requireAccount, setSession } from "./session.js";
import { getState } from "./store.js";
import { describeTypedData } from "./typed_data.js";
import { sendTransaction, signTyped, WalletError } from "./wallet.js";

const POLL = 300; // ms
const LIMIT = 120; // seconds for a block to come
const OFF = "This API has no relayer that pays fees.";
const DRY = "The relayer has used up what it may spend.";
const OBSTACLES = {
  "relay-off": OFF,
  "relay-dry": DRY,
  "relay-too-costly": "This needs more gas than the relayer pays for.",
};
const running = new Set();

/**
 * Performs an action: `prepare` of the API with `body`; `relay(prepared, signature)` returns the body for the
 * relayer, and without it the member pays. Resolves to what the API prepared, or to null when the action did
 * not go through.
 */
export async function transact({ name, prepare, body, relay = null }) {
  const key = JSON.stringify([prepare, body]);
  if (running.has(key)) return null;
  running.add(key);
  try {
    return await follow(name, (card) => perform({ prepare, body, relay, card }));
  } finally {
    running.delete(key);
  }
}

async function perform({ prepare, body, relay, card }) {
  card.step("Waiting for your wallet…");
  const from = await requireAccount();
  const prepared = await post(`prepare/${prepare}`, { ...body, account: from });
  const obstacle = relay
    ? await sendByRelayer({ prepared, prepare, relay, from, card })
    : "The relayer does not send this.";
  if (obstacle !== null) await sendByMember({ prepared, obstacle, from, card });
  return prepared;
}

/** Returns null when it went through, or the sentence why the relayer does not send it. */
async function sendByRelayer({ prepared, prepare, relay, from, card }) {
  const { enabled, balance_wei: balance, remaining_today: remaining } = (await get("network")).relay;
  if (!enabled) return OFF;
  if (!BigInt(balance) || !BigInt(remaining)) return DRY;
  const [typed] = prepared.typed_data;
  requireYes(await askToSign(typed, prepared.words, card));
  const signature = typed ? await signTyped(typed, from) : null;
  card.step("Handing it to the relayer, which pays the fee…");
  try {
    const job = await postRelay(`relay/${prepare}`, relay(prepared, signature));
    card.step("Sent. Waiting for a block…");
    const block = await waitForBlock(job.id);
    await waitForIndex(block);
    card.finish(`Done, in block ${block}.`);
    return null;
  } catch (problem) {
    if (OBSTACLES[problem.kind]) return OBSTACLES[problem.kind];
    if (problem.status !== 429) throw problem;
    const when = problem.retryAfter ? ` again in ${formatDuration(Number(problem.retryAfter))}` : " later";
    return `The relayer has sent enough for you for now; it will${when}.`;
  }
}

async function postRelay(path, body) {
  try {
    return await post(path, body);
  } catch (problem) {
    if (problem.status !== 401) throw problem;
    setSession(null); // the session is over: sign in, and hand the same signature over again
    await requireAccount();
    return post(path, body);
  }
}

async function sendByMember({ prepared, obstacle, from, card }) {
  card.step("Waiting for your answer…");
  const { to, value } = prepared.transaction;
  const isAgreed = await askMember({
    title: "Send it yourself?",
    lines: [
      obstacle,
      "You can send the same from your own wallet; then you pay the chain's fee in ether, which your wallet shows before you agree.",
      ...prepared.words,
      `It goes to the contract ${shorten(to)}${BigInt(value) ? ` with ${value} wei of ether` : ", and sends no ether along"}.`,
    ],
    exact: JSON.stringify(prepared.transaction, null, 2),
    yes: "Send from my wallet",
    no: "Not now",
  });
  requireYes(isAgreed);
  card.step("Waiting for your wallet, then for a block…");
  const receipt = await sendTransaction(prepared.transaction, from, getState().network.chain_id);
  const block = Number(receipt.blockNumber);
  await waitForIndex(block);
  card.finish(`Done, in block ${block}; you paid the fee.`);
}

function askToSign(typed, words, card) {
  if (!typed) return askMember({ title: "Send this to the chain?", lines: words, yes: "Send it" });
  const { title, lines } = describeTypedData(typed, words);
  card.step("Waiting for your signature…");
  return askMember({
    title,
    lines: [...lines, "The signature costs nothing; the relayer pays the fee."],
    exact: JSON.stringify({ domain: typed.domain, type: typed.primaryType, message: typed.message }, null, 2),
    yes: "Sign in my wallet",
  });
}

/** Waits for the block that has what was relayed, and returns its number. */
function waitForBlock(id) {
  return poll("no block has it", async () => {
    const { status, block, detail, error } = await get(`relay/${id}`);
    if (status === "failed") throw new Problem({ detail: `the chain refused it: ${detail}`, error });
    return status === "mined" ? block : null;
  });
}

/** Waits until the API has indexed a block: what is read from then on shows it. */
function waitForIndex(block) {
  return poll(`the API has not indexed block ${block}`, async () => {
    const { indexed_block: last } = await get("health");
    return last >= block ? block : null;
  });
}

async function poll(otherwise, read) {
  for (let waited = 0; waited < LIMIT * 1000; waited += POLL) {
    const value = await read();
    if (value !== null) return value;
    await new Promise((resolve) => setTimeout(resolve, POLL));
  }
  throw new Problem({ detail: `${otherwise} after ${formatPlural(LIMIT, "second")}; it may still come` });
}

function requireYes(isAgreed) {
  if (!isAgreed) throw new WalletError("", true); // declined in the page's own dialog: no news to the member
}
