/** Shows one account as everyone sees it: tokens, votes, delegation, Supernodes, votes cast. */

import { get } from "../api.js";
import { Address, AddressPicture, findName } from "../components/address.js";
import { Amount, CopyButton, Figure, Figures, Section } from "../components/parts.js";
import { SupernodeTable } from "../components/supernode_table.js";
import { OwnVoteTable } from "../components/tally.js";
import { capitalize, formatPlural, isSameAddress, shorten } from "../format.js";
import { html } from "../html.js";

export async function load(address) {
  return get(`accounts/${address}`);
}

export function getTitle({ address }) {
  return capitalize(findName(address) ?? `Account ${shorten(address)}`);
}

export function isAffectedBy({ kind, address }, shown) {
  return ["account", "vote", "supernode"].includes(kind) && (!address || isSameAddress(address, shown));
}

export function View({ data: account }) {
  const { address, supernodes, vote_history: votes, delegate, delegators } = account;
  return html`
    <p class="kicker"><a href="#/">Overview</a></p>
    <h1>${getTitle(account)}</h1>
    <p class="byline">
      <${AddressPicture} address=${address} /><code>${address}</code>
      <${CopyButton} text=${address} name="the address" />
    </p>
    <${Figures}>
      <${Figure} name="Balance"><${Amount} wei=${account.balance_wei} /></${Figure}>
      <${Figure} name="Staked"><${Amount} wei=${account.staked_wei} /></${Figure}>
      <${Figure} name="Votes" note=${delegators ? `of ${formatPlural(delegators, "account")}` : null}>
        <${Amount} wei=${account.votes_wei} />
      </${Figure}>
    </${Figures}>
    <${Section} heading="Delegation">
      <p>The votes of its tokens go to ${delegate.token ? html`<${Address} address=${delegate.token} />` : "nobody"}.</p>
      ${
        supernodes.length > 0 &&
        html`<p>
          The votes of its stake go to
          ${" "}${delegate.registry ? html`<${Address} address=${delegate.registry} />` : "nobody"}.
        </p>`
      }
    </${Section}>
    <${Section} heading="Supernodes"><${SupernodeTable} supernodes=${supernodes} /></${Section}>
    <${Section} heading="Votes cast"><${OwnVoteTable} votes=${votes} empty="It has not voted yet." /></${Section}>
  `;
}
