/** Takes what the API says of changes, and says whether the page is live, stale or lost. */

import { get } from "./api.js";
import { hearBlock, hearTime } from "./clock.js";
import { openEventSource } from "./event_source.js";
import { getState, update } from "./store.js";

const SILENCE = 25_000; // ms without an event, after which the API is asked whether it is there
const CHECK = 5_000; // ms

let heardAt = performance.now();
let isBeginning = false; // of the stream: its first status says from which block on it tells what changes

/**
 * Starts to listen: `onEvent` gets {kind, …} for what changed, {kind: "begin", block} when anything may have
 * before that block, {kind: "all"} when anything may have at all. It reconnects by itself, and then anything may.
 */
export function listen(onEvent) {
  const hurry = openEventSource((event) => readEvent(event, onEvent));
  const look = () => (getState().link === "lost" ? hurry() : checkHealth(onEvent));
  addEventListener("online", look);
  document.addEventListener("visibilitychange", () => document.hidden || look());
  setInterval(() => {
    if (performance.now() - heardAt <= SILENCE) return;
    hurry();
    checkHealth(onEvent);
  }, CHECK);
}

function readEvent(event, onEvent) {
  heardAt = performance.now();
  switch (event.kind) {
    case "lost":
      return setLink("lost");
    case "begin":
      isBeginning = true;
      return undefined;
    case "open":
      return onEvent({ kind: "all" });
    case "status":
      setStale(Boolean(event.stale), onEvent);
      if (isBeginning) onEvent({ kind: "begin", block: event.block ?? 0 });
      isBeginning = false;
  }
  if (event.timestamp) hearBlock(event.timestamp);
  if (event.lag_seconds) hearTime((event.timestamp + event.lag_seconds) * 1000);
  onEvent(event);
  if (event.changed) onEvent({ kind: "all" });
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

/** Asks the API how it is. */
async function checkHealth(onEvent) {
  try {
    const health = await get("health");
    heardAt = performance.now();
    setStale(Boolean(health.stale), onEvent);
  } catch {
    setLink("lost");
  }
}
