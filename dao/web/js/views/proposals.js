/** All proposals, newest first, by state. */

import { get } from "../api.js";
import { h } from "../dom.js";
import { button } from "../parts.js";
import { list } from "../proposals.js";

export const name = "proposals";
const PAGE = 25;
const STATES = ["active", "pending", "succeeded", "queued", "executed", "defeated", "canceled"];

let wanted = null; // state
let shown = PAGE;

export async function load() {
  const items = [];
  let cursor = null;
  do {
    const page = await get("proposals", { state: wanted, cursor, limit: PAGE });
    items.push(...page.items);
    cursor = page.next;
  } while (cursor && items.length < shown);
  return { items, more: cursor !== null };
}

export function render({ items, more }) {
  const choice = h(
    "select",
    { id: "state", onchange: ({ target }) => again({ state: target.value || null }) },
    h("option", { value: "" }, "all states"),
    STATES.map((word) => h("option", { value: word }, word)),
  );
  return {
    title: "Proposals",
    nodes: [
      h(
        "div",
        { class: "heading" },
        h("h1", {}, "Proposals"),
        button("Propose", { href: "#/propose", class: "button" }),
      ),
      h("p", { class: "filter" }, h("label", { for: "state" }, "Show "), choice),
      list(items, wanted ? `No proposal is ${wanted}.` : undefined),
      more && button("Show more", { class: "plain", onclick: () => again({ count: shown + PAGE }) }),
    ],
  };
}

export function concerns({ kind }) {
  return kind === "proposal" || kind === "vote";
}

function again({ state = wanted, count = PAGE }) {
  wanted = state;
  shown = count;
  dispatchEvent(new Event("refresh"));
}
