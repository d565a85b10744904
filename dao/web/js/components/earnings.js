/** Charts what the Supernodes of a task scored and earned, stacked round by round. */

import { describeGain, formatFigures, shorten, toTokens } from "../format.js";
import { html, useState } from "../html.js";
import { getSymbol } from "../store.js";
import { Chart } from "./chart.js";

const OTHERS = "--soft"; // their colour

// What can be shown: `take(node)` returns a value for each round, null where the Supernode did not commit.
const MEASURES = {
  scores: {
    label: "Scores",
    title: "How much each lowered the loss",
    getUnit: () => "",
    take: ({ score_micro: micros }) => micros,
    format: (value) => (Math.abs(value) < 1 ? "0" : describeGain(Math.round(value))),
    tick: (value) => String(value / 1e6),
  },
  rewards: {
    label: "Pay in each round",
    title: "Pay in each round",
    getUnit: getSymbol,
    take: ({ reward_wei: wei }) => wei.map(toTokens),
  },
  sums: {
    label: "Pay so far",
    title: "Pay so far, in these rounds",
    getUnit: getSymbol,
    take: ({ reward_wei: wei }) => sumUp(wei.map(toTokens)),
  },
  rates: {
    label: "Pay for stake",
    title: "Pay in each round for 1,000 staked",
    getUnit: getSymbol,
    isApart: true, // to add them up would say nothing
    take: ({ reward_wei: wei, stake_wei: stake }) =>
      wei.map((value, index) => (value === null ? null : (1000 * Number(value)) / Number(stake[index]))),
  },
};

function sumUp(values) {
  let sum = 0;
  return values.map((value) => (sum += value ?? 0));
}

/** What each Supernode scored or earned; the reader chooses which. */
export function EarningChart({ earnings: { rounds, nodes } }) {
  const [name, setName] = useState("scores");
  const { title, getUnit, take, isApart, format = formatFigures, tick } = MEASURES[name];
  const series = nodes.map((node) => ({
    label: node.operator ? shorten(node.operator) : "all others",
    values: take(node),
    ...(!node.operator && { colour: OTHERS }),
  }));
  return html`
    <p class="filter">
      <label for="measure">${"Show "}</label>
      <select id="measure" value=${name} onChange=${({ target }) => setName(target.value)}>
        ${Object.entries(MEASURES).map(
          ([key, { label }]) => html`<option key=${key} value=${key}>${label}</option>`,
        )}
      </select>
    </p>
    <${Chart}
      label=${title}
      unit=${getUnit()}
      hasBars=${!isApart}
      isStacked=${!isApart}
      x=${rounds}
      series=${series}
      format=${format}
      tick=${tick}
    />
  `;
}
