/** Shows one round: how far it is, who took part and who is missing, what it paid, its cases, what happened on chain. */

import { get } from "../api.js";
import { CaseCards } from "../components/cases.js";
import { History } from "../components/history.js";
import { ExactList, Notice, Section } from "../components/parts.js";
import { Missing, NodeTable } from "../components/round_nodes.js";
import { describeProgress, LiveRound } from "../components/rounds.js";
import { formatCount } from "../format.js";
import { html } from "../html.js";

export async function load(task, round) {
  return get(`tasks/${task}/rounds/${round}`);
}

export function getTitle({ task, round }) {
  return `Round ${formatCount(round)} of task ${formatCount(task)}`;
}

export function isAffectedBy({ kind, task }, id) {
  return kind === "round" && String(task) === id;
}

export function announce(before, after) {
  return describeProgress(before, after);
}

export function View({ data: round }) {
  const { task, nodes, next_nodes: next, cases, history } = round;
  return html`
    <p class="kicker"><a href="#/tasks/${task}">Task ${formatCount(task)}</a></p>
    <div class="heading">
      <h1>${getTitle(round)}</h1>
      <${Neighbours} round=${round} />
    </div>
    <${LiveRound} task=${round} round=${round} hasNodes=${false} />
    <${Section} heading="Who is missing"><${Missing} round=${round} /></${Section}>
    <${Section} heading="Supernodes">
      <${NodeTable} nodes=${nodes} next=${next} paid=${round.paid_wei} />
      ${next && html`<p class="soft small">The first ${formatCount(nodes.length)}; the API lists all.</p>`}
    </${Section}>
    <${Section} heading="Cases">
      ${cases.length ? html`<${CaseCards} cases=${cases} />` : html`<p>Nobody has disputed its result.</p>`}
      <${Check} round=${round} />
    </${Section}>
    <${Section} heading="What happened on chain"><${History} events=${history.toReversed()} /></${Section}>
    <${Section} heading="Exactly"><${Exact} round=${round} /></${Section}>
  `;
}

function Neighbours({ round: { task, round } }) {
  const link = (number, words) => html`<a href="#/tasks/${task}/rounds/${number}">${words}</a>`;
  return html`
    <p class="neighbours">
      ${round > 1 && link(round - 1, `← Round ${formatCount(round - 1)}`)}
      <a href="#/tasks/${task}">All rounds</a>
    </p>
  `;
}

/** Says what this API itself has compared. */
function Check({ round: { manifest_refused: refused, manifest_cid: cid } }) {
  if (refused) return html`<${Notice} tone="bad">The manifest is not shown: ${refused}</${Notice}>`;
  if (!cid) return null;
  return html`
    <p class="soft small">
      This API has compared the manifest with the result on chain: roots, sums and rewards agree. Whether the result
      itself is right, an audit computes again: <code>dao audit</code>.
    </p>
  `;
}

function Exact({ round }) {
  const values = [
    ["Superlink", round.superlink],
    ["Seed", round.seed],
    ["Validation shard", round.shard === null ? null : String(round.shard), false],
    ["Model (sha-256)", round.model],
    ["Model (CID)", round.model_cid],
    ["Model that it started from (CID)", round.base_model_cid],
    ["Manifest (sha-256)", round.manifest],
    ["Manifest (CID)", round.manifest_cid],
    ["Opened in block", formatCount(round.open_block), false],
    ["Built on round", round.parent ? formatCount(round.parent) : "none", false],
  ];
  return html`<${ExactList} values=${values.filter(([, value]) => value !== null)} />`;
}
