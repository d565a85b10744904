/** Shows what a proposal would execute, in the API's words, and what speaks against it; brought up to date while typing. */

import { post } from "./api.js";
import { h } from "./dom.js";
import { fieldsOf } from "./kinds.js";
import { notice } from "./parts.js";

const PAUSE = 500; // ms without typing
const UNTRIED = /^set_(voting|late|threshold|quorum)/; // the governor takes these only while it executes them

let now = { missing: [], result: null, problem: null };
let asked = "";
let timer = null;

/** Takes the draft as it is. */
export function update({ title, description, actions }) {
  const read = actions.map((action) => ({ kind: action.kind, ...fieldsOf(action) }));
  const missing = [...(title.trim() ? [] : ["Title"]), ...read.flatMap((action) => action.missing ?? [])];
  const body = { title, description, actions: read };
  const key = JSON.stringify(body);
  if (key === asked) return;
  asked = key;
  clearTimeout(timer);
  if (missing.length) take({ missing, result: null, problem: null });
  else timer = setTimeout(() => ask(body, key), PAUSE);
}

async function ask(body, key) {
  try {
    const result = await post("drafts/preview", body);
    const untried = body.actions.some(({ kind }) => UNTRIED.test(kind));
    if (key === asked) take({ missing: [], result, problem: null, untried });
  } catch (problem) {
    if (key !== asked) return;
    asked = ""; // so that the next keystroke, or coming back, asks again
    take({ missing: [], result: null, problem });
  }
}

function take(next) {
  now = next;
  dispatchEvent(new Event("redraw"));
}

/** The preview as it is. */
export function shown() {
  return h(
    "section",
    { class: "card", "aria-labelledby": "preview", "aria-live": "polite" },
    h("h2", { id: "preview" }, "What would be executed"),
    inside(),
  );
}

function inside() {
  const { missing, result, problem, untried } = now;
  if (problem) return notice(problem.message, "bad");
  if (missing.length) return h("p", { class: "soft" }, `Still to be given: ${missing.join(", ")}.`);
  if (!result) return h("p", { class: "soft" }, "Asking the chain…");
  return [
    result.warnings.map((warning) => notice(warning, "warn")),
    !result.warnings.length &&
      !untried &&
      notice("Tried on the chain as it is now: it would go through.", "good"),
    untried &&
      notice("How is decided cannot be tried before it is executed: look closely at the values.", "warn"),
    h(
      "ol",
      { class: "actions" },
      result.words.map((words) => h("li", {}, words)),
    ),
    h(
      "details",
      {},
      h("summary", {}, "Exactly"),
      h(
        "dl",
        { class: "exact" },
        result.targets.map((target, index) =>
          h(
            "div",
            {},
            h("dt", {}, `To ${target}, ${result.values[index]} wei of ether`),
            h("dd", {}, h("code", {}, result.calldatas[index])),
          ),
        ),
      ),
    ),
  ];
}
