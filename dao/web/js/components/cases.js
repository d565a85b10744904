/** Tells cases: who disputes what in which round, what is at stake, whose move it is, and how it ended. */

import { formatCount, formatTokens } from "../format.js";
import { html } from "../html.js";
import { Address } from "./address.js";
import { TimeLeft } from "./countdown.js";
import { Amount, CopyButton, Hash, LongText, Mark, Moment } from "./parts.js";
import { Table } from "./table.js";

const REASON_LENGTH = 280;

// What a proof says to be wrong, by the contract that checked it.
const PARTS = {
  AccountsProver: "what an owner has earned",
  CommitsProver: "who committed",
  ModelProver: "the new model",
  RowsProver: "what is stated of a Supernode",
  ScoresProver: "a score or its share",
  ShapeProver: "the size of a part",
  ShardsProver: "the shards drawn",
  SumProver: "the sum of the updates",
  WeightsProver: "a weight",
};

// How a case ended, and the tone of that for whoever relies on the result.
const VERDICTS = {
  rejected: ["The DAO found the result right; the bond went to the treasury.", "good"],
  upheld: ["The DAO found the result wrong; the round is void, and the bond went back.", "bad"],
  proven: ["It was proved wrong; the round is void.", "bad"],
  conceded: ["The Superlink took the result back; the round is void.", "bad"],
  undecided: ["The DAO did not decide in time; the round is void, and the bond went back.", "bad"],
  parent_void: ["The result that it was built on became void, and so did this one.", "bad"],
  answered: ["The leaf was shown, and the demand’s bond went to whoever showed it.", "good"],
  unanswered: ["Nobody showed the leaf in time; the round is void.", "bad"],
  lapsed: ["The round was over first; the bond went back."],
  voted_wrong: ["Jurors found a gradient that is not the app’s; the round is void.", "bad"],
  voted_right: ["Jurors found the gradients right; the accuser lost the bond.", "good"],
  no_majority: ["Too few jurors voted, or as many for as against; the bond went back."],
};

// What is proven by two commits is no fault of the result.
const TWICE = ["The commits prove it; the round stays as it was.", "warn"];

// What became of a case in a word or two, for lists.
const SHORT = {
  rejected: "result stands",
  upheld: "result void",
  proven: "proved wrong",
  conceded: "taken back",
  undecided: "void, undecided",
  parent_void: "void with its parent",
  answered: "leaf shown",
  unanswered: "void, leaf not shown",
  lapsed: "lapsed",
  voted_wrong: "voted wrong",
  voted_right: "voted right",
  no_majority: "no majority",
};

function getVerdict({ kind, verdict }) {
  return kind === "equivocation" ? TWICE : (VERDICTS[verdict] ?? [verdict]);
}

/** A case's state: open, or how it ended. */
export function CaseMark({ one }) {
  const { kind, verdict } = one;
  if (!verdict) return html`<${Mark} tone="busy">open</${Mark}>`;
  const word = kind === "equivocation" ? "committed twice" : (SHORT[verdict] ?? verdict);
  return html`<${Mark} tone=${getVerdict(one)[1]}>${word}</${Mark}>`;
}

/** The cases of a round, each in full. */
export function CaseCards({ cases }) {
  return cases.map((one) => html`<${CaseCard} key=${one.number} one=${one} />`);
}

function CaseCard({ one }) {
  const {
    verdict,
    reason,
    opened_at: openedAt,
    opened_tx: openedTx,
    ended_at: endedAt,
    ended_tx: endedTx,
  } = one;
  return html`
    <article class="card case">
      <p class="byline"><${CaseMark} one=${one} /><span>since <${Moment} at=${openedAt} /></span></p>
      <p><${Accusation} one=${one} /></p>
      ${reason && html`<p><q><${LongText} text=${reason} limit=${REASON_LENGTH} /></q></p>`}
      <dl class="inline">
        <div><dt>At stake</dt><dd><${Stake} one=${one} /></dd></div>
        ${!verdict && html`<div><dt>Whose move</dt><dd><${Turn} one=${one} /></dd></div>`}
        ${verdict && html`<div><dt>How it ended</dt><dd><${Ending} one=${one} /></dd></div>`}
        <div><dt>Opened by transaction</dt><dd><${Hash} hex=${openedTx} name="the transaction that opened it" /></dd></div>
        ${
          endedTx &&
          endedTx !== openedTx &&
          html`
            <div>
              <dt>Ended <${Moment} at=${endedAt} /> by transaction</dt>
              <dd><${Hash} hex=${endedTx} name="the transaction that ended it" /></dd>
            </div>
          `
        }
      </dl>
    </article>
  `;
}

function Accusation({ one }) {
  const { kind, subject, accuser, accused, prover_name: name, prover, claim } = one;
  const who = html`<${Address} address=${accuser} />`;
  const whom = html`<${Address} address=${accused} />`;
  if (kind === "challenge") return html`${who}${" challenges the result of Superlink "}${whom}.`;
  if (kind === "demand")
    return html`${who}${" demands to be shown "}<code>${subject}</code>${", a leaf of the result of Superlink "}${whom}.`;
  if (kind === "gradient")
    return html`${who}${" says that a gradient of the result of Superlink "}${whom}${" is not the app’s"}.`;
  if (kind === "equivocation")
    return html`${who}${" showed that Supernode "}${whom}${" signed two commits to one opening of the round"}.`;
  if (kind === "concession")
    return html`The Superlink ${whom} took its own result back; nobody had accused it on chain.`;
  if (kind !== "proof") return html`${who}${" accuses "}${whom}${` (${kind}).`}`;
  const where = PARTS[name] ? `: ${PARTS[name]} is wrong` : "";
  const exact = name ? `${name}, claim ${claim}` : `claim ${claim} at`;
  return html`
    ${who}${" proved the result of Superlink "}${whom}${` wrong${where} (${exact}`}
    ${!name && html`${" "}<code>${prover}</code><${CopyButton} text=${prover} name="the prover’s address" />`}).
  `;
}

function Stake({ one }) {
  const { kind, accuser_stake_wei: bond, accused_stake_wei: lost, bond_wei: coins } = one;
  if (kind === "equivocation") return "the Supernode’s minimum stake";
  return html`
    the round’s result
    ${
      coins &&
      html`${", the demand’s bond of "}<span class="number" title="${coins} wei">${formatTokens(coins)} ether</span>`
    }
    ${bond && html`${", and the accuser’s bond of "}<${Amount} wei=${bond} />`}
    ${lost && html`${", and the Superlink’s bond of "}<${Amount} wei=${lost} />`}
  `;
}

function Turn({ one: { turn, turn_ends_at: until, task, round } }) {
  const left = until && html`<${TimeLeft} until=${until} over="the time is over" />`;
  if (turn === "superlink")
    return html`
      the Superlink’s, or anyone’s who has the leaf, to show it; ${left},
      and from then on anyone may have the round declared void
    `;
  if (turn === "jurors")
    return html`the jurors’, whom the chain drew from the round’s Supernodes, to vote; ${left}, and from then on anyone may count`;
  if (turn !== "dao") return html`${turn ? `the ${turn}’s` : "nobody’s"}${left && html`${"; "}${left}`}`;
  const over = "the time is over: anyone may declare the round void";
  return html`
    the DAO’s, by a <a href="#/propose/resolve/${task}/${round}">proposal</a> to decide on round ${formatCount(round)} of task ${formatCount(task)};${" "}
    <${TimeLeft} until=${until} over=${over} />, then the round is void
  `;
}

function Ending({ one }) {
  const { kind, slashed_wei: slashed, paid_wei: paid } = one;
  const loser = kind === "equivocation" ? "Supernode" : "Superlink";
  const isPaid = slashed !== null && BigInt(slashed) > 0n;
  return html`
    ${getVerdict(one)[0]}
    ${
      isPaid &&
      html`${` The ${loser} lost `}<${Amount} wei=${slashed} />${", of which the accuser got "}<${Amount} wei=${paid} />.`
    }
  `;
}

const COLUMNS = [
  {
    head: "Round",
    cell: ({ task, round }) =>
      html`<a href="#/tasks/${task}/rounds/${round}">${`Task ${formatCount(task)}, round ${formatCount(round)}`}</a>`,
  },
  { head: "What", isWide: true, cell: (one) => html`<${Summary} one=${one} />` },
  { head: "State", cell: (one) => html`<${CaseMark} one=${one} />` },
  {
    head: "Until",
    cell: ({ turn_ends_at: until, ended_at: endedAt }) =>
      until ? html`<${TimeLeft} until=${until} over="time is over" />` : html`<${Moment} at=${endedAt} />`,
  },
];

function Summary({ one }) {
  const { reason } = one;
  return html`
    <${Accusation} one=${one} />
    ${reason && html`${" "}<q class="why"><${LongText} text=${reason} limit=${REASON_LENGTH} /></q>`}
  `;
}

/** Cases as a table, with links to their rounds. */
export function CaseTable({ cases, empty = "No result has been disputed." }) {
  return html`
    <${Table}
      caption="Cases, newest first"
      columns=${COLUMNS}
      rows=${cases}
      getKey=${({ task, round, number }) => `${task} ${round} ${number}`}
      empty=${empty}
    />
  `;
}
