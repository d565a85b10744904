/** Lists proposals, each with its state, its votes and the time that matters next. */

import { html } from "../html.js";
import { cleanText } from "../text.js";
import { Address } from "./address.js";
import { TimeLeft } from "./countdown.js";
import { Mark, Moment } from "./parts.js";
import { Table } from "./table.js";
import { Tally } from "./tally.js";

const STATES = {
  pending: ["voting has not begun", "plain"],
  active: ["open for votes", "busy"],
  canceled: ["withdrawn", "plain"],
  defeated: ["defeated", "bad"],
  succeeded: ["accepted", "good"],
  queued: ["queued", "busy"],
  executed: ["executed", "good"],
};

/** A proposal's state. */
export function StateMark({ state }) {
  const [words, tone] = STATES[state] ?? [state, "plain"];
  return html`<${Mark} tone=${tone}>${words}</${Mark}>`;
}

/** Returns a proposal's title, or its number where it has none. */
export function getProposalTitle({ title, id }) {
  return cleanText(title).trim() || `Proposal ${id.slice(0, 8)}…`;
}

/** The time that matters next to a proposal. */
export function NextTime({ proposal }) {
  const { state, starts_at: starts, ends_at: ends, eta } = proposal;
  if (state === "pending") {
    return html`<${TimeLeft} until=${starts} after="until voting" over="voting begins with the next block" />`;
  }
  if (state === "active") return html`<${TimeLeft} until=${ends} over="ends with the next block" />`;
  if (state === "queued" && eta) {
    return html`<${TimeLeft} until=${eta} after="until it can be executed" over="can be executed now" />`;
  }
  return state === "canceled" ? null : html`<span>voting ended <${Moment} at=${ends} /></span>`;
}

const COLUMNS = [
  {
    head: "Proposal",
    isWide: true,
    cell: (one) => html`<a href="#/proposals/${one.id}" class="title">${getProposalTitle(one)}</a>`,
  },
  { head: "By", cell: (one) => html`<${Address} address=${one.proposer} />` },
  { head: "State", cell: (one) => html`<${StateMark} state=${one.state} />` },
  { head: "Votes", cell: (one) => html`<${Tally} proposal=${one} />` },
  { head: "Time", cell: (one) => html`<${NextTime} proposal=${one} />` },
];

/** Proposals as a table; `empty` is said when there are none. */
export function ProposalTable({ proposals, empty = "Nothing has been proposed yet." }) {
  return html`
    <${Table}
      caption="Proposals"
      columns=${COLUMNS}
      rows=${proposals}
      getKey=${({ id }) => id}
      empty=${empty}
    />
  `;
}
