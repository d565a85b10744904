/** Lists all proposals, newest first, by their state. */

import { get } from "../api.js";
import { ProposalTable } from "../components/proposal_table.js";
import { html } from "../html.js";
import { refreshPage } from "../page_loader.js";
import { getState, update, useStore } from "../store.js";

const PAGE = 25;
const STATES = ["active", "pending", "succeeded", "queued", "executed", "defeated", "canceled"];

export async function load() {
  const { state, limit } = getState().proposalFilter;
  const items = [];
  let cursor = null;
  do {
    const page = await get("proposals", { state, cursor, limit: PAGE });
    items.push(...page.items);
    cursor = page.next;
  } while (cursor && items.length < limit);
  return { items, state, hasMore: cursor !== null };
}

export function getTitle() {
  return "Proposals";
}

export function isAffectedBy({ kind }) {
  return kind === "proposal" || kind === "vote";
}

function changeFilter(change) {
  update({ proposalFilter: { ...getState().proposalFilter, ...change } });
  refreshPage();
}

export function View({ data: { items, state, hasMore } }) {
  const { proposalFilter } = useStore();
  const select = ({ target }) => changeFilter({ state: target.value || null, limit: PAGE });
  const showMore = () => changeFilter({ limit: proposalFilter.limit + PAGE });
  return html`
    <div class="heading">
      <h1>Proposals</h1>
      <a href="#/propose">Propose</a>
    </div>
    <p class="filter">
      <label for="state">${"Show "}</label>
      <select id="state" value=${proposalFilter.state ?? ""} onChange=${select}>
        <option value="">all states</option>
        ${STATES.map((word) => html`<option key=${word} value=${word}>${word}</option>`)}
      </select>
    </p>
    <${ProposalTable} proposals=${items} empty=${state ? `No proposal is ${state}.` : undefined} />
    ${hasMore && html`<button type="button" class="plain" onClick=${showMore}>Show more</button>`}
  `;
}
