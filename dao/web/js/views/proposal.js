/** Shows one proposal: its actions, how the votes stand, who voted why, what the member can do now. */

import { get } from "../api.js";
import { Address } from "../components/address.js";
import { TimeBar, useChainTime } from "../components/countdown.js";
import { History } from "../components/history.js";
import { Markdown } from "../components/markdown.js";
import { MemberPart } from "../components/member_part.js";
import {
  Amount,
  ExactList,
  Figure,
  Figures,
  LongText,
  MoreInApi,
  Moment,
  Section,
} from "../components/parts.js";
import { getProposalTitle, NextTime, StateMark } from "../components/proposal_table.js";
import { Table } from "../components/table.js";
import { getName, TaskCard } from "../components/task_card.js";
import { FullTally, SupportMark } from "../components/tally.js";
import { html } from "../html.js";
import { getState } from "../store.js";

const VOTES = 50;
const TEXT_LENGTH = 2000; // characters that are shown at once
const REASON_LENGTH = 280;

export async function load(id) {
  const me = getState().session?.address;
  const [proposal, votes, voter] = await Promise.all([
    get(`proposals/${id}`),
    get(`proposals/${id}/votes`, { limit: VOTES }),
    me ? get(`proposals/${id}/voters/${me}`) : null,
  ]);
  return { proposal, votes, voter };
}

export function getTitle({ proposal }) {
  return getProposalTitle(proposal);
}

export function isAffectedBy(event, id) {
  const isMine = event.kind === "account" && event.address === getState().session?.address;
  return event.proposal === id || isMine;
}

export function announce({ proposal: before }, { proposal: after }) {
  if (before.state !== after.state) return `The proposal is ${after.state}.`;
  const listVotes = ({ for_wei, against_wei, abstain_wei }) => `${for_wei} ${against_wei} ${abstain_wei}`;
  return listVotes(before) === listVotes(after) ? null : "A vote was counted.";
}

export function View({ data: { proposal, votes, voter } }) {
  return html`
    <p class="kicker"><a href="#/proposals">Proposals</a></p>
    <h1>${getProposalTitle(proposal)}</h1>
    <p class="byline">
      <${StateMark} state=${proposal.state} />${" by "}<${Address} address=${proposal.proposer} />
      <span>proposed <${Moment} at=${proposal.created_at} /></span>
    </p>
    <div class="columns">
      <div>
        <${Description} proposal=${proposal} />
        <${Section} heading="What would be done"><${ActionList} actions=${proposal.actions} /></${Section}>
        <${Section} heading="Course"><${Timeline} proposal=${proposal} /></${Section}>
        <${Section} heading="Votes">
          <${VoteTable} votes=${votes.items} />
          <${MoreInApi} page=${votes} noun="votes" />
        </${Section}>
      </div>
      <div class="side">
        <${Standing} proposal=${proposal} />
        <${MemberPart} proposal=${proposal} voter=${voter} />
      </div>
    </div>
  `;
}

/** The text of a proposal without its title, which stands above it. */
function Description({ proposal: { description, title } }) {
  const text = title && description.startsWith(title) ? description.slice(title.length) : description;
  const body = text.replace(`# ${title}`, "").trim();
  return body ? html`<${Markdown} text=${body} limit=${TEXT_LENGTH} />` : null;
}

/** What has happened to a proposal, and when the rest is due. */
function Timeline({ proposal }) {
  const { state, starts_at: starts, ends_at: ends, eta, history } = proposal;
  const now = useChainTime();
  const isOver = state === "canceled";
  const plan = [
    (!isOver || starts <= now) && { at: starts, words: now < starts ? "Voting opens." : "Voting opened." },
    (!isOver || ends <= now) && { at: ends, words: now <= ends ? "Voting ends." : "Voting ended." },
    eta && !["executed", "canceled"].includes(state) && { at: eta, words: "It can be executed from now on." },
  ].filter(Boolean);
  return html`<${History} events=${history.toReversed()} plan=${plan} now=${now} />`;
}

function ActionList({ actions }) {
  if (!actions.length) return html`<p class="empty">Nothing on chain: the proposal asks for an opinion.</p>`;
  return html`
    <ol class="actions">
      ${actions.map(
        ({ words, target, value_wei: wei, calldata, card, card_refused: refused }) => html`
          <li>
            <p>${words}</p>
            ${(card || refused) && html`<${ProposedCard} card=${card} refused=${refused} />`}
            <details>
              <summary>Exactly</summary>
              <${ExactList}
                values=${[
                  ["Contract", target],
                  ["Ether", `${wei} wei`, false],
                  ["Data", calldata],
                ]}
              />
            </details>
          </li>
        `,
      )}
    </ol>
  `;
}

/** What the card says that a proposal would give to a task. */
function ProposedCard({ card, refused }) {
  return html`
    <div class="proposed">
      ${card && html`<p>The card that it names calls the task <q>${getName(card) ?? "nothing"}</q>.</p>`}
      <${TaskCard} card=${card} refused=${refused} />
    </div>
  `;
}

function Standing({ proposal }) {
  const { state, starts_at: starts, ends_at: ends, eta } = proposal;
  return html`
    <section class="card" aria-labelledby="standing">
      <h2 id="standing">How it stands</h2>
      <${FullTally} proposal=${proposal} />
      <p class="left"><${NextTime} proposal=${proposal} /></p>
      ${state === "active" && html`<${TimeBar} from=${starts} until=${ends} label="Voting time passed" />`}
      <${Figures}>
        <${Figure} name=${state === "pending" ? "Voting begins" : "Voting began"}>
          <${Moment} at=${starts} />
        </${Figure}>
        <${Figure} name="Voting ends"><${Moment} at=${ends} /></${Figure}>
        ${eta && html`<${Figure} name="Executable from"><${Moment} at=${eta} /></${Figure}>`}
      </${Figures}>
    </section>
  `;
}

const VOTE_COLUMNS = [
  { head: "Who", cell: ({ voter }) => html`<${Address} address=${voter} />` },
  { head: "Vote", cell: ({ support }) => html`<${SupportMark} support=${support} />` },
  { head: "Votes", isNumber: true, cell: (vote) => html`<${Amount} wei=${vote.weight_wei} />` },
  {
    head: "Reason",
    isWide: true,
    cell: ({ reason }) =>
      reason
        ? html`<q><${LongText} text=${reason} limit=${REASON_LENGTH} /></q>`
        : html`<span class="soft">none given</span>`,
  },
  { head: "When", cell: ({ at }) => html`<${Moment} at=${at} />` },
];

function VoteTable({ votes }) {
  return html`
    <${Table}
      caption="Votes"
      columns=${VOTE_COLUMNS}
      rows=${votes}
      getKey=${({ voter }) => voter}
      empty="Nobody has voted yet."
    />
  `;
}
