/** Draws a round: its phases, the time left, who has committed; and the words for phases, statuses and scores. */

import { h } from "./dom.js";
import { capital, count, loss } from "./format.js";
import { amount, mark, when, who } from "./parts.js";

const SHOWN = 24; // Supernodes
const STEPS = [
  ["open", "Commit"],
  ["closed", "Reveal and score"],
  ["posted", "Challenge"],
  ["finalized", "Final"],
];

/** What each phase means to a reader, and its tone. */
const PHASES = {
  open: ["Supernodes train and commit", "busy"],
  closed: ["updates are revealed and scored", "busy"],
  posted: ["the result stands unless it is challenged", "busy"],
  frozen: ["challenged; the DAO decides", "warn"],
  finalized: ["final", "good"],
  aborted: ["ended without a result", "bad"],
  void: ["its result does not count", "bad"],
};

const TONES = {
  ok: "good",
  clipped: "warn",
  gated: "warn",
  late: "bad",
  withheld: "bad",
  invalid: "bad",
  absent: "plain",
  forced: "busy",
};

/** A node's status as a mark. */
export function status(word) {
  return word ? mark(word, TONES[word] ?? "busy") : mark("not yet", "plain");
}

/** A round's phase as a mark. */
export function phase(word) {
  return mark(word, PHASES[word]?.[1] ?? "plain");
}

// what ends each phase, since when it is waited for, and what is said of it
const WAITS = {
  open: ["commit", "opened_at", "left to commit", "commits can be closed now"],
  closed: [
    "result",
    "closed_at",
    "until the result is due",
    "the result is overdue; anyone may end the round",
  ],
  posted: ["challenge", "posted_at", "left to challenge", "it can be finalized now"],
  frozen: ["resolve", "posted_at", "left for the DAO to decide", "the time to decide is over"],
};

function waiting(round) {
  const [deadline, since, after, over] = WAITS[round.phase] ?? [];
  const until = deadline && round.deadlines[deadline];
  return until ? { from: round[since], until, after, over } : null;
}

/** The running round of a task, live. */
export function live(task, round) {
  const wait = waiting(round);
  const words = PHASES[round.phase]?.[0] ?? round.phase;
  const href = `#/tasks/${task.task}`;
  return h(
    "article",
    { class: `live ${round.phase}`, "data-key": `live-${task.task}` },
    h(
      "header",
      {},
      h("p", { class: "kicker" }, h("a", { href }, `Task ${task.task}`), ` · Round ${count(round.round)}`),
      h("p", { class: "headline" }, capital(words)),
      wait && h("p", { class: "left" }, h("time-left", { model: wait })),
    ),
    steps(round.phase),
    wait && h("time-bar", { model: { ...wait, label: "Time of this phase that has passed" } }),
    committed(round),
    outcome(round),
  );
}

function steps(word) {
  const at = STEPS.findIndex(([name]) => name === (word === "frozen" ? "posted" : word));
  return h(
    "ol",
    { class: "steps", "aria-label": "Phases of the round" },
    STEPS.map(([name, label], index) =>
      h(
        "li",
        {
          class: index < at ? "past" : index === at ? "now" : null,
          "aria-current": index === at ? "step" : null,
        },
        label,
      ),
    ),
  );
}

function committed(round) {
  const { nodes } = round;
  const sum =
    round.phase === "open" && !round.commits
      ? `${count(round.eligible)} Supernodes may commit. Commits reach the chain together, when they close.`
      : `${count(round.commits)} of ${count(round.eligible)} Supernodes committed.`;
  return h(
    "div",
    { class: "committed" },
    h("p", {}, sum),
    nodes.length > 0 &&
      h(
        "ul",
        {},
        nodes
          .slice(0, SHOWN)
          .map((node) =>
            h(
              "li",
              { "data-key": node.operator },
              who(node.operator, `#/supernodes/${node.operator}`),
              " ",
              status(node.status),
            ),
          ),
        round.eligible > SHOWN && h("li", { class: "soft" }, `and ${count(round.eligible - SHOWN)} more`),
      ),
  );
}

function outcome(round) {
  const known = [
    round.loss_after_micro !== null && [
      "Loss on validation data",
      `${loss(round.loss_before_micro)} before, ${loss(round.loss_after_micro)} after the round`,
    ],
    round.paid_wei !== null && ["Paid", amount(round.paid_wei)],
    round.manifest_refused && ["Manifest not shown", round.manifest_refused],
    round.posted_at && ["Result", when(round.posted_at)],
  ].filter(Boolean);
  if (!known.length) return null;
  return h(
    "dl",
    { class: "inline" },
    known.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))),
  );
}

/** What has become of a round since it was last shown; null when nothing that is worth words. */
export function progress(before, after) {
  if (!after || (before?.round === after.round && before.phase === after.phase)) return null;
  return `Task ${after.task}, round ${after.round}: ${PHASES[after.phase][0]}.`;
}
