/** Shows one Supernode over time: its stake, scores and rewards, and the reason for each round's. */

import { get } from "../api.js";
import { Address, AddressPicture } from "../components/address.js";
import { Chart } from "../components/chart.js";
import { Amount, CopyButton, Figure, Figures, Moment, Section } from "../components/parts.js";
import { Score, StatusMark } from "../components/rounds.js";
import { Table } from "../components/table.js";
import {
  describeGain,
  formatCount,
  formatFigures,
  isSameAddress,
  shorten,
  toTokens,
  toWhole,
} from "../format.js";
import { html } from "../html.js";
import { getSymbol, useStore } from "../store.js";
import { transact } from "../transact.js";

const ROUNDS = 100;

export async function load(operator) {
  const supernode = await get(`supernodes/${operator}`);
  const readHistory = async ({ task }) => {
    const { items } = await get(`tasks/${task}/supernodes/${operator}/history`, { limit: ROUNDS });
    return items.toSorted((one, other) => one.round - other.round);
  };
  return { supernode, histories: await Promise.all(supernode.tasks.map(readHistory)) };
}

export function getTitle({ supernode }) {
  return `Supernode ${shorten(supernode.operator)}`;
}

export function isAffectedBy({ kind, address }, operator) {
  return kind === "round" || kind === "account" || (Boolean(address) && isSameAddress(address, operator));
}

export function View({ data }) {
  const { supernode, histories } = data;
  const { tasks, owner, operator } = supernode;
  return html`
    <p class="kicker"><a href="#/">Overview</a></p>
    <h1>${getTitle(data)}</h1>
    <p class="byline">
      <${AddressPicture} address=${operator} />${"Operator "}<code>${operator}</code>
      <${CopyButton} text=${operator} name="the operator’s address" />
    </p>
    <p class="byline">
      ${"Owner "}<${Address} address=${owner} name="the owner’s address" />
    </p>
    ${supernode.revoked && html`<p class="byline"><${Revoked} supernode=${supernode} /></p>`}
    <${StakeFigures} supernode=${supernode} />
    ${tasks.map(
      (task, index) => html`
        <${History} key=${task.task} owner=${owner} task=${task} rounds=${histories[index]} />
      `,
    )}
    ${!tasks.length && html`<p class="empty">It takes part in no task.</p>`}
  `;
}

function Revoked({ supernode: { successor } }) {
  if (!successor) return "Its owner revoked it: its stake counts for nobody.";
  return html`${"Its owner replaced it by "}<${Address} address=${successor} href="#/supernodes/${successor}" />.`;
}

function StakeFigures({ supernode }) {
  const release = html`can be withdrawn from <${Moment} at=${supernode.release_at} />`;
  return html`
    <${Figures}>
      <${Figure} name="Stake"><${Amount} wei=${supernode.stake_wei} /></${Figure}>
      <${Figure} name="Tasks">${formatCount(supernode.tasks.length)}</${Figure}>
      ${
        BigInt(supernode.unbonding_wei) > 0n &&
        html`<${Figure} name="Leaving" note=${release}><${Amount} wei=${supernode.unbonding_wei} /></${Figure}>`
      }
      ${
        BigInt(supernode.slashed_wei) > 0n &&
        html`<${Figure} name="Lost to slashing"><${Amount} wei=${supernode.slashed_wei} /></${Figure}>`
      }
    </${Figures}>
  `;
}

const COLUMNS = [
  {
    head: "Round",
    sort: ({ round }) => round,
    cell: ({ task, round }) => html`<a href="#/tasks/${task}/rounds/${round}">${formatCount(round)}</a>`,
  },
  {
    head: "Status",
    sort: ({ status }) => status,
    cell: ({ status }) => html`<${StatusMark} status=${status} />`,
  },
  {
    head: "Score",
    sort: ({ score_micro: micros }) => micros,
    cell: (row) => html`<${Score} micros=${row.score_micro} />`,
  },
  {
    head: "Reward",
    isNumber: true,
    sort: ({ reward_wei: wei }) => toWhole(wei),
    cell: (row) => html`<${Amount} wei=${row.reward_wei} />`,
  },
  { head: "Why", isWide: true, cell: ({ reason }) => html`<span class="why">${reason}</span>` },
];

function History({ owner, task: { task, earned_wei: earned, claimable_wei: claimable }, rounds }) {
  const { session } = useStore();
  const canClaim = session?.address === owner && BigInt(claimable) > 0n;
  const claim = () => transact({ name: `Claim from task ${task}`, prepare: "claim", body: { task } });
  return html`
    <${Section} heading="In task ${task}">
      <${Figures}>
        <${Figure} name="Earned"><${Amount} wei=${earned} /></${Figure}>
        <${Figure} name="Can be claimed"><${Amount} wei=${claimable} /></${Figure}>
      </${Figures}>
      ${canClaim && html`<p><button type="button" class="main" onClick=${claim}>Claim</button></p>`}
      <div class="charts">
        <${ScoreChart} task=${task} rounds=${rounds} />
        <${RewardChart} task=${task} rounds=${rounds} />
      </div>
      <${Table}
        caption="Rounds of task ${task}, newest first"
        columns=${COLUMNS}
        rows=${rounds.toReversed().map((row) => ({ ...row, task }))}
        getKey=${({ round }) => round}
        empty="No round yet."
      />
    </${Section}>
  `;
}

function ScoreChart({ task, rounds }) {
  return html`
    <${Chart}
      label="How much it lowered the loss in task ${task}"
      unit=""
      hasBars
      x=${rounds.map(({ round }) => round)}
      series=${[{ label: "Score", values: rounds.map(({ score_micro: micros }) => micros) }]}
      format=${(value) => describeGain(Math.round(value))}
      tick=${(value) => String(value / 1e6)}
    />
  `;
}

function RewardChart({ task, rounds }) {
  const rewards = rounds.map(({ reward_wei: wei }) => toTokens(wei));
  return html`
    <${Chart}
      label="Reward in task ${task}"
      unit=${getSymbol()}
      hasBars
      x=${rounds.map(({ round }) => round)}
      series=${[{ label: "Reward", values: rewards }]}
      format=${formatFigures}
    />
  `;
}
