/** Makes a proposal: a form, and beside it what would be executed, as the API sees it now. */

import { get } from "../api.js";
import { ActionForm } from "../components/action_form.js";
import { Amount, Notice } from "../components/parts.js";
import { Preview } from "../components/preview.js";
import { forgetDraft, useDraft } from "../drafts.js";
import { readFields } from "../forms/fields.js";
import { readSchema } from "../forms/schema.js";
import { isUntouched, makeDraft, makeEmptyDraft, parseDraft, TEMPLATES } from "../forms/templates.js";
import { html, useEffect, useState } from "../html.js";
import { askMember } from "../questions.js";
import { getState, useStore } from "../store.js";
import { transact } from "../transact.js";

const KEY = "proposal";

export async function load() {
  const me = getState().session?.address;
  const [tasks, account, schema] = await Promise.all([
    get("tasks", { limit: 100 }),
    me ? get(`accounts/${me}`) : null,
    readSchema(),
  ]);
  return { tasks: tasks.items, account, schema };
}

export function getTitle() {
  return "Propose";
}

export function isAffectedBy({ kind }) {
  return kind === "account" || kind === "task";
}

export function View({ data: { tasks, account, schema }, args: [task, round] }) {
  const [draft, setDraft] = useDraft(KEY, makeEmptyDraft());
  useEffect(() => {
    if (round && isUntouched(draft)) setDraft(makeDraft(findTemplate("resolve"), { task, round }));
  }, [task, round]);
  const startAnew = () => {
    setDraft(makeEmptyDraft());
    forgetDraft(KEY);
    document.getElementById("main").focus({ preventScroll: true });
    scrollTo(0, 0);
  };
  return html`
    <p class="kicker"><a href="#/proposals">Proposals</a></p>
    <h1>Propose</h1>
    <${Threshold} account=${account} />
    <${Beginning} draft=${draft} schema=${schema} onDraft=${setDraft} />
    <div class="columns">
      <${ProposalForm}
        draft=${draft}
        onChange=${setDraft}
        onClear=${startAnew}
        tasks=${tasks}
        schema=${schema}
      />
      <div class="side"><${Preview} draft=${draft} schema=${schema} /></div>
    </div>
  `;
}

/** Says how many votes a proposer needs, and whether the member has them. */
function Threshold({ account }) {
  const { threshold_wei: needed } = useStore().network.governance;
  if (!account || BigInt(account.votes_wei) >= BigInt(needed)) {
    return html`
      <p class="soft">
        To propose you need votes of <${Amount} wei=${needed} />. What you type stays in this tab until it is
        proposed.
      </p>
    `;
  }
  return html`
    <${Notice} tone="warn">
      To propose you need votes of <${Amount} wei=${needed} />; you have <${Amount} wei=${account.votes_wei} />.${" "}
      Delegate to yourself under your account.
    </${Notice}>
  `;
}

function findTemplate(kind) {
  return TEMPLATES.find((one) => one.kind === kind);
}

/** Where a draft may come from: a template, or a file. What was typed is replaced only where the reader agrees. */
function Beginning({ draft, schema, onDraft }) {
  const [failure, setFailure] = useState(null);
  const replace = async (made) => {
    setFailure(null);
    if (isUntouched(draft) || (await askToReplace())) onDraft(made);
  };
  const readFile = async ({ target }) => {
    const [file] = target.files;
    if (!file) return;
    try {
      await replace(parseDraft(await file.text(), schema));
    } catch (error) {
      setFailure(error.message);
    }
    target.value = "";
  };
  const readTemplate = ({ target }) => {
    if (target.value) replace(makeDraft(findTemplate(target.value)));
    target.value = "";
  };
  return html`
    <div class="beginning">
      <p class="filter">
        <label for="template">${"Begin with "}</label>
        <select id="template" onChange=${readTemplate}>
          <option value="">choose…</option>
          ${TEMPLATES.map(({ kind, label }) => html`<option key=${kind} value=${kind}>${label}</option>`)}
        </select>
      </p>
      <p class="filter">
        <label for="file">${"or with a file "}</label>
        <input id="file" type="file" accept="application/json,.json" onChange=${readFile} />
      </p>
    </div>
    ${failure && html`<${Notice} tone="bad">${failure}</${Notice}>`}
  `;
}

function askToReplace() {
  return askMember({
    title: "Replace what you typed?",
    lines: ["The draft that stands here would be gone."],
    yes: "Replace it",
  });
}

function ProposalForm({ draft, onChange, onClear, tasks, schema }) {
  const { title, description, actions } = draft;
  const change = (part) => onChange({ ...draft, ...part });
  const changeAction = (action) =>
    change({ actions: actions.map((other) => (other.id === action.id ? action : other)) });
  const removeAction = (id) => change({ actions: actions.filter((action) => action.id !== id) });
  const addAction = () => {
    const id = 1 + Math.max(...actions.map((action) => action.id));
    change({ actions: [...actions, { id, kind: "grant", values: {} }] });
  };
  const isAlone = actions.length === 1;
  return html`
    <form class="propose" autocomplete="off" onSubmit=${(event) => submit(event, draft, schema)}>
      <label for="title">Title</label>
      <input
        id="title"
        required
        maxlength=${schema.titleLength}
        value=${title}
        onInput=${({ target }) => change({ title: target.value })}
      />
      <label for="description">Why</label>
      <textarea
        id="description"
        rows="5"
        maxlength=${schema.descriptionLength}
        value=${description}
        onInput=${({ target }) => change({ description: target.value })}
      />
      ${actions.map(
        (action, index) => html`
          <${ActionForm}
            key=${action.id}
            action=${action}
            legend=${isAlone ? "What would be done" : `Action ${index + 1}`}
            tasks=${tasks}
            schema=${schema}
            onChange=${changeAction}
            onRemove=${isAlone ? null : () => removeAction(action.id)}
          />
        `,
      )}
      <menu>
        ${
          actions.length < schema.actions &&
          html`<button type="button" class="plain" onClick=${addAction}>Add another action</button>`
        }
        <button type="button" class="plain" onClick=${onClear}>Start anew</button>
      </menu>
      <menu><button type="submit" class="main">Propose</button></menu>
    </form>
  `;
}

async function submit(event, { title, description, actions }, schema) {
  event.preventDefault();
  const forms = actions.map((action) => ({ kind: action.kind, ...readFields(action, schema) }));
  if (forms.some((form) => form.missing)) {
    event.target.querySelector(":invalid, [aria-invalid]")?.focus();
    return;
  }
  const prepared = await transact({
    name: `Propose “${title}”`,
    prepare: "propose",
    body: { title, description, actions: forms },
    relay: ({ typed_data: [{ message }], proposal }, signature) => ({
      ...proposal,
      proposer: message.proposer,
      signature,
    }),
  });
  if (!prepared) return;
  forgetDraft(KEY);
  location.hash = `#/proposals/${prepared.proposal_id}`;
}
