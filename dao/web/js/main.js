/** Starts the page: shows the view of the address, and keeps it and the frame around it up to date. */

import { get } from "./api.js";
import { heardBlock } from "./clock.js";
import { h, plain, show } from "./dom.js";
import { count } from "./format.js";
import { listen } from "./live.js";
import { notice, when } from "./parts.js";
import { viewOf } from "./router.js";
import { resume } from "./session.js";
import { state, update, watch } from "./state.js";

const BUSY = [429, 503]; // answers that another try may not get
const RETRY = 3000; // ms
const GATHER = 40; // ms in which events are taken together
const PACE = 400; // ms between two readings when events do not stop
const BURST = 8; // readings that may come faster
const main = document.getElementById("main");
let current = null; // {view, args, data}; null where there is nothing
let number = 0;
let timer = null;
let again = false;
let loading = false;
let left = BURST; // readings, as of `counted`
let counted = 0; // ms

/** Shows the view of the address from the start. */
async function go() {
  const found = viewOf(location.hash);
  if (!found && location.hash && !location.hash.startsWith("#/")) return; // a place within the view
  number += 1;
  current = found && { ...found, data: null };
  for (const link of document.querySelectorAll("header nav a")) {
    if (link.getAttribute("href") === (location.hash || "#/")) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  if (!found) return draw(failure(`There is nothing at ${location.hash}.`));
  const busy = setTimeout(() => main.setAttribute("aria-busy", "true"), 150);
  await refresh();
  clearTimeout(busy);
  main.removeAttribute("aria-busy");
  if (number > 1) main.focus({ preventScroll: true });
  scrollTo(0, 0);
}

/** Reads again what the view shows, and shows what has changed. */
async function refresh() {
  if (!current) return;
  if (loading) {
    again = true;
    return;
  }
  loading = true;
  left -= 1;
  const mine = current;
  try {
    if (!state.network) await readNetwork();
    const data = await mine.view.load(...mine.args);
    if (mine === current) take(data);
  } catch (problem) {
    if (mine === current && !mine.data) draw(failure(problem.message));
    if (BUSY.includes(problem.status)) setTimeout(soon, RETRY);
  } finally {
    loading = false;
  }
  if (mine !== current) return refresh();
  if (again) soon();
  again = false;
  redraw();
}

function failure(sentence) {
  return [h("h1", {}, "This cannot be shown"), notice(sentence, "bad")];
}

function take(data) {
  const words = current.data && current.view.announce?.(current.data, data);
  if (words) document.getElementById("announce").textContent = words;
  current.data = data;
}

function redraw() {
  if (!current?.data) return;
  const { title, nodes } = current.view.render(current.data, ...current.args);
  document.title = title === "Commonweight" ? title : `${plain(title)} · Commonweight`;
  draw(nodes);
}

function draw(nodes) {
  show(main, h("div", { "data-key": `view-${number}`, class: `view ${current?.view.name ?? ""}` }, nodes));
}

function soon() {
  clearTimeout(timer);
  const now = performance.now();
  left = Math.min(BURST, left + (now - counted) / PACE);
  counted = now;
  timer = setTimeout(refresh, left >= 1 ? GATHER : (1 - left) * PACE);
}

async function readNetwork() {
  const network = await get("network");
  heardBlock(network.as_of.timestamp);
  update({ network });
}

function onEvent(event) {
  if (event.kind === "all" || event.kind === "reorg" || event.kind === "proposal")
    readNetwork().catch(() => null);
  if (event.kind === "status") return frame(event);
  if (!current) return;
  if (event.kind === "all" || event.kind === "reorg" || current.view.concerns(event, ...current.args)) soon();
}

function frame(status = {}) {
  const { link, network, session } = state;
  const line = document.getElementById("connection");
  line.hidden = link === "live";
  line.className = link;
  const since = state.staleSince ? ` since ${new Date(state.staleSince).toLocaleTimeString("en-GB")}` : "";
  line.textContent =
    link === "lost"
      ? `No connection to the API${since}: what you see may be old. Trying again…`
      : `The API does not hear from its chain${since}: what you see may be old.`;
  document.body.dataset.link = link;
  const me = document.getElementById("account");
  me.textContent = session ? `${session.address.slice(0, 6)}…` : "Connect";
  me.title = session ? `Signed in as ${session.address}` : "";
  if (!network) return;
  const { governor } = network.contracts;
  show(
    document.getElementById("footer"),
    h(
      "p",
      {},
      `${network.name} on chain ${network.chain_id}, block ${count(status.block ?? network.as_of.block)}, `,
      when(status.timestamp ?? network.as_of.timestamp),
    ),
    h("p", {}, "Governor ", h("code", {}, governor)),
    h("p", {}, h("a", { href: "api/v1/openapi.json" }, "The API"), " gives everything that this page shows."),
  );
}

document.querySelector(".skip").onclick = (event) => {
  event.preventDefault();
  main.focus();
};
main.addEventListener("elapsed", soon);
addEventListener("refresh", soon);
addEventListener("redraw", redraw);
addEventListener("renew", go);
addEventListener("hashchange", go);
let reader = null;
watch(({ session }) => {
  frame();
  redraw();
  if (reader !== session) soon();
  reader = session;
});
resume().catch(() => null);
go();
listen(onEvent);
