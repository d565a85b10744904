/** Lists the Supernodes of a round: how each one's update counted, what it was worth, and who is missing. */

import { formatCount, formatPercent, formatPlural, toWhole } from "../format.js";
import { html } from "../html.js";
import { Address } from "./address.js";
import { Amount, Moment } from "./parts.js";
import { Score, StatusMark } from "./rounds.js";
import { Table } from "./table.js";

const MISSED = {
  absent: "neither committed nor said that it sits the round out",
  withheld: "committed, and did not deliver its update",
  late: "delivered its update too late",
  invalid: "delivered an update that is not valid",
  unavailable: "revealed its update on chain, and no source had its content",
};
const MISSING = Object.keys(MISSED);

/**
 * The Supernodes of a round as a table; `paid` is what all of them got, `next` is there where these are only the first:
 * then nothing tells the sum of all weights.
 */
export function NodeTable({ nodes, next, paid }) {
  const weights = next ? null : nodes.reduce((total, { weight }) => total + BigInt(weight ?? 0), 0n);
  return html`
    <${Table}
      caption="Supernodes of the round"
      columns=${makeColumns(weights, paid ?? 0)}
      rows=${nodes}
      getKey=${({ operator }) => operator}
      empty="No Supernode had joined when the round opened."
    />
  `;
}

function makeColumns(weights, paid) {
  return [
    {
      head: "Supernode",
      cell: ({ operator }) => html`<${Address} address=${operator} href="#/supernodes/${operator}" />`,
    },
    {
      head: "Status",
      sort: ({ status }) => status,
      cell: ({ status, reported }) => html`<${StatusMark} status=${status} reported=${reported} />`,
    },
    {
      head: "Weight",
      isNumber: true,
      sort: ({ weight }) => weight,
      cell: ({ weight }) => {
        if (weight === null) return "–";
        if (weights === null) return formatCount(weight);
        return html`<span title=${formatCount(weight)}>${formatPercent(weight, weights)}</span>`;
      },
    },
    {
      head: "Score",
      sort: ({ score_micro: micros }) => micros,
      cell: ({ score_micro: micros }) => html`<${Score} micros=${micros} />`,
    },
    {
      head: "Share",
      isNumber: true,
      sort: ({ reward_wei: wei }) => toWhole(wei),
      cell: ({ reward_wei: wei }) => (wei === null ? "–" : formatPercent(wei, paid)),
    },
    {
      head: "Reward",
      isNumber: true,
      sort: ({ reward_wei: wei }) => toWhole(wei),
      cell: ({ reward_wei: wei }) => html`<${Amount} wei=${wei} />`,
    },
    { head: "Why", isWide: true, cell: ({ reason }) => html`<span class="why">${reason || "–"}</span>` },
  ];
}

/** Says whom the round waits for, or who was missing; and since when. */
export function Missing({ round }) {
  const { phase, nodes, next_nodes: next, opened_at: openedAt, closed_at: closedAt } = round;
  if (phase === "open" || phase === "closed") return html`<${Awaited} round=${round} />`;
  if (phase === "aborted") return html`<p>The round ended without a result.</p>`;
  if (!round.manifest_cid) return html`<p class="soft">Who took part is known once the manifest is read.</p>`;
  const missing = nodes.filter(({ status }) => MISSING.includes(status));
  const first = `of the first ${formatCount(nodes.length)}`;
  if (!missing.length)
    return html`<p>${next ? `Nobody ${first} was missing; the API lists all.` : "Nobody was missing."}</p>`;
  return html`
    <ul class="missing">
      ${missing.map(
        ({ operator, status }) => html`
          <li key=${operator}>
            <${Address} address=${operator} href="#/supernodes/${operator}" />${` ${MISSED[status]}, since `}
            <${Moment} at=${status === "absent" ? openedAt : closedAt} />
          </li>
        `,
      )}
    </ul>
    ${next && html`<p class="soft small">These ${first} were missing; the API lists all.</p>`}
  `;
}

/** Whom a round waits for that has no result: by name as far as the chain, or the Superlink's reports, tell. */
function Awaited({ round }) {
  const {
    phase,
    nodes,
    next_nodes: next,
    opened_at: openedAt,
    closed_at: closedAt,
    is_reported: isReported,
  } = round;
  const isOpen = phase === "open";
  const isDone = ({ status, reported }) =>
    isOpen
      ? status === "forced" || reported
      : reported === "revealed" || reported === "passed" || (reported === null && status !== "forced");
  const awaited = isReported || isOpen ? nodes.filter((node) => !isDone(node)) : [];
  const what = isOpen ? "the commits" : "the updates";
  return html`
    <p>
      Waited for since <${Moment} at=${isOpen ? openedAt : closedAt} />:${" "}
      ${
        !isOpen && !isReported
          ? "the updates of those that committed, and then the Superlink’s result."
          : awaited.length || next
            ? `${what} of ${next ? "more than " : ""}${formatPlural(awaited.length, "Supernode")}.`
            : isOpen
              ? "that the Superlink closes commits."
              : "the Superlink’s result."
      }
      ${" "}
      ${
        isReported
          ? "The Superlink says so; the chain has it later."
          : isOpen
            ? "Their commits go to the Superlink: whose came is on chain when commits close."
            : "Whose update came is known with the result."
      }
    </p>
    <ul class="missing">
      ${awaited.map(
        ({ operator }) => html`
          <li key=${operator}><${Address} address=${operator} href="#/supernodes/${operator}" /></li>
        `,
      )}
    </ul>
  `;
}
