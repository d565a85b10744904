/** Shows how the votes on a proposal stand: a bar with the quorum as a line, and the numbers. */

import { computeRatio, formatPercent } from "../format.js";
import { html } from "../html.js";
import { SUPPORT } from "../typed_data.js";
import { Amount, Mark, Moment } from "./parts.js";
import { Table } from "./table.js";

/** A way to vote, by its number. */
export function SupportMark({ support }) {
  return html`<${Mark} tone=${["bad", "good", "plain"][support]}>${SUPPORT[support]}</${Mark}>`;
}

/** The votes on a proposal in short. */
export function Tally({ proposal }) {
  const { cast, reached, missing } = countVotes(proposal);
  const quorum =
    missing > 0n ? `${formatPercent(reached, proposal.quorum_wei)} of the quorum` : "quorum reached";
  return html`
    <div class="tally">
      <${TallyBar} proposal=${proposal} />
      <span class="soft">${`${formatPercent(proposal.for_wei, cast)} for, ${quorum}`}</span>
    </div>
  `;
}

/** The votes on a proposal in full. */
export function FullTally({ proposal }) {
  const { cast, reached, missing } = countVotes(proposal);
  return html`
    <div class="tally full">
      <${TallyBar} proposal=${proposal} />
      <dl class="legend">
        <${LegendRow} tone="for" label="For" wei=${proposal.for_wei} cast=${cast} />
        <${LegendRow} tone="abstain" label="Abstain" wei=${proposal.abstain_wei} cast=${cast} />
        <${LegendRow} tone="against" label="Against" wei=${proposal.against_wei} cast=${cast} />
      </dl>
      <${Quorum} quorum=${proposal.quorum_wei} reached=${reached} missing=${missing} />
    </div>
  `;
}

function countVotes({ for_wei: yes, against_wei: no, abstain_wei: abstain, quorum_wei: quorum }) {
  const reached = BigInt(yes) + BigInt(abstain);
  return { cast: reached + BigInt(no), reached, missing: BigInt(quorum) - reached };
}

function LegendRow({ tone, label, wei, cast }) {
  return html`
    <div>
      <dt><i class="swatch ${tone}" aria-hidden="true" />${label}</dt>
      <dd><${Amount} wei=${wei} /><small>${formatPercent(wei, cast)}</small></dd>
    </div>
  `;
}

function Quorum({ quorum, reached, missing }) {
  if (missing <= 0n)
    return html`<p class="reached">The quorum of <${Amount} wei=${quorum} /> is reached.</p>`;
  return html`
    <p class="soft">
      For and abstain have <${Amount} wei=${reached} /> of the quorum of <${Amount} wei=${quorum} />;${" "}
      <${Amount} wei=${missing} /> are missing.
    </p>
  `;
}

/** A bar of the votes with a line at the quorum. Screen readers skip it: the text beside it says the same. */
function TallyBar({ proposal }) {
  const { cast } = countVotes(proposal);
  // Some room, so that the line of the quorum does not hide at the end.
  const room = (BigInt(proposal.quorum_wei) * 11n) / 10n;
  const whole = cast > room ? cast : room;
  const getPercent = (wei) => computeRatio(wei, whole) * 100;
  const line = `${getPercent(proposal.quorum_wei)}%`;
  let left = 0;
  const parts = ["for", "abstain", "against"].map((tone) => {
    const [x, width] = [left, getPercent(proposal[`${tone}_wei`])];
    left += width;
    return html`<rect x="${x}%" y="0" width="${width}%" height="100%" class="tone-${tone}" />`;
  });
  return html`
    <svg class="bar" aria-hidden="true">
      <rect x="0" y="0" width="100%" height="100%" class="tone-rest" />
      ${parts}
      <line x1=${line} x2=${line} y1="0" y2="100%" class="goal" />
    </svg>
  `;
}

const VOTE_COLUMNS = [
  {
    head: "Proposal",
    isWide: true,
    cell: ({ proposal, title }) =>
      html`<a href="#/proposals/${proposal}">${title || `${proposal.slice(0, 8)}…`}</a>`,
  },
  { head: "Vote", cell: ({ support }) => html`<${SupportMark} support=${support} />` },
  { head: "Votes", isNumber: true, cell: (vote) => html`<${Amount} wei=${vote.weight_wei} />` },
  { head: "When", cell: ({ at }) => html`<${Moment} at=${at} />` },
];

/** The votes that one account has cast. */
export function OwnVoteTable({ votes, empty = "You have not voted yet." }) {
  return html`
    <${Table}
      caption="Votes cast"
      columns=${VOTE_COLUMNS}
      rows=${votes}
      getKey=${({ proposal }) => proposal}
      empty=${empty}
    />
  `;
}
