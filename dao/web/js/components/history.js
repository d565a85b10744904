/** Tells what happened on chain, and what is to come: an event a line, each with its transaction. */

import { html } from "../html.js";
import { Address } from "./address.js";
import { Hash, Moment } from "./parts.js";

// What an event says in words; the account that it names follows where there is a second part.
const WORDS = {
  RoundOpened: ["The round was opened."],
  ForcedCommit: ["A commit came on chain from ", "."],
  CommitsClosed: ["Commits were closed, and the seed was drawn."],
  ForcedReveal: ["An update was revealed on chain, past the Superlink, by ", "."],
  Attested: ["A member that was drawn attests that it has the update of ", "."],
  ResultPosted: ["The Superlink posted its result."],
  Challenged: ["The result was challenged by ", "."],
  Resolved: ["The DAO decided on the challenge."],
  Conceded: ["The Superlink took its result back."],
  Convicted: ["The result’s Superlink was convicted; its accuser is ", "."],
  Demanded: ["A leaf of the result was demanded by ", "."],
  Answered: ["A demanded leaf was shown by ", "."],
  Expired: ["A demand of a leaf ended without an answer; it was made by ", "."],
  GradientAccused: ["A vote on the result’s gradients was asked for by ", "."],
  VoteCommitted: ["A sealed vote on the gradients came from ", "."],
  VoteRevealed: ["Its vote on the gradients was opened by ", "."],
  GradientJudged: ["The vote on the gradients was counted."],
  JurorFined: ["A fine, for no vote or one with the minority, was taken from ", "."],
  Equivocated: ["Two commits were signed by ", "."],
  Finalized: ["The round became final; its rewards can be claimed."],
  Aborted: ["The round was ended without a result."],
  Voided: ["The round was declared void."],
  ProposalCreated: ["It was proposed by ", "."],
  ProposalExtended: ["Voting was extended, because the quorum was reached late."],
  ProposalQueued: ["It was queued: it waits in the timelock."],
  ProposalExecuted: ["It was executed."],
  ProposalCanceled: ["It was withdrawn."],
};

/**
 * Events, the oldest first: {kind, at, tx, address}; `plan` are times that are no events, {at, words}: those that are
 * not over are told as being ahead.
 */
export function History({ events, plan = [], now = Infinity }) {
  const lines = [...events, ...plan].toSorted((one, other) => one.at - other.at);
  return html`
    <ol class="timeline">
      ${lines.map(
        ({ kind, at, tx, address, words }) => html`
          <li key="${kind} ${at} ${tx} ${address} ${words}" class=${at > now ? "ahead" : null}>
            <p>${words ?? html`<${Happened} kind=${kind} address=${address} />`}</p>
            <p class="soft small">
              <${Moment} at=${at} />${tx && html`${" "}<${Hash} hex=${tx} name="the transaction" />`}
            </p>
          </li>
        `,
      )}
    </ol>
  `;
}

function Happened({ kind, address }) {
  const [before, after] = WORDS[kind] ?? [`${kind}.`];
  if (!after) return before;
  return html`${before}<${Address} address=${address} />${after}`;
}
