/**
 * Does what the reader has asked for: prepared by the API, said in words, signed in the wallet, and sent by the relayer
 * for nothing; where that is not possible, from the reader's own wallet if the reader agrees to pay.
 */

import { follow } from "./activity.js";
import { get, post, Problem } from "./api.js";
import { ask } from "./dialog.js";
import { duration, several, short } from "./format.js";
import { account, take } from "./session.js";
import { state } from "./state.js";
import { send, signTyped, WalletError } from "./wallet.js";
import { wordsOf } from "./words.js";

const EVERY = 300; // ms
const LIMIT = 120; // seconds for a block to come
const OFF = "This API has no relayer that pays fees.";
const DRY = "The relayer has used up what it may spend.";
const PAID = {
  "relay-off": OFF,
  "relay-dry": DRY,
  "relay-too-costly": "This needs more gas than the relayer pays for.",
};
const running = new Set();

/**
 * Performs an action: `prepare` of the API with `body`; `relay(prepared, signature)` gives the relay's body, and no
 * `relay` means that only the paid way exists. Resolves to what was prepared, or null when it came to nothing.
 */
export async function act({ name, prepare, body, relay = null }) {
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
  const from = await account();
  const prepared = await post(`prepare/${prepare}`, { ...body, account: from });
  const why = relay
    ? await free({ prepared, prepare, relay, from, card })
    : "The relayer does not send this.";
  if (why !== null) await paid({ prepared, why, from, card });
  return prepared;
}

/** Gives null when it went through, or the sentence why only the paid way is left. */
async function free({ prepared, prepare, relay, from, card }) {
  const { enabled, balance_wei: balance, remaining_today: remaining } = (await get("network")).relay;
  if (!enabled) return OFF;
  if (!BigInt(balance) || !BigInt(remaining)) return DRY;
  const [typed] = prepared.typed_data;
  agreed(await agree(typed, prepared.words, card));
  const signature = typed ? await signTyped(typed, from) : null;
  card.step("Handing it to the relayer, which pays the fee…");
  try {
    const sent = await relayed(`relay/${prepare}`, relay(prepared, signature));
    card.step("Sent. Waiting for a block…");
    const block = await mined(sent.id);
    await known(block);
    card.done(`Done, in block ${block}.`);
    return null;
  } catch (problem) {
    if (PAID[problem.kind]) return PAID[problem.kind];
    if (problem.status !== 429) throw problem;
    const wait = problem.retryAfter ? ` again in ${duration(Number(problem.retryAfter))}` : " later";
    return `The relayer has sent enough for you for now; it will${wait}.`;
  }
}

async function relayed(path, body) {
  try {
    return await post(path, body);
  } catch (problem) {
    if (problem.status !== 401) throw problem;
    take(null); // the session is over: sign in, and hand the same signature over again
    await account();
    return post(path, body);
  }
}

async function paid({ prepared, why, from, card }) {
  card.step("Waiting for your answer…");
  const { to, value } = prepared.transaction;
  const answer = await ask({
    title: "Send it yourself?",
    lines: [
      why,
      "You can send the same from your own wallet; then you pay the chain's fee in ether, which your wallet shows before you agree.",
      ...prepared.words,
      `It goes to the contract ${short(to)}${BigInt(value) ? ` with ${value} wei of ether` : ", and sends no ether along"}.`,
    ],
    more: JSON.stringify(prepared.transaction, null, 2),
    yes: "Send from my wallet",
    no: "Not now",
  });
  agreed(answer);
  card.step("Waiting for your wallet, then for a block…");
  const receipt = await send(prepared.transaction, from, state.network.chain_id);
  const block = Number(receipt.blockNumber);
  await known(block);
  card.done(`Done, in block ${block}; you paid the fee.`);
}

function agree(typed, words, card) {
  if (!typed) return ask({ title: "Send this to the chain?", lines: words, yes: "Send it" });
  const { title, lines } = wordsOf(typed, words);
  card.step("Waiting for your signature…");
  return ask({
    title,
    lines: [...lines, "The signature costs nothing; the relayer pays the fee."],
    more: JSON.stringify({ domain: typed.domain, type: typed.primaryType, message: typed.message }, null, 2),
    yes: "Sign in my wallet",
  });
}

/** The block that has what was relayed. */
function mined(id) {
  return until("no block has it", async () => {
    const { status, block, detail, error } = await get(`relay/${id}`);
    if (status === "failed") throw new Problem({ detail: `the chain refused it: ${detail}`, error });
    return status === "mined" ? block : null;
  });
}

/** Waits until the API tells what a block has brought: what is read from then on shows it. */
function known(block) {
  return until(`the API does not tell of block ${block} yet`, async () => {
    const { indexed_block: last } = await get("health");
    return last >= block ? block : null;
  });
}

async function until(otherwise, look) {
  for (let waited = 0; waited < LIMIT * 1000; waited += EVERY) {
    const found = await look();
    if (found !== null) return found;
    await new Promise((resolve) => setTimeout(resolve, EVERY));
  }
  throw new Problem({ detail: `${otherwise} after ${several(LIMIT, "second")}; it may still come` });
}

function agreed(answer) {
  if (!answer) throw new WalletError("", true); // said in the page's own dialog: no news to the reader
}
