/** Draws one field of an action, with its label, its unit, and what is wrong with what was typed. */

import { TYPES } from "../forms/types.js";
import { html } from "../html.js";
import { useStore } from "../store.js";
import { getTaskTitle } from "./task_card.js";

/** A field; `id` is its element's, `text` what stands in it, `onText(text)` takes what is typed. */
export function Field({ field, id, text, tasks, onText }) {
  if (field.type === "yes")
    return html`<${Checkbox} field=${field} id=${id} text=${text} onText=${onText} />`;
  if (field.type === "task" || field.options) {
    return html`
      <div class="field">
        <label for=${id}>${field.label}</label>
        <select id=${id} value=${text} onChange=${({ target }) => onText(target.value)}>
          ${field.options && !text && html`<option value="">choose…</option>`}
          ${
            field.options
              ? field.options.map((word) => html`<option key=${word} value=${word}>${word}</option>`)
              : html`<${TaskOptions} tasks=${tasks} />`
          }
        </select>
      </div>
    `;
  }
  return html`<${TextField} field=${field} id=${id} text=${text} onText=${onText} />`;
}

/** The tasks to choose from, and none of them. */
export function TaskOptions({ tasks }) {
  return html`
    <option value="">choose…</option>
    ${tasks.map((task) => html`<option key=${task.task} value=${String(task.task)}>${getTaskTitle(task)}</option>`)}
  `;
}

function Checkbox({ field, id, text, onText }) {
  const change = ({ target }) => onText(target.checked ? "yes" : "");
  return html`
    <label class="check" for=${id}>
      <input id=${id} type="checkbox" checked=${text === "yes"} onChange=${change} />${field.label}
    </label>
  `;
}

function TextField({ field, id, text, onText }) {
  const { network } = useStore();
  const { inputMode } = TYPES[field.type];
  const isWrong = text !== "" && TYPES[field.type].parse(text.trim()) === null;
  return html`
    <div class="field">
      <label for=${id}>${field.label}</label>
      <span class="with-unit">
        <input
          id=${id}
          required
          inputmode=${inputMode}
          spellcheck=${false}
          value=${text}
          aria-invalid=${isWrong ? "true" : null}
          aria-describedby="${id}-hint"
          onInput=${({ target }) => onText(target.value)}
        />
        ${field.type === "tokens" && html`<span class="unit">${network.symbol}</span>`}
      </span>
      <small id="${id}-hint">${getNote(field, text, isWrong)}</small>
    </div>
  `;
}

function getNote({ type, hint }, text, isWrong) {
  const { getExpected, explain, parse } = TYPES[type];
  if (isWrong) return `Expected ${getExpected?.() ?? hint}.`;
  return text && explain ? explain(parse(text)) : hint;
}
