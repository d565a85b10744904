/** Follows what the member has started, on cards that stay over every view until they are closed. */

import { getState, update } from "./store.js";

const EXPIRY = 30_000; // ms after which a card of what went well, or was declined, leaves by itself

let number = 0;

/**
 * Does `work(card)` under a card of this name. Returns its result; or null when it failed, which the card
 * says, or when the member declined. `card.step(text)` says how it goes, `card.finish(text)` that it has gone
 * through.
 */
export async function follow(name, work) {
  const card = startCard(name);
  try {
    return await work(card);
  } catch (error) {
    if (error.denied) card.stop(error.message);
    else card.fail(error.message);
    return null;
  }
}

/** Removes a card. */
export function removeCard(id) {
  update({ cards: getState().cards.filter((card) => card.id !== id) });
}

function startCard(name) {
  number += 1;
  const id = number;
  const isRetried = (card) => card.tone === "bad" && card.name === name;
  const isOver = (card) => card.tone === "good" || card.tone === "plain" || isRetried(card);
  const others = getState().cards.filter((card) => !isOver(card));
  update({ cards: [...others, { id, name, tone: "busy", text: "Preparing…" }] });
  const set = (tone, text) =>
    update({ cards: getState().cards.map((card) => (card.id === id ? { ...card, tone, text } : card)) });
  const setLast = (tone, text) => {
    set(tone, text);
    setTimeout(() => removeCard(id), EXPIRY);
  };
  return {
    step: (text) => set("busy", text),
    finish: (text) => setLast("good", text),
    fail: (text) => set("bad", text),
    stop: (text) => (text ? setLast("plain", text) : removeCard(id)),
  };
}
