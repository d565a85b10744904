/** Shows what the reader has started and how it goes, on every view, until it is closed. */

import { h } from "./dom.js";

const list = document.getElementById("activity");
const GONE = 30_000; // ms after which what went well, or was declined, leaves by itself, if nothing else is begun before

/**
 * Does `work(card)` under a card of this name; gives what it gives, or null when it failed, which the card says, or the
 * reader said no: then the card says what came of that, if anything. `card.step(text)` says how it goes,
 * `card.done(text)` that it is over.
 */
export async function follow(name, work) {
  const card = start(name);
  try {
    return await work(card);
  } catch (error) {
    if (error.denied) card.stopped(error.message);
    else card.failed(error.message);
    return null;
  }
}

function start(name) {
  const text = h("p", {}, "Preparing…");
  const close = h("button", { type: "button", class: "close", "aria-label": "Close" }, "×");
  const card = h("article", { class: "busy", "data-name": name }, h("h3", {}, name), text, close);
  close.onclick = () => card.remove();
  for (const other of [...list.children]) {
    const again = other.className === "bad" && other.dataset.name === name; // what failed is tried again
    if (again || ["good", "plain"].includes(other.className)) other.remove();
  }
  list.append(card);
  const say = (tone, words) => {
    card.className = tone;
    text.textContent = words;
  };
  const last = (tone, words) => {
    say(tone, words);
    setTimeout(() => card.remove(), GONE);
  };
  return {
    step: (words) => say("busy", words),
    done: (words) => last("good", words),
    failed: (words) => say("bad", words),
    stopped: (words) => (words ? last("plain", words) : card.remove()),
  };
}
