/** Hears from the API what changes: by one stream for all tabs of a browser, by asking where the stream is refused. */

import { get, getEventsUrl } from "./api.js";

const KINDS = ["round", "proposal", "vote", "task", "supernode", "account", "reorg", "status"];
const NAME = "commonweight-events"; // of the lock that the listening tab has, and of the tabs' channel
const FIRST_WAIT = 500; // ms; doubles
const LAST_WAIT = 60_000;
const POLL = 4_000; // ms

/**
 * Calls `onEvent({kind, …})` with what the API sends; kind "begin": the first stream of the browser has begun,
 * "open": another one has, and events may have been missed; "lost": the API does not answer. Returns a function that has the API tried again at once.
 *
 * A browser opens few connections to one address, so that one tab listens, the one that has the lock, and tells
 * the others. Where there are no locks (a page from another machine without https), each tab asks instead.
 */
export function openEventSource(onEvent) {
  const channel = new BroadcastChannel(NAME);
  let source = null;
  channel.onmessage = ({ data: event }) => {
    if (event.kind !== "hurry") onEvent(event);
    else source?.hurry();
  };
  const send = (event) => {
    channel.postMessage(event);
    onEvent(event);
  };
  if (navigator.locks) {
    const lead = (kind) => {
      source = startStream(send, kind);
      return new Promise(() => {}); // the lock is kept until the tab closes
    };
    const wait = () => navigator.locks.request(NAME, () => lead("open"));
    navigator.locks.request(NAME, { ifAvailable: true }, (lock) => {
      if (lock) return lead("begin");
      wait();
      return undefined;
    });
  } else {
    source = startPolling(onEvent);
  }
  return () => (source ? source.hurry() : channel.postMessage({ kind: "hurry" }));
}

/**
 * Listens to the stream, and sends `kind` when that has begun; while there is none, asks the API, and tries the
 * stream again ever more slowly.
 */
function startStream(send, kind) {
  let opening = kind;
  let stream = null;
  let polling = null;
  let wait = FIRST_WAIT;
  let timer = null;
  const open = () => {
    clearTimeout(timer);
    stream?.close();
    stream = new EventSource(getEventsUrl());
    stream.onopen = () => {
      wait = FIRST_WAIT;
      polling?.end();
      polling = null;
      send({ kind: opening });
      opening = "open";
    };
    stream.onerror = () => {
      stream.close();
      polling ??= startPolling(send);
      timer = setTimeout(open, wait);
      wait = Math.min(LAST_WAIT, wait * 2);
    };
    for (const kind of KINDS) {
      stream.addEventListener(kind, ({ data }) => send({ ...JSON.parse(data), kind }));
    }
  };
  const hurry = () => {
    if (!polling) return;
    wait = FIRST_WAIT;
    open();
  };
  open();
  return { hurry };
}

/** Asks how far the API is, and has everything read again when that has changed. */
function startPolling(send) {
  let block = null;
  let timer = null;
  let isAsking = false;
  let isOver = false;
  const ask = async () => {
    if (isAsking) return;
    isAsking = true;
    clearTimeout(timer);
    const status = await get("health").catch(() => null);
    isAsking = false;
    if (isOver) return;
    if (!status) {
      send({ kind: "lost" });
    } else {
      send({ ...status, kind: "status", block: status.indexed_block });
      if (status.indexed_block !== block) send({ kind: "open" });
      block = status.indexed_block;
    }
    timer = setTimeout(ask, POLL);
  };
  ask();
  const end = () => {
    isOver = true;
    clearTimeout(timer);
  };
  return { hurry: ask, end };
}
