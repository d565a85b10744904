/** Begins drafts of proposals: from templates, plain ones first, and from files as `dao propose --file` takes them. */

import { writeFields } from "./fields.js";
import { KINDS } from "./kinds.js";

const MOST = 400_000; // bytes of a file
const WHY = "## Why\n\n\n## What changes\n\n";

/** The templates: what the proposal begins with, by the kind of its action. */
export const TEMPLATES = [
  { label: "a grant", kind: "grant", description: "## For what\n\n\n## Until when\n\n" },
  { label: "more funds for a task", kind: "fund", description: "## How many rounds it pays\n\n" },
  { label: "a member to admit or remove", kind: "admit", description: "## Who it is\n\n\n## Why\n\n" },
  {
    label: "a decision on a challenged result",
    kind: "resolve",
    description: "## What was challenged\n\n\n## What an audit shows\n\n",
  },
  { label: "other rules for a task", kind: "change_rules", description: WHY },
  { label: "another quorum", kind: "set_quorum", description: WHY },
  { label: "a new task", kind: "create_task", description: "## What is trained\n\n\n## What it is for\n\n" },
];

/** Returns a draft with nothing in it. */
export function makeEmptyDraft() {
  return { title: "", description: "", actions: [{ id: 1, kind: "grant", values: {} }] };
}

/** Returns a draft from a template, with first values where some are known. */
export function makeDraft({ kind, description }, values = {}) {
  return { title: "", description, actions: [{ id: 1, kind, values }] };
}

/** Tells whether nothing was typed into a draft. */
export function isUntouched({ title, description, actions }) {
  const isTemplate = !description || TEMPLATES.some((one) => one.description === description);
  return !title && isTemplate && actions.every(({ values }) => !Object.keys(values).length);
}

/** Returns the draft in a file's text; throws an Error that says what is wrong with it. */
export function parseDraft(text, schema) {
  if (text.length > MOST) throw new Error("The file is too large for a proposal.");
  const file = parseJson(text);
  const { title = "", description = "", actions } = file ?? {};
  if (
    typeof title !== "string" ||
    typeof description !== "string" ||
    !Array.isArray(actions) ||
    !actions.length
  )
    throw new Error(
      'The file has no proposal: expected {"title", "description", "actions": [{"kind", "fields"}]}.',
    );
  return {
    title,
    description,
    actions: actions.map((action, index) => readAction(action, index + 1, schema)),
  };
}

function parseJson(text) {
  try {
    return JSON.parse(text);
  } catch {
    throw new Error("The file is no JSON.");
  }
}

function readAction(action, id, schema) {
  const { kind, fields } = action ?? {};
  if (!Object.hasOwn(KINDS, kind))
    throw new Error(`Action ${id}: “${kind}” has no form here; use dao propose --file.`);
  try {
    return { id, kind, values: writeFields({ kind, fields: fields ?? {} }, schema) };
  } catch {
    throw new Error(`Action ${id}: its fields are not those of “${KINDS[kind].label}”.`);
  }
}
