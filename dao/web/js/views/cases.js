/** Lists all cases, newest first: who disputes what in which round, whose move it is, how it ended. */

import { get } from "../api.js";
import { CaseTable } from "../components/cases.js";
import { MoreInApi } from "../components/parts.js";
import { html } from "../html.js";

const CASES = 100;

export async function load() {
  return get("cases", { limit: CASES });
}

export function getTitle() {
  return "Cases";
}

export function isAffectedBy({ kind }) {
  return kind === "round";
}

export function View({ data }) {
  return html`
    <h1>Cases</h1>
    <p class="soft">
      Whoever finds a posted result wrong proves it on chain, which voids it at once and costs the Superlink its bond; or
      challenges it for a bond of their own, and the DAO decides.
    </p>
    <${CaseTable} cases=${data.items} />
    <${MoreInApi} page=${data} noun="cases" />
  `;
}
