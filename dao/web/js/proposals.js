/** The words, tones and bars of proposals that several views share. */

import { h } from "./dom.js";
import { percent } from "./format.js";
import { amount, bar, mark, table, when, who } from "./parts.js";
import { SUPPORT } from "./words.js";

const STATES = {
  pending: ["voting has not begun", "plain"],
  active: ["open for votes", "busy"],
  canceled: ["withdrawn", "plain"],
  defeated: ["defeated", "bad"],
  succeeded: ["accepted", "good"],
  queued: ["queued", "busy"],
  executed: ["executed", "good"],
};

/** A proposal's state as a mark. */
export function stateMark(word) {
  const [words, tone] = STATES[word] ?? [word, "plain"];
  return mark(words, tone);
}

/** A way to vote as a mark. */
export function supportMark(support) {
  return mark(SUPPORT[support], ["bad", "good", "plain"][support]);
}

/** What a proposal is called. */
export function titleOf({ title, id }) {
  return title || `Proposal ${id.slice(0, 8)}…`;
}

/** The time that matters next. */
export function timing(proposal) {
  const { state, starts_at: starts, ends_at: ends, eta } = proposal;
  if (state === "pending")
    return h("time-left", {
      model: { until: starts, after: "until voting", over: "voting begins with the next block" },
    });
  if (state === "active") return h("time-left", { model: { until: ends, over: "ends with the next block" } });
  if (state === "queued" && eta)
    return h("time-left", {
      model: { until: eta, after: "until it can be executed", over: "can be executed now" },
    });
  return state === "canceled" ? "" : ["voting ended ", when(ends)];
}

/** Votes as one bar, with the quorum as a line; the numbers beside it. */
export function tally(proposal, { full = false } = {}) {
  const { for_wei: yes, against_wei: no, abstain_wei: abstain, quorum_wei: quorum } = proposal;
  const cast = BigInt(yes) + BigInt(no) + BigInt(abstain);
  const reached = BigInt(yes) + BigInt(abstain);
  const goal = (BigInt(quorum) * 11n) / 10n; // so that the line of the quorum does not hide at the end
  const whole = cast > goal ? cast : goal;
  const missing = BigInt(quorum) - reached;
  const parts = [
    { wei: yes, tone: "for" },
    { wei: abstain, tone: "abstain" },
    { wei: no, tone: "against" },
  ];
  const drawn = bar(parts, whole, quorum);
  if (!full)
    return h(
      "div",
      { class: "tally" },
      drawn,
      h(
        "span",
        { class: "soft" },
        `${percent(yes, cast)} for, `,
        missing > 0n ? `${percent(reached, quorum)} of the quorum` : "quorum reached",
      ),
    );
  const row = (tone, label, wei) =>
    h(
      "div",
      {},
      h("dt", {}, h("i", { class: `swatch ${tone}`, "aria-hidden": "true" }), label),
      h("dd", {}, amount(wei), h("small", {}, percent(wei, cast))),
    );
  return h(
    "div",
    { class: "tally full" },
    drawn,
    h(
      "dl",
      { class: "legend" },
      row("for", "For", yes),
      row("abstain", "Abstain", abstain),
      row("against", "Against", no),
    ),
    h(
      "p",
      { class: missing > 0n ? "soft" : "reached" },
      missing > 0n
        ? [
            "For and abstain have ",
            amount(reached),
            " of the quorum of ",
            amount(quorum),
            "; ",
            amount(missing),
            " are missing.",
          ]
        : ["The quorum of ", amount(quorum), " is reached."],
    ),
  );
}

/** Proposals as a table. */
export function list(items, empty = "Nothing has been proposed yet.") {
  const columns = [
    {
      head: "Proposal",
      wide: true,
      cell: (one) => h("a", { href: `#/proposals/${one.id}`, class: "title" }, titleOf(one)),
    },
    { head: "By", cell: (one) => who(one.proposer) },
    { head: "State", cell: (one) => stateMark(one.state) },
    { head: "Votes", cell: (one) => tally(one) },
    { head: "Time", cell: (one) => timing(one) },
  ];
  return table("Proposals", columns, items, { key: ({ id }) => id, empty });
}
