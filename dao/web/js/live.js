/**
 * Hears what happens by server-sent events, and says how fresh the page is: live, stale (the API has lost its chain) or
 * lost (the page has lost the API). Comes back by itself, and then everything is read again.
 */

import { eventsUrl, get } from "./api.js";
import { heardBlock } from "./clock.js";
import { state, update } from "./state.js";

const KINDS = ["round", "proposal", "vote", "task", "supernode", "account", "reorg", "status"];
const FIRST_WAIT = 500; // ms; doubles
const LAST_WAIT = 8_000;
const SILENCE = 25_000; // ms without an event, after which the API is asked whether it is there
const CHECK = 5_000;

let source = null;
let wait = FIRST_WAIT;
let heard = performance.now();
let timer = null;

/** Starts to listen: `onEvent` gets {kind, …} for what changed, {kind: "all"} when anything may have. */
export function listen(onEvent) {
  const open = () => {
    clearTimeout(timer);
    source?.close();
    source = new EventSource(eventsUrl());
    source.onopen = () => {
      heard = performance.now();
      wait = FIRST_WAIT;
      check(onEvent);
      onEvent({ kind: "all" }); // what was read before may be older than the stream
    };
    source.onerror = () => {
      become("lost");
      source.close();
      timer = setTimeout(open, wait);
      wait = Math.min(LAST_WAIT, wait * 2);
    };
    for (const kind of KINDS) source.addEventListener(kind, (event) => take(kind, event, onEvent));
  };
  const hurry = () => (state.link === "lost" ? open() : check(onEvent));
  addEventListener("online", hurry);
  document.addEventListener("visibilitychange", () => document.hidden || hurry());
  setInterval(() => {
    if (state.link !== "lost" && performance.now() - heard > SILENCE) check(onEvent, open);
  }, CHECK);
  open();
}

function take(kind, event, onEvent) {
  heard = performance.now();
  const data = { ...JSON.parse(event.data), kind };
  if (data.timestamp) heardBlock(data.timestamp);
  if (kind === "status") fresh(Boolean(data.stale), onEvent);
  onEvent(data);
  if (data.changed) onEvent({ kind: "all" });
}

function fresh(stale, onEvent) {
  const link = stale ? "stale" : "live";
  if (state.link === link) return;
  become(link);
  if (!stale) onEvent({ kind: "all" });
}

function become(link) {
  update({ link, staleSince: link === "live" ? null : (state.staleSince ?? Date.now()) });
}

/** Asks the API how it is; `reopen` when the stream was silent and the API does not answer either. */
async function check(onEvent, reopen) {
  try {
    const health = await get("health");
    heard = performance.now();
    fresh(Boolean(health.stale), onEvent);
  } catch {
    become("lost");
    reopen?.();
  }
}
