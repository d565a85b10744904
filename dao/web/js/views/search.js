/** Finds tasks, rounds, proposals, Supernodes and accounts by what the reader typed. */

import { get } from "../api.js";
import { Address } from "../components/address.js";
import { getProposalTitle, StateMark } from "../components/proposal_table.js";
import { SearchForm } from "../components/search_form.js";
import { getName, getTaskTitle } from "../components/task_card.js";
import { formatCount, isSameAddress } from "../format.js";
import { html } from "../html.js";

const LISTED = 200; // tasks, and proposals whose titles are searched: the newest
const EVENTS = 50;
const ADDRESS = /^0x[0-9a-fA-F]{40}$/;
const TASK = /^(?:task\s*)?(\d{1,15})$/i;
const ROUND = /^(?:task\s*)?(\d{1,15})\s*(?:[/.,]|,?\s*round)\s*(\d{1,15})$/i;

export async function load(words = "") {
  const text = decodeText(words).trim();
  if (!text) return { text, found: null };
  return { text, found: ADDRESS.test(text) ? await findAddress(text) : await findWords(text) };
}

function decodeText(words) {
  try {
    return decodeURIComponent(words);
  } catch {
    return words;
  }
}

// What is looked for may not exist, so that lists are asked: a browser's console reports what is not found.

async function findAddress(address) {
  const { items } = await get("activity", { address, topic: "supernode", limit: EVENTS });
  const isOperator = items.some((event) => event.address && isSameAddress(event.address, address));
  return { address, isOperator, tasks: [], round: null, proposals: [] };
}

async function findWords(text) {
  const [, task, round] = ROUND.exec(text) ?? TASK.exec(text) ?? [];
  const [tasks, proposals] = await Promise.all([
    get("tasks", { limit: LISTED }),
    get("proposals", { limit: LISTED }),
  ]);
  const found = tasks.items.find((one) => one.task === Number(task));
  const hasRound = found && Number(round) >= 1 && Number(round) <= found.last_round;
  const isNamed = ({ card }) => getName(card)?.toLowerCase().includes(text.toLowerCase());
  const isMeant = ({ title, id }) =>
    title.toLowerCase().includes(text.toLowerCase()) || (/^\d{4,}$/.test(text) && id.startsWith(text));
  return {
    address: null,
    isOperator: false,
    tasks: found ? [found] : tasks.items.filter(isNamed),
    round: hasRound ? { task: found.task, round: Number(round) } : null,
    proposals: proposals.items.filter(isMeant),
  };
}

export function getTitle({ text }) {
  return text ? `Search: ${text}` : "Search";
}

export function isAffectedBy() {
  return false;
}

export function View({ data: { text, found } }) {
  return html`
    <h1>Search</h1>
    <${SearchForm} text=${text} />
    ${found && html`<${Found} found=${found} />`}
  `;
}

function Found({ found: { address, isOperator, tasks, round, proposals } }) {
  const lines = [
    ...tasks.map((one) => html`<a href="#/tasks/${one.task}">${getTaskTitle(one)}</a>`),
    round &&
      html`<a href="#/tasks/${round.task}/rounds/${round.round}">
        ${`Round ${formatCount(round.round)} of task ${formatCount(round.task)}`}
      </a>`,
    isOperator && html`Supernode <${Address} address=${address} href="#/supernodes/${address}" />`,
    address && html`Account <${Address} address=${address} />`,
    ...proposals.map(
      (one) => html`
        Proposal <a href="#/proposals/${one.id}">${getProposalTitle(one)}</a>${" "}
        <${StateMark} state=${one.state} />
      `,
    ),
  ].filter(Boolean);
  if (!lines.length) return html`<p class="empty">Nothing was found.</p>`;
  return html`<ul class="found">${lines.map((line) => html`<li>${line}</li>`)}</ul>`;
}
