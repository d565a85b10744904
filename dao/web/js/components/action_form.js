/** Draws the form of one action of a proposal: its kind, and the fields of that kind. */

import { getText, listGroups, writeRules } from "../forms/fields.js";
import { KINDS } from "../forms/kinds.js";
import { html } from "../html.js";
import { Field, TaskOptions } from "./field.js";

/**
 * The form of an action {id, kind, values}; `onChange(action)` takes it as it becomes, `onRemove` takes it
 * away, null where it has to stay.
 */
export function ActionForm({ action, legend, tasks, schema, onChange, onRemove }) {
  const { id, kind, values } = action;
  const { rules } = KINDS[kind];
  const fill = (more) => onChange({ ...action, values: { ...values, ...more } });
  const takeRules = (task) => {
    const found = tasks.find((one) => String(one.task) === task);
    return found ? writeRules(found.rules, schema) : {};
  };
  const take = ({ name, type }, text) => {
    const isTaskOfRules = rules === "changeable" && type === "task";
    fill({ [name]: text, ...(isTaskOfRules && takeRules(text)) });
  };
  return html`
    <fieldset class="action">
      <legend>${legend}</legend>
      <label for="kind-${id}" class="unseen">Kind of action</label>
      <select
        id="kind-${id}"
        value=${kind}
        onChange=${({ target }) => onChange({ id, kind: target.value, values: {} })}
      >
        ${Object.entries(KINDS).map(
          ([name, { label }]) => html`<option key=${name} value=${name}>${label}</option>`,
        )}
      </select>
      ${
        rules === "all" &&
        tasks.length > 0 &&
        html`<${RulesToCopy} id="copy-${id}" tasks=${tasks} onTask=${(task) => fill(takeRules(task))} />`
      }
      ${listGroups(action, schema).map(
        ({ heading, fields }) => html`
          <div class="group" key="${kind} ${heading}">
            ${heading && html`<h3>${heading}</h3>`}
            ${fields.map(
              (field) => html`
                <${Field}
                  key=${field.name}
                  field=${field}
                  id="${field.name.replace(".", "-")}-${id}"
                  text=${getText(field, values)}
                  tasks=${tasks}
                  onText=${(text) => take(field, text)}
                />
              `,
            )}
          </div>
        `,
      )}
      ${onRemove && html`<button type="button" class="plain" onClick=${onRemove}>Remove this action</button>`}
    </fieldset>
  `;
}

/** The tasks whose rules can be taken over. */
function RulesToCopy({ id, tasks, onTask }) {
  return html`
    <p class="filter">
      <label for=${id}>${"Take over the rules of "}</label>
      <select id=${id} value="" onChange=${({ target }) => target.value && onTask(target.value)}>
        <${TaskOptions} tasks=${tasks} />
      </select>
    </p>
  `;
}
