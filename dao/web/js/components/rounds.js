/** Draws a running round: its phase, the time left, who has committed; and the marks of a round. */

import { capitalize, formatChange, formatCount, formatLoss } from "../format.js";
import { html } from "../html.js";
import { Address } from "./address.js";
import { TimeBar, TimeLeft } from "./countdown.js";
import { Amount, Mark, Moment } from "./parts.js";

const SHOWN = 24; // Supernodes
const STEPS = [
  ["open", "Commit"],
  ["closed", "Reveal and score"],
  ["posted", "Challenge"],
  ["finalized", "Final"],
];

// What each phase means to a reader, and its tone.
const PHASES = {
  open: ["Supernodes train and commit", "busy"],
  closed: ["updates are revealed and scored", "busy"],
  posted: ["the result stands unless it is challenged", "busy"],
  frozen: ["challenged; the DAO decides", "warn"],
  finalized: ["final", "good"],
  aborted: ["ended without a result", "bad"],
  void: ["its result does not count", "bad"],
};

// The deadline that ends each phase, when the phase began, and what is said before and after the deadline.
const DEADLINES = {
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

const STATUS_TONES = {
  ok: "good",
  clipped: "warn",
  gated: "warn",
  late: "bad",
  withheld: "bad",
  unavailable: "bad",
  invalid: "bad",
  passed: "plain",
  absent: "plain",
  forced: "busy",
};

/** A Supernode's status in a round. */
export function StatusMark({ status }) {
  if (!status) return html`<${Mark}>not yet</${Mark}>`;
  return html`<${Mark} tone=${STATUS_TONES[status] ?? "busy"}>${status}</${Mark}>`;
}

/** A round's phase. */
export function PhaseMark({ phase }) {
  return html`<${Mark} tone=${PHASES[phase]?.[1]}>${phase}</${Mark}>`;
}

/** A score with its unit, from millionths of a loss. */
export function Score({ micros }) {
  if (micros === null || micros === undefined) return "–";
  return html`<span class="number">${formatChange(micros)}<span class="unit">${" loss"}</span></span>`;
}

/** The running round of a task. */
export function LiveRound({ task, round }) {
  const wait = getDeadline(round);
  const words = PHASES[round.phase]?.[0] ?? round.phase;
  return html`
    <article class="live ${round.phase}">
      <header>
        <p class="kicker">
          <a href="#/tasks/${task.task}">Task ${task.task}</a>${` · Round ${formatCount(round.round)}`}
        </p>
        <p class="headline">${capitalize(words)}</p>
        ${wait && html`<p class="left"><${TimeLeft} ...${wait} /></p>`}
      </header>
      <${Steps} phase=${round.phase} />
      ${wait && html`<${TimeBar} ...${wait} label="Time of this phase that has passed" />`}
      <${Committed} round=${round} />
      <${Outcome} round=${round} />
    </article>
  `;
}

function getDeadline(round) {
  const [deadline, since, after, over] = DEADLINES[round.phase] ?? [];
  const until = deadline && round.deadlines[deadline];
  return until ? { from: round[since], until, after, over } : null;
}

function Steps({ phase }) {
  const at = STEPS.findIndex(([name]) => name === (phase === "frozen" ? "posted" : phase));
  const getClass = (index) => (index < at ? "past" : index === at ? "now" : null);
  return html`
    <ol class="steps" aria-label="Phases of the round">
      ${STEPS.map(
        ([name, label], index) => html`
          <li key=${name} class=${getClass(index)} aria-current=${index === at ? "step" : null}>${label}</li>
        `,
      )}
    </ol>
  `;
}

function Committed({ round }) {
  const { nodes, commits, eligible } = round;
  const isSecret = round.phase === "open" && !commits;
  return html`
    <div class="committed">
      <p>
        ${
          isSecret
            ? `${formatCount(eligible)} Supernodes may commit. Commits reach the chain together, when they close.`
            : `${formatCount(commits)} of ${formatCount(eligible)} Supernodes committed.`
        }
      </p>
      ${
        nodes.length > 0 &&
        html`
        <ul>
          ${nodes.slice(0, SHOWN).map(
            ({ operator, status }) => html`
              <li key=${operator}>
                <${Address} address=${operator} href="#/supernodes/${operator}" />${" "}
                <${StatusMark} status=${status} />
              </li>
            `,
          )}
          ${eligible > SHOWN && html`<li class="soft">and ${formatCount(eligible - SHOWN)} more</li>`}
        </ul>
      `
      }
    </div>
  `;
}

function Outcome({ round }) {
  const { loss_before_micro: before, loss_after_micro: after, paid_wei: paid, posted_at: postedAt } = round;
  const known = [
    after !== null && [
      "Loss on validation data",
      `${formatLoss(before)} before, ${formatLoss(after)} after the round`,
    ],
    paid !== null && ["Paid", html`<${Amount} wei=${paid} />`],
    round.manifest_refused && ["Manifest not shown", round.manifest_refused],
    postedAt && ["Result", html`<${Moment} at=${postedAt} />`],
  ].filter(Boolean);
  if (!known.length) return null;
  return html`
    <dl class="inline">
      ${known.map(([name, value]) => html`<div key=${name}><dt>${name}</dt><dd>${value}</dd></div>`)}
    </dl>
  `;
}

/** Says what has become of a round since it was last shown; null when that is no news. */
export function describeProgress(before, after) {
  if (!after || (before?.round === after.round && before.phase === after.phase)) return null;
  return `Task ${after.task}, round ${after.round}: ${PHASES[after.phase][0]}.`;
}
