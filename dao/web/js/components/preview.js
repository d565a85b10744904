/** Shows what a proposal being typed would execute, in the API's words, and what speaks against it. */

import { post } from "../api.js";
import { readFields } from "../forms/fields.js";
import { html, useEffect, useState } from "../html.js";
import { CopyButton, Notice } from "./parts.js";

const PAUSE = 500; // ms without typing
const RETRY = 3000; // ms
const TRANSIENT = [0, 429, 503]; // statuses that another try may not get
const NO_ANSWER = { result: null, problem: null, isUntried: false };
const UNTRIED = /^set_(voting|late|threshold|quorum)/; // the governor takes these only while it executes them

/**
 * Returns the preview of a draft: {missing, result, problem, isUntried}, that of the draft before while the
 * API is asked.
 */
function usePreview({ title, description, actions }, schema) {
  const [answer, setAnswer] = useState(NO_ANSWER);
  const [attempt, setAttempt] = useState(0);
  const forms = actions.map((action) => ({ kind: action.kind, ...readFields(action, schema) }));
  const missing = [...(title.trim() ? [] : ["Title"]), ...forms.flatMap((form) => form.missing ?? [])];
  const body = JSON.stringify({ title, description, actions: forms });
  useEffect(() => {
    if (missing.length) return setAnswer(NO_ANSWER);
    let timer = null;
    let isOld = false;
    const ask = async () => {
      const next = await postDraft(JSON.parse(body));
      if (isOld) return;
      setAnswer(next);
      const { problem } = next;
      if (TRANSIENT.includes(problem?.status)) timer = setTimeout(() => setAttempt(attempt + 1), RETRY);
    };
    timer = setTimeout(ask, PAUSE);
    return () => {
      isOld = true;
      clearTimeout(timer);
    };
  }, [body, attempt]);
  return { missing, ...answer };
}

async function postDraft(draft) {
  const isUntried = draft.actions.some(({ kind }) => UNTRIED.test(kind));
  try {
    return { result: await post("drafts/preview", draft), problem: null, isUntried };
  } catch (problem) {
    return { result: null, problem, isUntried };
  }
}

/** A card with the preview of a draft. */
export function Preview({ draft, schema }) {
  const { missing, result, problem, isUntried } = usePreview(draft, schema);
  return html`
    <section class="card" aria-labelledby="preview" aria-live="polite">
      <h2 id="preview">What would be executed</h2>
      ${
        missing.length
          ? html`<p class="soft">Still to be given: ${missing.join(", ")}.</p>`
          : problem
            ? html`<${Notice} tone="bad">${problem.message}</${Notice}>`
            : result
              ? html`<${Result} result=${result} isUntried=${isUntried} />`
              : html`<p class="soft">Asking the chain…</p>`
      }
    </section>
  `;
}

function Result({ result, isUntried }) {
  const { warnings, words, targets, values, calldatas } = result;
  return html`
    ${warnings.map((warning) => html`<${Notice} tone="warn">${warning}</${Notice}>`)}
    ${
      !warnings.length &&
      !isUntried &&
      html`<${Notice} tone="good">Tried on the chain as it is now: it would go through.</${Notice}>`
    }
    ${
      isUntried &&
      html`
      <${Notice} tone="warn">
        A change of the DAO's own settings cannot be tried before it is executed: look closely at the values.
      </${Notice}>
    `
    }
    <ol class="actions">
      ${words.map((sentence) => html`<li>${sentence}</li>`)}
    </ol>
    <details>
      <summary>Exactly</summary>
      <dl class="exact">
        ${targets.map(
          (target, index) => html`
            <div>
              <dt>
                To ${target}<${CopyButton} text=${target} name="the target’s address" />,${" "}
                ${values[index]} wei of ether
              </dt>
              <dd>
                <code>${calldatas[index]}</code><${CopyButton} text=${calldatas[index]} name="the call" />
              </dd>
            </div>
          `,
        )}
      </dl>
    </details>
  `;
}
