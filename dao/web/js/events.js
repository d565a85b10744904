/** Hears by server-sent events what changes, and says whether the page is live, stale or lost. */

import { get, getEventsUrl } from "./api.js";
import { hearBlock } from "./clock.js";
import { getState, update } from "./store.js";

const KINDS = ["round", "proposal", "vote", "task", "supernode", "account", "reorg", "status"];
const FIRST_WAIT = 500; // ms; doubles
const LAST_WAIT = 8_000;
const SILENCE = 25_000; // ms without an event, after which the API is asked whether it is there
const CHECK = 5_000; // ms

let source = null;
let wait = FIRST_WAIT;
let heardAt = performance.now();
let timer = null;

/**
 * Starts to listen: `onEvent` gets {kind, …} for what changed, {kind: "all"} when anything may have. It
 * reconnects by itself, and then anything may have.
 */
export function listen(onEvent) {
  const open = () => {
    clearTimeout(timer);
    source?.close();
    source = new EventSource(getEventsUrl());
    source.onopen = () => {
      heardAt = performance.now();
      wait = FIRST_WAIT;
      checkHealth(onEvent);
      onEvent({ kind: "all" }); // what was read before may be older than the stream
    };
    source.onerror = () => {
      setLink("lost");
      source.close();
      timer = setTimeout(open, wait);
      wait = Math.min(LAST_WAIT, wait * 2);
    };
    for (const kind of KINDS) source.addEventListener(kind, (event) => readEvent(kind, event, onEvent));
  };
  const hurry = () => (getState().link === "lost" ? open() : checkHealth(onEvent));
  addEventListener("online", hurry);
  document.addEventListener("visibilitychange", () => document.hidden || hurry());
  setInterval(() => {
    if (getState().link !== "lost" && performance.now() - heardAt > SILENCE) checkHealth(onEvent, open);
  }, CHECK);
  open();
}

function readEvent(kind, event, onEvent) {
  heardAt = performance.now();
  const data = { ...JSON.parse(event.data), kind };
  if (data.timestamp) hearBlock(data.timestamp);
  if (kind === "status") setStale(Boolean(data.stale), onEvent);
  onEvent(data);
  if (data.changed) onEvent({ kind: "all" });
}

function setStale(isStale, onEvent) {
  const link = isStale ? "stale" : "live";
  if (getState().link === link) return;
  setLink(link);
  if (!isStale) onEvent({ kind: "all" });
}

function setLink(link) {
  update({ link, staleSince: link === "live" ? null : (getState().staleSince ?? Date.now()) });
}

/**
 * Asks the API how it is; `reopen` is called when the stream was silent and the API does not answer either.
 */
async function checkHealth(onEvent, reopen) {
  try {
    const health = await get("health");
    heardAt = performance.now();
    setStale(Boolean(health.stale), onEvent);
  } catch {
    setLink("lost");
    reopen?.();
  }
}
