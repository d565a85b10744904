/** Shows one task: its running round, its past rounds, its Supernodes and their earnings, its rules. */

import { get } from "../api.js";
import { Address } from "../components/address.js";
import { CaseTable } from "../components/cases.js";
import { Chart } from "../components/chart.js";
import { EarningChart } from "../components/earnings.js";
import { Amount, ExactList, Figure, Figures, MoreInApi, Moment, Section } from "../components/parts.js";
import { describeProgress, LiveRound, PhaseMark, Score, StatusMark } from "../components/rounds.js";
import { Table } from "../components/table.js";
import { getName, getTaskTitle, listMeasured, TaskCard } from "../components/task_card.js";
import { formatCount, formatDuration, formatFigures, formatLoss, toTokens, toWhole } from "../format.js";
import { html, useState } from "../html.js";
import { getSymbol } from "../store.js";
import { cleanText } from "../text.js";

const ROUNDS = 60;
const SUPERNODES = 200;
const CASES = 20;
const FIRST_ROUNDS = 10; // that are shown at once

export async function load(id) {
  const [task, rounds, supernodes, earnings, cases] = await Promise.all([
    get(`tasks/${id}`),
    get(`tasks/${id}/rounds`, { limit: ROUNDS }),
    get(`tasks/${id}/supernodes`, { limit: SUPERNODES }),
    get(`tasks/${id}/earnings`, { rounds: ROUNDS }),
    get("cases", { task: id, limit: CASES }),
  ]);
  const latest = task.last_round ? await get(`tasks/${id}/rounds/${task.last_round}`) : null;
  return {
    task,
    rounds: rounds.items.toSorted((one, other) => one.round - other.round),
    supernodes,
    earnings,
    cases,
    latest,
  };
}

export function getTitle({ task }) {
  return getTaskTitle(task);
}

export function isAffectedBy({ task, kind }, id) {
  return String(task) === id || kind === "supernode";
}

export function announce(before, after) {
  return describeProgress(before.latest, after.latest);
}

export function View({ data: { task, rounds, supernodes, earnings, cases, latest } }) {
  const measured = listMeasured(task.card, rounds);
  return html`
    <p class="kicker">
      <a href="#/">Overview</a>${getName(task.card) && ` · Task ${formatCount(task.task)}`}
    </p>
    <h1>${getName(task.card) ?? getTaskTitle(task)}</h1>
    <${TaskCard} card=${task.card} refused=${task.card_refused} measured=${measured.at(-1)} />
    <${TaskFigures} task=${task} />
    ${latest && html`<${LiveRound} task=${task} round=${latest} />`}
    <${Section} heading="Over the rounds">
      <div class="charts">
        ${measured.length > 0 && html`<${MetricChart} rounds=${measured} />`}
        <${LossChart} rounds=${rounds} /><${PaymentChart} rounds=${rounds} />
      </div>
      <h3>By Supernode</h3>
      <${EarningChart} earnings=${earnings} />
    </${Section}>
    <${Section} heading="Rounds"><${RoundTable} rounds=${rounds} /></${Section}>
    ${
      cases.items.length > 0 &&
      html`
        <${Section} heading="Cases">
          <${CaseTable} cases=${cases.items} />
          <${MoreInApi} page=${cases} noun="cases" />
        </${Section}>
      `
    }
    <${Section} heading="Supernodes">
      <${SupernodeTable} supernodes=${supernodes.items} />
      <${MoreInApi} page=${supernodes} noun="Supernodes" />
    </${Section}>
    <${Section} heading="Rules"><${Rules} task=${task} /></${Section}>
  `;
}

function TaskFigures({ task }) {
  const final =
    task.finalized_round > 0 ? `${formatCount(task.finalized_round)} is the last final one` : null;
  return html`
    <${Figures}>
      <${Figure} name="Supernodes">${formatCount(task.active_nodes)}</${Figure}>
      <${Figure} name="Rounds" note=${final}>${formatCount(task.last_round)}</${Figure}>
      <${Figure} name="Left to pay"><${Amount} wei=${task.available_wei} /></${Figure}>
      <${Figure} name="Funded so far"><${Amount} wei=${task.funded_wei} /></${Figure}>
      <${Figure} name="Earned so far"><${Amount} wei=${task.rewarded_wei} /></${Figure}>
      <${Figure} name="Claimed so far"><${Amount} wei=${task.claimed_wei} /></${Figure}>
    </${Figures}>
  `;
}

function MetricChart({ rounds }) {
  return html`
    <${Chart}
      label="${cleanText(rounds[0].metric_name)} on validation data, as the Superlink measured it"
      unit=""
      x=${rounds.map(({ round }) => round)}
      series=${[{ label: "After the round", values: rounds.map((round) => round.metric_micro / 1e6) }]}
      format=${(value) => formatLoss(Math.round(value * 1e6))}
    />
  `;
}

function LossChart({ rounds }) {
  const done = rounds.filter(({ loss_after_micro: micros }) => micros !== null);
  const listValues = (name) => done.map((round) => round[name] / 1e6);
  return html`
    <${Chart}
      label="Loss on validation data"
      unit=""
      x=${done.map(({ round }) => round)}
      series=${[
        { label: "Before the round", values: listValues("loss_before_micro") },
        { label: "After it", values: listValues("loss_after_micro") },
      ]}
      format=${(value) => formatLoss(Math.round(value * 1e6))}
    />
  `;
}

function PaymentChart({ rounds }) {
  const done = rounds.filter(({ paid_wei: wei }) => wei !== null);
  return html`
    <${Chart}
      label="Paid to Supernodes"
      unit=${getSymbol()}
      hasBars
      x=${done.map(({ round }) => round)}
      series=${[{ label: "Paid", values: done.map(({ paid_wei: wei }) => toTokens(wei)) }]}
      format=${formatFigures}
    />
  `;
}

const ROUND_COLUMNS = [
  {
    head: "Round",
    sort: ({ round }) => round,
    cell: ({ task, round }) => html`<a href="#/tasks/${task}/rounds/${round}">${formatCount(round)}</a>`,
  },
  { head: "Phase", sort: ({ phase }) => phase, cell: ({ phase }) => html`<${PhaseMark} phase=${phase} />` },
  {
    head: "Opened",
    sort: (round) => round.opened_at,
    cell: (round) => html`<${Moment} at=${round.opened_at} />`,
  },
  {
    head: "Committed",
    isNumber: true,
    sort: ({ commits, forced }) => commits + forced,
    cell: ({ commits, forced, eligible }) => `${formatCount(commits + forced)} of ${formatCount(eligible)}`,
  },
  {
    head: "Metric",
    sort: ({ metric_micro: micros }) => micros,
    cell: ({ metric_name: name, metric_micro: micros }) =>
      micros === null ? "–" : `${cleanText(name)} ${formatLoss(micros)}`,
  },
  {
    head: "Effect",
    sort: ({ loss_change_micro: micros }) => (micros === null ? null : -micros),
    cell: ({ loss_change_micro: micros }) => html`<${Score} micros=${micros === null ? null : -micros} />`,
  },
  {
    head: "Paid",
    isNumber: true,
    sort: ({ paid_wei: wei }) => toWhole(wei),
    cell: (round) => html`<${Amount} wei=${round.paid_wei} />`,
  },
  {
    head: "Given back",
    isNumber: true,
    sort: ({ refunded_wei: wei }) => toWhole(wei),
    cell: (round) => html`<${Amount} wei=${round.refunded_wei} />`,
  },
];

function RoundTable({ rounds }) {
  const [hasAll, setAll] = useState(false);
  const newest = rounds.toReversed();
  const isLong = newest.length > FIRST_ROUNDS && !hasAll;
  return html`
    <${Table}
      caption="Rounds, newest first"
      columns=${ROUND_COLUMNS}
      rows=${isLong ? newest.slice(0, FIRST_ROUNDS) : newest}
      getKey=${({ round }) => round}
      empty="No round yet."
    />
    ${
      isLong &&
      html`
        <p>
          <button type="button" class="plain" onClick=${() => setAll(true)}>
            Show the newest ${formatCount(newest.length)} rounds
          </button>
        </p>
      `
    }
  `;
}

const SUPERNODE_COLUMNS = [
  {
    head: "Supernode",
    cell: ({ operator }) => html`<${Address} address=${operator} href="#/supernodes/${operator}" />`,
  },
  {
    head: "Stake",
    isNumber: true,
    sort: ({ stake_wei: wei }) => toWhole(wei),
    cell: (node) => html`<${Amount} wei=${node.stake_wei} />`,
  },
  {
    head: "Earned",
    isNumber: true,
    sort: ({ earned_wei: wei }) => toWhole(wei),
    cell: (node) => html`<${Amount} wei=${node.earned_wei} />`,
  },
  {
    head: "Last round",
    sort: ({ last }) => last?.round ?? null,
    cell: ({ last }) =>
      last
        ? html`
            <span class="last">
              <a href="#/tasks/${last.task}/rounds/${last.round}">${formatCount(last.round)}</a>${" "}
              <${StatusMark} status=${last.status} />
            </span>
          `
        : "–",
  },
  {
    head: "Score",
    sort: ({ last }) => last?.score_micro ?? null,
    cell: ({ last }) => html`<${Score} micros=${last?.score_micro} />`,
  },
  {
    head: "Reward",
    isNumber: true,
    sort: ({ last }) => toWhole(last?.reward_wei),
    cell: ({ last }) => (last ? html`<${Amount} wei=${last.reward_wei} />` : "–"),
  },
  {
    head: "Why",
    isWide: true,
    cell: ({ last }) => html`<span class="why">${last?.reason ?? "no round yet"}</span>`,
  },
];

function SupernodeTable({ supernodes }) {
  return html`
    <${Table}
      caption="Supernodes"
      columns=${SUPERNODE_COLUMNS}
      rows=${supernodes}
      getKey=${({ operator }) => operator}
      empty="No Supernode has joined yet."
    />
  `;
}

function Rules({ task: { task, rules, superlink, model } }) {
  const exact = [
    ["Superlink", superlink],
    ["Newest model (sha-256)", model],
    ["Training code (sha-256)", rules.app_hash],
    ["Base model (sha-256)", rules.base_model],
    ["Card (sha-256)", rules.card],
    ["Validation data (Merkle root)", rules.validation_root],
  ];
  return html`
    <${Figures}>
      <${Figure} name="Pays each round"><${Amount} wei=${rules.round_budget_wei} /></${Figure}>
      <${Figure} name="Stake of a Supernode">
        <${Amount} wei=${rules.min_stake_wei} />${" to "}<${Amount} wei=${rules.max_stake_wei} />
      </${Figure}>
      <${Figure} name="Who may join">
        ${rules.admitted_only ? "members that the DAO admits" : "whoever stakes"}
      </${Figure}>
      <${Figure} name="Minimum of commits">${formatCount(rules.quorum)}</${Figure}>
      <${Figure} name="Commit time">${formatDuration(rules.commit_period_seconds)}</${Figure}>
      <${Figure} name="Reveal time">${formatDuration(rules.reveal_period_seconds)}</${Figure}>
      <${Figure} name="Challenge time">${formatDuration(rules.challenge_period_seconds)}</${Figure}>
    </${Figures}>
    <${ExactList} values=${exact} />
    <p><a href="#/propose">Propose a change to task ${task}</a></p>
  `;
}
