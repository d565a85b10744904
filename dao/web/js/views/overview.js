/** Shows the running rounds live, the treasury, the tasks, the newest proposals and payments. */

import { countAnswer, get } from "../api.js";
import { Address } from "../components/address.js";
import { Amount, Figure, Figures, MoreInApi, Moment, Notice, Section } from "../components/parts.js";
import { ProposalTable } from "../components/proposal_table.js";
import { describeProgress, LiveRound, PhaseMark } from "../components/rounds.js";
import { SearchForm } from "../components/search_form.js";
import { Table } from "../components/table.js";
import { getTaskTitle } from "../components/task_card.js";
import { formatCount, formatPlural } from "../format.js";
import { html } from "../html.js";
import { useStore } from "../store.js";
import { cleanText, cutText } from "../text.js";

const PAYMENTS = 5;
const PURPOSE_LENGTH = 120; // characters of a task's purpose in the list

export const hasNetwork = true; // load() reads it, too

let first = null; // what came with the page, until it is shown

/** Takes an overview that came with the page: the first load asks for none. */
export function prime(overview) {
  first = overview;
}

export async function load() {
  const overview = first ?? (await get("overview"));
  if (first) countAnswer(first);
  first = null;
  const findTask = (round) => overview.tasks.items.find(({ task }) => task === round.task);
  return { ...overview, running: overview.rounds.map((round) => ({ task: findTask(round), round })) };
}

export function getTitle() {
  return "Commonweight";
}

export function isAffectedBy({ kind }) {
  return ["round", "task", "supernode", "proposal", "vote"].includes(kind);
}

export function announce(before, after) {
  const known = new Map(before.running.map(({ round }) => [round.task, round]));
  return after.running.map(({ round }) => describeProgress(known.get(round.task), round)).find(Boolean);
}

export function View({
  data: { tasks, treasury, proposals, open_proposals: open, open_cases: cases, running },
}) {
  const { network } = useStore();
  return html`
    <div class="lead">
      <h1>A model, trained together</h1>
      <p>
        Data never leaves its owner. What each one adds is measured, and paid. The DAO decides the rest, here.
      </p>
    </div>
    <${SearchForm} />
    <${PauseNotices} network=${network} />
    ${
      running.length
        ? running.map(
            ({ task, round }) => html`<${LiveRound} key=${task.task} task=${task} round=${round} />`,
          )
        : html`<p class="empty">No round is running.</p>`
    }
    <${TreasurySection} treasury=${treasury} tasks=${tasks.items} open=${open} cases=${cases} />
    <${Section} heading="Tasks">
      <${TaskTable} tasks=${tasks.items} />
      <${MoreInApi} page=${tasks} noun="tasks" />
    </${Section}>
    <${Section} heading="Newest proposals">
      <${ProposalTable} proposals=${proposals.items} />
      <p class="more"><a href="#/proposals">All proposals</a><a href="#/propose">Propose</a></p>
    </${Section}>
    ${
      treasury.grants.length > 0 &&
      html`
      <${Section} heading="Latest payments">
        <${PaymentTable} payments=${treasury.grants} />
      </${Section}>
    `
    }
  `;
}

function PauseNotices({ network }) {
  return [
    network.tasks_paused && "The DAO has paused new tasks, members and rounds.",
    network.staking_paused && "The DAO has paused new stakes.",
  ].map((sentence) => sentence && html`<${Notice} tone="warn">${sentence}</${Notice}>`);
}

function TreasurySection({ treasury, tasks, open, cases }) {
  const { network } = useStore();
  const escrow = treasury.escrow.reduce((sum, { available_wei: wei }) => sum + BigInt(wei), 0n);
  const nodes = tasks.reduce((sum, task) => sum + (task.closed ? 0 : task.active_nodes), 0);
  return html`
    <${Section} heading="Treasury">
      <${Figures}>
        <${Figure} name="Free to decide on"><${Amount} wei=${treasury.balance_wei} /></${Figure}>
        <${Figure} name="Set aside for tasks"><${Amount} wei=${escrow} /></${Figure}>
        <${Figure} name="Supply"><${Amount} wei=${network.total_supply_wei} /></${Figure}>
        <${Figure} name="Active Supernodes">${formatCount(nodes)}</${Figure}>
        <${Figure} name="Open for votes">${formatPlural(open, "proposal")}</${Figure}>
        ${cases > 0 && html`<${Figure} name="Disputed results"><a href="#/cases">${formatPlural(cases, "case")}</a></${Figure}>`}
      </${Figures}>
    </${Section}>
  `;
}

const TASK_COLUMNS = [
  {
    head: "Task",
    isWide: true,
    cell: (task) => html`
      <a href="#/tasks/${task.task}">${getTaskTitle(task)}</a>
      ${task.card?.purpose && html`<p class="why">${getBegin(task.card.purpose)}</p>`}
    `,
  },
  {
    head: "State",
    cell: ({ closed }) => html`<${PhaseMark} phase=${closed ? "closed for good" : "open to rounds"} />`,
  },
  { head: "Rounds", isNumber: true, cell: (task) => formatCount(task.last_round) },
  { head: "Supernodes", isNumber: true, cell: (task) => formatCount(task.active_nodes) },
  {
    head: "Pays each round",
    isNumber: true,
    cell: ({ rules }) => html`<${Amount} wei=${rules.round_budget_wei} />`,
  },
  { head: "Left to pay", isNumber: true, cell: (task) => html`<${Amount} wei=${task.available_wei} />` },
];

/** The begin of a text, in one line. */
function getBegin(text) {
  const clean = cleanText(text);
  const begin = cutText(clean, PURPOSE_LENGTH);
  return begin === null ? clean : `${begin}…`;
}

function TaskTable({ tasks }) {
  return html`
    <${Table}
      caption="Tasks"
      columns=${TASK_COLUMNS}
      rows=${tasks}
      getKey=${({ task }) => task}
      empty="The DAO has no task yet; propose one."
    />
  `;
}

const PAYMENT_COLUMNS = [
  { head: "To", cell: ({ to }) => html`<${Address} address=${to} />` },
  { head: "Amount", isNumber: true, cell: ({ amount_wei: wei }) => html`<${Amount} wei=${wei} />` },
  { head: "When", cell: ({ at }) => html`<${Moment} at=${at} />` },
];

function PaymentTable({ payments }) {
  return html`
    <${Table}
      caption="Payments, newest first"
      columns=${PAYMENT_COLUMNS}
      rows=${payments.slice(0, PAYMENTS)}
      getKey=${({ tx, to }) => tx + to}
    />
  `;
}
