/** Makes a proposal: a form for what it does, and beside it what would be executed, as the API sees it now. */

import { act } from "../act.js";
import { get } from "../api.js";
import { h } from "../dom.js";
import { draft, forget, keep } from "../drafts.js";
import { fields } from "../fields.js";
import { fieldsOf, KINDS } from "../kinds.js";
import { amount, button } from "../parts.js";
import { shown as previewed, update as preview } from "../preview.js";
import { state } from "../state.js";

export const name = "propose";
const KEY = "proposal";
const EMPTY = { title: "", description: "", actions: [{ id: 1, kind: "create_task", values: {} }] };

export async function load() {
  const me = state.session?.address;
  const [tasks, account] = await Promise.all([
    get("tasks", { limit: 100 }),
    me ? get(`accounts/${me}`) : null,
  ]);
  preview(draft(KEY, EMPTY));
  return { tasks: tasks.items, account };
}

export function render({ tasks, account }) {
  const now = draft(KEY, EMPTY);
  return {
    title: "Propose",
    nodes: [
      h("p", { class: "kicker" }, h("a", { href: "#/proposals" }, "Proposals")),
      h("h1", {}, "Propose"),
      entry(account),
      h("div", { class: "columns" }, form(now, tasks), h("div", { class: "side" }, previewed())),
    ],
  };
}

export function concerns({ kind }) {
  return kind === "account" || kind === "task";
}

function entry(account) {
  const needed = state.network.governance.threshold_wei;
  if (account && BigInt(account.votes_wei) < BigInt(needed)) {
    return h(
      "p",
      { class: "notice warn" },
      "To propose you need votes of ",
      amount(needed),
      "; you have ",
      amount(account.votes_wei),
      ". Delegate to yourself under your account.",
    );
  }
  return h(
    "p",
    { class: "soft" },
    "Whoever has votes of ",
    amount(needed),
    " can propose. What you type stays in this tab until it is proposed.",
  );
}

/** Changes the draft by `edit`; draws the form anew when its shape has changed. */
function change(edit, shape = false) {
  const now = draft(KEY, structuredClone(EMPTY));
  edit(now);
  keep(KEY, now);
  preview(now);
  if (shape) dispatchEvent(new Event("redraw"));
}

function form({ title, description, actions }, tasks) {
  return h(
    "form",
    { class: "propose", onsubmit: submit, autocomplete: "off" },
    h("label", { for: "title" }, "Title"),
    h("input", {
      id: "title",
      required: true,
      maxlength: 120,
      value: title,
      oninput: ({ target }) => change((now) => (now.title = target.value)),
    }),
    h("label", { for: "description" }, "Why"),
    h(
      "textarea",
      {
        id: "description",
        rows: 5,
        maxlength: 8000,
        oninput: ({ target }) => change((now) => (now.description = target.value)),
      },
      description,
    ),
    actions.map((action, index) => one(action, index, actions.length, tasks)),
    h(
      "menu",
      {},
      button("Add another action", { class: "plain", onclick: add }),
      button("Start anew", { class: "plain", onclick: anew }),
    ),
    h("menu", {}, button("Propose", { type: "submit", class: "main" })),
  );
}

function one(action, index, sum, tasks) {
  const { id, kind } = action;
  const edit = (field, text) =>
    change((now) => (now.actions.find((other) => other.id === id).values[field] = text));
  const fill = (values) =>
    change((now) => {
      const mine = now.actions.find((other) => other.id === id);
      mine.values = { ...mine.values, ...values };
      mine.version = (mine.version ?? 0) + 1;
    }, true);
  return h(
    "fieldset",
    { class: "action", "data-key": `action-${id}` },
    h("legend", {}, sum > 1 ? `Action ${index + 1}` : "What would be done"),
    h("label", { for: `kind-${id}`, class: "unseen" }, "Kind of action"),
    h(
      "select",
      {
        id: `kind-${id}`,
        onchange: ({ target }) =>
          change(
            (now) =>
              Object.assign(
                now.actions.find((other) => other.id === id),
                { kind: target.value, values: {} },
              ),
            true,
          ),
      },
      Object.entries(KINDS).map(([value, { label }]) =>
        h("option", { value, selected: value === kind }, label),
      ),
    ),
    h(
      "div",
      { "data-key": `fields-${id}-${kind}-${action.version ?? 0}` },
      fields(action, tasks, edit, fill),
    ),
    sum > 1 &&
      button("Remove this action", {
        class: "plain",
        onclick: () => change((now) => (now.actions = now.actions.filter((other) => other.id !== id)), true),
      }),
  );
}

function add() {
  change(
    (now) =>
      now.actions.push({ id: 1 + Math.max(...now.actions.map(({ id }) => id)), kind: "grant", values: {} }),
    true,
  );
}

function anew() {
  forget(KEY);
  dispatchEvent(new Event("renew"));
}

async function submit(event) {
  event.preventDefault();
  const { title, description, actions } = draft(KEY, EMPTY);
  const read = actions.map((action) => ({ kind: action.kind, ...fieldsOf(action) }));
  const missing = read.find((action) => action.missing);
  if (missing) return event.target.querySelector(":invalid, [aria-invalid]")?.focus();
  const done = await act({
    name: `Propose “${title}”`,
    prepare: "propose",
    body: { title, description, actions: read },
    relay: ({ typed_data: [{ message }], proposal }, signature) => ({
      ...proposal,
      proposer: message.proposer,
      signature,
    }),
  });
  if (!done) return;
  forget(KEY);
  location.hash = `#/proposals/${done.proposal_id}`;
}
