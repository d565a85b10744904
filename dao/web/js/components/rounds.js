/** Draws a running round: its phase, the time left, who has committed; and the marks of a round. */

import { capitalize, describeGain, formatChange, formatCount, formatLoss, formatPlural } from "../format.js";
import { html } from "../html.js";
import { cleanText } from "../text.js";
import { Address } from "./address.js";
import { TimeBar, TimeLeft } from "./countdown.js";
import { Amount, Mark, Moment } from "./parts.js";
import { getTaskTitle } from "./task_card.js";

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

// How each status is told, its tone, and what it means exactly.
const STATUSES = {
  ok: ["counted", "good", "The update passed every check and counted with its full weight."],
  clipped: [
    "counted in part",
    "warn",
    "Clipped: the update was larger than the median of the round’s updates, so its weight was lowered in proportion.",
  ],
  gated: [
    "left out",
    "warn",
    "Gated: the update did not point where the validation data points (its cosine is at or below the threshold), so its weight is 0.",
  ],
  late: ["too late", "bad", "The update was not there whole when the time to reveal ended; its weight is 0."],
  withheld: [
    "not delivered",
    "bad",
    "It committed to an update that it revealed neither to the Superlink nor on chain; its weight is 0.",
  ],
  unavailable: [
    "not to be had",
    "bad",
    "The update was revealed on chain, but no source had its content in time; its weight is 0.",
  ],
  invalid: ["not valid", "bad", "The update breaks a rule, which the reason names; its weight is 0."],
  passed: ["sat it out", "plain", "It told the Superlink that it takes no part in this round."],
  absent: ["missing", "bad", "It could have committed, and neither did nor said that it sits the round out."],
  forced: [
    "committed on chain",
    "busy",
    "It sent its commit to the chain itself, not through the Superlink.",
  ],
};

// What a Superlink reports of a Supernode before the chain has it.
const REPORTED = {
  committed: ["has committed", "busy"],
  passed: ["sits it out", "plain"],
  revealed: ["has delivered", "good"],
};
const BY_SUPERLINK =
  "So the Superlink says. The chain has it once commits are closed, and once the result is posted.";

/** A Supernode's status in a round, or what is reported of it; what it means exactly is one click away. */
export function StatusMark({ status, reported = null }) {
  if (!status && !reported) return html`<${Mark}>not known yet</${Mark}>`;
  const [words, tone, meaning] = (status ? STATUSES[status] : [...REPORTED[reported], BY_SUPERLINK]) ?? [
    status,
    "busy",
    "",
  ];
  return html`
    <details class="term">
      <summary><${Mark} tone=${tone}>${words}</${Mark}></summary>
      <span class="meaning">${meaning}</span>
    </details>
  `;
}

/** A round's phase. */
export function PhaseMark({ phase }) {
  return html`<${Mark} tone=${PHASES[phase]?.[1]}>${phase}</${Mark}>`;
}

/** A score in words, from millionths of a loss; all its digits when pointed at. */
export function Score({ micros }) {
  if (micros === null || micros === undefined) return "–";
  return html`<span title="${formatChange(micros)} of the loss">${describeGain(micros)}</span>`;
}

/** The running round of a task; `hasNodes`: with its Supernodes, as long as they are few. */
export function LiveRound({ task, round, hasNodes = true }) {
  const wait = getDeadline(round);
  const words = PHASES[round.phase]?.[0] ?? round.phase;
  return html`
    <article class="live ${round.phase}">
      <header>
        <p class="kicker">
          <a href="#/tasks/${task.task}">${getTaskTitle(task)}</a>${" · "}
          <a href="#/tasks/${task.task}/rounds/${round.round}">Round ${formatCount(round.round)}</a>
        </p>
        <p class="headline">${capitalize(words)}</p>
        ${wait && html`<p class="left"><${TimeLeft} ...${wait} /></p>`}
      </header>
      <${Steps} phase=${round.phase} />
      ${wait && html`<${TimeBar} ...${wait} label="Time of this phase that has passed" />`}
      <${Committed} round=${round} hasNodes=${hasNodes} />
      <${Outcome} round=${round} />
    </article>
  `;
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

function Committed({ round, hasNodes }) {
  const { nodes, eligible } = round;
  return html`
    <div class="committed">
      <p>${describeCommits(round)}</p>
      ${
        hasNodes &&
        nodes.length > 0 &&
        html`
        <ul>
          ${nodes.slice(0, SHOWN).map(
            ({ operator, status, reported }) => html`
              <li key=${operator}>
                <${Address} address=${operator} href="#/supernodes/${operator}" />${" "}
                <${StatusMark} status=${status} reported=${reported} />
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

/** Says who has committed, and what the chain does not tell yet. */
function describeCommits({ phase, commits, forced, passes, eligible }) {
  if (phase === "open") {
    const onChain = forced ? ` ${formatPlural(forced, "commit")} came on chain already.` : "";
    return `${formatCount(eligible)} Supernodes may commit. Commits reach the chain together, when they close.${onChain}`;
  }
  const all = commits + forced;
  const sat = passes ? ` ${formatCount(passes)} sat it out.` : "";
  const rest = eligible - all - passes;
  const missing = rest > 0 ? ` ${formatCount(rest)} ${rest === 1 ? "is" : "are"} missing.` : "";
  return `${formatCount(all)} of ${formatCount(eligible)} Supernodes committed.${sat}${missing}`;
}

function Outcome({ round }) {
  const { metric_micro: metric, loss_before_micro: before, loss_after_micro: after } = round;
  const { paid_wei: paid, posted_at: postedAt } = round;
  const known = [
    metric !== null && [
      cleanText(round.metric_name),
      `${formatLoss(metric)} after the round, as the Superlink measured it`,
    ],
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

/** What ends a phase and when: {from, until, after, over}; null where nothing does. */
export function getDeadline(round) {
  const [deadline, since, after, over] = DEADLINES[round.phase] ?? [];
  const until = deadline && round.deadlines[deadline];
  return until ? { from: round[since], until, after, over } : null;
}

/** Says what has become of a round since it was last shown; null when that is no news. */
export function describeProgress(before, after) {
  if (!after || (before?.round === after.round && before.phase === after.phase)) return null;
  return `Task ${after.task}, round ${after.round}: ${PHASES[after.phase][0]}.`;
}
