/** Asks before something is done: a dialog that says in words what it is. */

import { h } from "./dom.js";

const dialog = document.getElementById("dialog");
let last = Promise.resolve();

/**
 * Shows `title`, `lines` (sentences or nodes) and `more` (what is exact, folded); resolves to true when agreed to.
 * Esc and Cancel mean no. A second question waits for the first.
 */
export function ask(question) {
  last = last.then(() => put(question));
  return last;
}

function put({ title, lines, more = null, yes, no = "Cancel" }) {
  return new Promise((resolve) => {
    dialog.replaceChildren(
      h(
        "form",
        { method: "dialog" },
        h("h2", { id: "dialog-title" }, title),
        lines.map((line) => (line instanceof Node ? line : h("p", {}, line))),
        more && h("details", {}, h("summary", {}, "Exactly as your wallet gets it"), h("pre", {}, more)),
        h(
          "menu",
          {},
          h("button", { value: "no", class: "plain" }, no),
          h("button", { value: "yes", class: "main" }, yes),
        ),
      ),
    );
    dialog.returnValue = "no";
    dialog.onclose = () => resolve(dialog.returnValue === "yes");
    dialog.showModal();
    dialog.querySelector('button[value="yes"]').focus();
  });
}

/** Lets one of several be chosen: `options` are {label, value}; resolves to a value or null. */
export async function choose(title, options) {
  if (options.length < 2) return options[0]?.value ?? null;
  const name = "choice";
  const list = h(
    "fieldset",
    {},
    h("legend", { class: "unseen" }, title),
    options.map(({ label }, index) =>
      h(
        "label",
        { class: "check" },
        h("input", { type: "radio", name, value: index, checked: index === 0 }),
        label,
      ),
    ),
  );
  const agreed = await ask({ title, lines: [list], yes: "Use this one" });
  return agreed ? options[Number(list.querySelector("input:checked").value)].value : null;
}
