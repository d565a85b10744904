/** Loads what the open view shows, and loads it again as the chain changes, at a bounded pace. */

import { beginReads, get, getOldestBlock } from "./api.js";
import { hearBlock } from "./clock.js";
import { getState, update } from "./store.js";

const TRANSIENT = [429, 503]; // statuses that another try may not get
const RETRY = 3000; // ms
const GATHER = 40; // ms in which events are taken together
const PACE = 400; // ms between two loads when events do not stop
const BURST = 8; // loads that may come faster
const SLOW = 150; // ms, after which the page is marked as busy

let opened = null; // the view of the address: {number, view, args}; null where there is none
let number = 0;
let isLoading = false;
let isDirty = false; // something changed while loading
let neededBlock = 0; // what was read from an older one may have changed without an event
let allowance = BURST; // loads that may come at once, as of `countedAt`
let countedAt = 0; // ms
let timer = null;
let busyTimer = null;

/** Opens a view: `route` is {view, args}, or null where the address has none. */
export function openPage(route) {
  number += 1;
  opened = route && { ...route, number };
  update({ path: location.hash || "#/" });
  clearTimeout(busyTimer);
  if (!route) return showPage({ number, failure: `There is nothing at ${location.hash}.` });
  busyTimer = setTimeout(() => update({ isBusy: true }), SLOW);
  return loadPage();
}

/** Loads the open view again, soon: many calls become one load. */
export function refreshPage() {
  clearTimeout(timer);
  const now = performance.now();
  allowance = Math.min(BURST, allowance + (now - countedAt) / PACE);
  countedAt = now;
  timer = setTimeout(loadPage, allowance >= 1 ? GATHER : (1 - allowance) * PACE);
}

/** Takes an event of the API: loads again what it concerns. */
export function handleEvent(event) {
  const isAnything = event.kind === "all" || event.kind === "reorg";
  if (event.kind === "status") return update({ head: event });
  if (event.kind === "begin") {
    neededBlock = event.block;
    if (getState().network?.as_of.block < neededBlock) loadNetwork().catch(() => null);
    if (!isLoading && getOldestBlock() < neededBlock) refreshPage();
    return;
  }
  if (isAnything || event.kind === "proposal") loadNetwork().catch(() => null);
  if (isAnything || opened?.view.isAffectedBy(event, ...opened.args)) refreshPage();
}

async function loadNetwork() {
  setNetwork(await get("network"));
}

/** Takes the network as the API has it. */
export function setNetwork(network) {
  hearBlock(network.as_of.timestamp);
  update({ network });
}

async function loadPage() {
  if (!opened) return;
  if (isLoading) {
    isDirty = true;
    return;
  }
  isLoading = true;
  allowance -= 1;
  const mine = opened;
  try {
    beginReads();
    if (!getState().network && !mine.view.hasNetwork) await loadNetwork();
    const data = await mine.view.load(...mine.args);
    if (mine.view.hasNetwork) setNetwork(data.network);
    if (mine === opened) showPage({ ...mine, data });
  } catch (problem) {
    if (mine === opened && !getShownData(mine)) showPage({ ...mine, failure: problem.message });
    if (TRANSIENT.includes(problem.status)) setTimeout(refreshPage, RETRY);
  } finally {
    isLoading = false;
  }
  if (mine !== opened) return loadPage();
  if (isDirty || getOldestBlock() < neededBlock) refreshPage();
  isDirty = false;
}

function showPage(page) {
  clearTimeout(busyTimer);
  const before = getShownData(page);
  const words = before && page.data && page.view.announce?.(before, page.data);
  update({
    page: { view: null, args: [], data: null, failure: null, ...page },
    isBusy: false,
    ...(words && { announcement: words }),
  });
}

function getShownData({ number: wanted }) {
  const { page } = getState();
  return page.number === wanted ? page.data : null;
}
