/** Asks the member before something is done; components/dialog.js shows the question. */

import { update } from "./store.js";

let lastAnswer = Promise.resolve();
let number = 0;

/**
 * Asks: `title`, `lines` (sentences), `options` (labels of which one is chosen), `exact` (the bytes behind
 * the words, folded), and what the buttons say. Resolves to false for no, else to true, or the index of the
 * chosen option. A second question waits for the first one's answer.
 */
export function askMember({ title, lines = [], options = null, exact = null, yes, no = "Cancel" }) {
  const putQuestion = () =>
    new Promise((resolve) => {
      const answer = (choice) => {
        update({ question: null });
        resolve(choice);
      };
      number += 1;
      update({ question: { number, title, lines, options, exact, yes, no, answer } });
    });
  lastAnswer = lastAnswer.then(putQuestion);
  return lastAnswer;
}

/** Lets the member choose one of several {label, value}; resolves to its value, or null for none. */
export async function chooseOne(title, choices) {
  if (choices.length < 2) return choices[0]?.value ?? null;
  const index = await askMember({ title, options: choices.map(({ label }) => label), yes: "Use this one" });
  return index === false ? null : choices[index].value;
}
