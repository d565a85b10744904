/** What a reader can do about a proposal now: vote, withdraw, queue, execute. */

import { act } from "./act.js";
import { now } from "./clock.js";
import { h } from "./dom.js";
import { draft, forget, keep } from "./drafts.js";
import { amount, button, notice } from "./parts.js";
import { supportMark } from "./proposals.js";

const REASON = 1000; // characters
const LABELS = ["Vote against", "Vote for", "Abstain"];

/** The reader's part; `voter` is what the API says of the reader here, null when signed out. */
export function todo(proposal, voter) {
  const { id, state: word, proposer } = proposal;
  const mine = voter?.vote;
  const parts = [];
  if (mine) {
    parts.push(h("p", {}, "You voted ", supportMark(mine.support), " with ", amount(mine.weight_wei), "."));
  } else if (word === "active") parts.push(ballot(id, voter));
  if (word === "pending")
    parts.push(h("p", { class: "soft" }, "Votes count as they stand when voting begins: delegate before."));
  if (word === "pending" && proposer === voter?.voter)
    parts.push(
      button("Withdraw it", {
        onclick: () => act({ name: "Withdraw the proposal", prepare: "cancel", body: { proposal: id } }),
      }),
    );
  if (word === "succeeded")
    parts.push(
      step(
        "queue",
        "Queue it",
        "Accepted. It waits in the timelock before it can be executed; anyone may queue it.",
        id,
      ),
    );
  if (word === "queued" && proposal.eta <= now())
    parts.push(step("execute", "Execute it", "The wait is over; anyone may execute it.", id));
  if (!parts.length) return null;
  return h(
    "section",
    { class: "card", "aria-labelledby": "todo", "data-key": "todo" },
    h("h2", { id: "todo" }, "Your part"),
    parts,
  );
}

function ballot(id, voter) {
  if (voter && BigInt(voter.weight_wei) === 0n)
    return notice(
      "You had no votes when voting began. Delegate under your account, to yourself or someone else; that counts for what begins later.",
      "warn",
    );
  const key = `reason-${id}`;
  const vote = async (support) => {
    const reason = draft(key, "");
    const done = await act({
      name: LABELS[support],
      prepare: "vote",
      body: { proposal: id, support, reason },
      relay: ({ typed_data: [typed] }, signature) => ({
        proposal: id,
        support,
        voter: typed.message.voter,
        nonce: typed.message.nonce,
        reason,
        signature,
      }),
    });
    if (done) forget(key);
  };
  return h(
    "form",
    { class: "ballot", onsubmit: (event) => event.preventDefault() },
    voter && h("p", {}, "You have votes of ", amount(voter.weight_wei), "."),
    h("label", { for: "reason" }, "Reason, for everyone to read (or none)"),
    h(
      "textarea",
      { id: "reason", rows: 3, maxlength: REASON, oninput: ({ target }) => keep(key, target.value) },
      draft(key, ""),
    ),
    h(
      "menu",
      {},
      [1, 0, 2].map((support) =>
        button(LABELS[support], { class: support === 1 ? "main" : "plain", onclick: () => vote(support) }),
      ),
    ),
    h("p", { class: "soft small" }, "It costs nothing: you sign, and the relayer sends it."),
  );
}

function step(action, label, sentence, id) {
  const relay = () => ({ proposal: id });
  return h(
    "div",
    {},
    h("p", {}, sentence),
    button(label, {
      class: "main",
      onclick: () => act({ name: label, prepare: action, body: { proposal: id }, relay }),
    }),
  );
}
