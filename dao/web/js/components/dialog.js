/** Shows the question that is asked of the member, in the page's one dialog. Esc and Cancel mean no. */

import { html, useLayoutEffect, useRef } from "../html.js";
import { useStore } from "../store.js";

/** The dialog, closed while nothing is asked. */
export function Dialog() {
  const { question } = useStore();
  const dialog = useRef(null);
  useLayoutEffect(() => {
    if (!question) return;
    dialog.current.returnValue = "no";
    dialog.current.showModal();
    dialog.current.querySelector('button[value="yes"]').focus();
  }, [question]);
  const answer = () => {
    const isYes = dialog.current.returnValue === "yes";
    const chosen = dialog.current.querySelector("input:checked");
    question.answer(isYes && (chosen ? Number(chosen.value) : true));
  };
  return html`
    <dialog id="dialog" aria-labelledby="dialog-title" ref=${dialog} onClose=${answer}>
      ${question && html`<${Question} key=${question.number} ...${question} />`}
    </dialog>
  `;
}

function Question({ title, lines, options, exact, yes, no }) {
  return html`
    <form method="dialog">
      <h2 id="dialog-title">${title}</h2>
      ${lines.map((line) => html`<p>${line}</p>`)}
      ${options && html`<${Options} title=${title} options=${options} />`}
      ${exact && html`<details><summary>Exactly as your wallet gets it</summary><pre>${exact}</pre></details>`}
      <menu>
        <button value="no" class="plain">${no}</button>
        <button value="yes" class="main">${yes}</button>
      </menu>
    </form>
  `;
}

function Options({ title, options }) {
  return html`
    <fieldset>
      <legend class="unseen">${title}</legend>
      ${options.map(
        (label, index) => html`
          <label class="check">
            <input type="radio" name="choice" value=${index} defaultChecked=${index === 0} />${label}
          </label>
        `,
      )}
    </fieldset>
  `;
}
