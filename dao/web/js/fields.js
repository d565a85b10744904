/** Draws the fields of one action of a proposal, each with its label, unit and what is wrong with it. */

import { h } from "./dom.js";
import { duration, weiOf } from "./format.js";
import { digestOf, groupsOf, KINDS, secondsOf, typed } from "./kinds.js";
import { symbol } from "./state.js";

const WORDS = {
  tokens: () => [
    "decimal",
    (text) => weiOf(text) !== null,
    `an amount of ${symbol()} such as 1.5 or 1,000, at most 18 decimals`,
  ],
  count: () => ["numeric", (text) => /^\d{1,15}$/.test(text), "a whole number"],
  address: () => [null, (text) => /^0x[0-9a-fA-F]{40}$/.test(text), "an address: 0x and 40 hex digits"],
};

/** The fields of an action; `edit(name, text)` takes what is typed, `fill(values)` takes many at once. */
export function fields(action, tasks, edit, fill) {
  const { copies, keeps } = KINDS[action.kind];
  const rulesOf = (id) => typed(tasks.find(({ task }) => String(task) === id)?.rules ?? {});
  const take = ({ name, type }, text) =>
    keeps && type === "task" ? fill({ task: text, ...rulesOf(text) }) : edit(name, text);
  return [
    copies && tasks.length > 0 && copy(action, tasks, (id) => fill(rulesOf(id))),
    groupsOf(action).map(({ heading, fields: list }) =>
      h(
        "div",
        { class: "group" },
        heading && h("h3", {}, heading),
        list.map((field) => one(field, action, tasks, (text) => take(field, text))),
      ),
    ),
  ];
}

function copy(action, tasks, take) {
  const id = `copy-${action.id}`;
  return h(
    "p",
    { class: "filter" },
    h("label", { for: id }, "Take over the rules of "),
    h(
      "select",
      { id, onchange: ({ target }) => target.value && take(target.value) },
      h("option", { value: "" }, "choose…"),
      options(tasks),
    ),
  );
}

function options(tasks, value) {
  return tasks.map(({ task }) =>
    h("option", { value: task, selected: String(task) === value }, `Task ${task}`),
  );
}

function one(field, action, tasks, take) {
  const id = `${field.name.replace(".", "-")}-${action.id}`;
  const value = action.values[field.name] ?? field.start ?? "";
  if (field.type === "yes") {
    const box = h("input", {
      id,
      type: "checkbox",
      checked: value === "yes",
      onchange: ({ target }) => take(target.checked ? "yes" : ""),
    });
    return h("label", { class: "check", for: id }, box, field.label);
  }
  const list = choices(field, tasks, value);
  if (list) {
    return h(
      "div",
      { class: "field" },
      h("label", { for: id }, field.label),
      h("select", { id, onchange: ({ target }) => take(target.value) }, list),
    );
  }
  return typing(field, id, value, take);
}

function choices({ type }, tasks, value) {
  const named = (words) => words.map((word) => h("option", { value: word, selected: word === value }, word));
  if (type === "task") return [h("option", { value: "" }, "choose…"), options(tasks, value)];
  if (type === "codec") return named(["int8", "float32"]);
  return null;
}

function typing(field, id, value, take) {
  const [mode, fits, words] = WORDS[field.type]?.() ?? [null, null, field.hint];
  const good = (text) =>
    fits
      ? fits(text.trim())
      : field.type === "seconds"
        ? secondsOf(text) !== null
        : digestOf(text.trim()) !== null;
  const note = (text) => {
    if (text && !good(text)) return `Expected ${words}.`;
    if (field.type === "seconds" && text) return `${duration(secondsOf(text))} (${secondsOf(text)} seconds)`;
    return field.hint ?? "";
  };
  const hint = h("small", { id: `${id}-hint` }, note(value));
  const oninput = ({ target }) => {
    const wrong = Boolean(target.value) && !good(target.value);
    if (wrong) target.setAttribute("aria-invalid", "true");
    else target.removeAttribute("aria-invalid");
    document.getElementById(`${id}-hint`).textContent = note(target.value);
    take(target.value);
  };
  const input = h("input", {
    id,
    required: true,
    inputmode: mode,
    spellcheck: "false",
    value,
    "aria-invalid": value !== "" && !good(value) ? "true" : null,
    "aria-describedby": `${id}-hint`,
    oninput,
  });
  const unit = field.type === "tokens" && h("span", { class: "unit" }, symbol());
  return h(
    "div",
    { class: "field" },
    h("label", { for: id }, field.label),
    h("span", { class: "with-unit" }, input, unit),
    hint,
  );
}
