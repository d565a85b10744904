/** Draws what a task is for, as its card says: words of strangers, which the API has cleaned. */

import { formatCount, formatLoss } from "../format.js";
import { html } from "../html.js";
import { cleanText } from "../text.js";
import { CopyButton, Figure, Figures, LongText, Notice } from "./parts.js";

const TEXT_LENGTH = 400; // characters that are shown at once

/** The words that name a task: "Task 3", and its name where that is known. */
export function getTaskTitle({ task, card }) {
  const name = getName(card);
  return name ? `Task ${formatCount(task)}: ${name}` : `Task ${formatCount(task)}`;
}

/** The name on a card; null where there is none. */
export function getName(card) {
  return (card && cleanText(card.name).trim()) || null;
}

/** Those of some rounds that state the metric that a card names, in order; none where it names none. */
export function listMeasured(card, rounds) {
  const name = card?.metric?.name;
  return rounds.filter((round) => round.metric_micro !== null && round.metric_name === name);
}

/**
 * A card: purpose, data, metric and settings; why it is not shown, where it is refused. `measured` is the newest round
 * that states the metric, if one does.
 */
export function TaskCard({ card, refused, measured = null }) {
  if (refused)
    return html`<${Notice} tone="warn">The task's card is not shown: ${cleanText(refused)}</${Notice}>`;
  if (!card) return html`<p class="soft">Its card, with name and purpose, has not been read yet.</p>`;
  const settings = Object.entries(card.settings).toSorted();
  return html`
    <div class="task-card">
      ${card.purpose && html`<p class="purpose"><${LongText} text=${card.purpose} limit=${TEXT_LENGTH} /></p>`}
      <${Figures}>
        ${card.data && html`<${Figure} name="Data that a member needs"><${LongText} text=${card.data} limit=${TEXT_LENGTH} /></${Figure}>`}
        ${card.metric && html`<${Metric} metric=${card.metric} measured=${measured} />`}
        ${card.base && html`<${FrozenBase} base=${card.base} />`}
        ${card.stop && html`<${Stop} stop=${card.stop} />`}
      </${Figures}>
      ${settings.length > 0 && html`<${Settings} settings=${settings} />`}
    </div>
  `;
}

function Metric({ metric: { name, higher_is_better: isHigher }, measured }) {
  const direction = `${isHigher ? "higher" : "lower"} is better`;
  const note = measured
    ? `after round ${formatCount(measured.round)}, as the Superlink measured it; ${direction}`
    : direction;
  return html`
    <${Figure} name="Judged by" note=${note}>
      ${cleanText(name)}${measured && html`${" "}<span class="number">${formatLoss(measured.metric_micro)}</span>`}
    </${Figure}>
  `;
}

function Stop({ stop: { rounds, gain_micro: gain } }) {
  const better = gain > 0 ? `${formatLoss(gain)} better than` : "as good as";
  const count = formatCount(rounds);
  const [last, before] = rounds === 1 ? ["round", "one"] : [`${count} rounds`, count];
  return html`
    <${Figure} name="Ends by itself" note="members may vote for another card, and it goes on">
      once the best of its last ${last} is not ${better} that of the ${before} before
    </${Figure}>
  `;
}

function FrozenBase({ base: { cid, note } }) {
  return html`
    <${Figure} name="Adapts a model that stays as it is">
      ${note && html`<${LongText} text=${note} limit=${TEXT_LENGTH} />${" "}`}
      <code>${cid}</code><${CopyButton} text=${cid} name="CID" />
    </${Figure}>
  `;
}

function Settings({ settings }) {
  return html`
    <details class="settings">
      <summary>Settings of the app (${formatCount(settings.length)})</summary>
      <dl class="inline">
        ${settings.map(
          ([name, value]) => html`
            <div key=${name}>
              <dt>${name}</dt>
              <dd>${typeof value === "string" ? cleanText(value) : String(value)}</dd>
            </div>
          `,
        )}
      </dl>
    </details>
  `;
}
