/** Shows the member's account: sign-in, balance, votes, delegation, Supernodes, votes cast. */

import { follow } from "../activity.js";
import { get } from "../api.js";
import { Address, AddressPicture } from "../components/address.js";
import { Amount, CopyButton, Figure, Figures, Mark, Section } from "../components/parts.js";
import { SupernodeTable } from "../components/supernode_table.js";
import { Table } from "../components/table.js";
import { OwnVoteTable } from "../components/tally.js";
import { forgetDraft, useDraft } from "../drafts.js";
import { formatPlural } from "../format.js";
import { html } from "../html.js";
import { requireAccount, signOut } from "../session.js";
import { getState, useStore } from "../store.js";
import { transact } from "../transact.js";

const ADDRESS = "0x[0-9a-fA-F]{40}";
const DRAFT = "delegatee";

export async function load() {
  const me = getState().session?.address;
  if (!me) return { account: null };
  const [account, delegates] = await Promise.all([get(`accounts/${me}`), get("delegates", { limit: 10 })]);
  return { account, delegates: delegates.items };
}

export function getTitle() {
  return "Your account";
}

export function isAffectedBy({ kind }) {
  return ["account", "vote", "supernode", "round"].includes(kind);
}

export function View({ data: { account, delegates } }) {
  const { session } = useStore();
  if (!account || account.address !== session?.address) return html`<${Welcome} />`;
  const leave = () => attempt("Sign out", signOut, "Signed out.");
  return html`
    <div class="heading">
      <h1>Your account</h1>
      <button type="button" class="plain" onClick=${leave}>Sign out</button>
    </div>
    <p class="byline"><${AddressPicture} address=${account.address} /><code>${account.address}</code><${CopyButton} text=${account.address} name="your address" /></p>
    <${Figures}>
      <${Figure} name="Balance"><${Amount} wei=${account.balance_wei} /></${Figure}>
      <${Figure} name="Staked"><${Amount} wei=${account.staked_wei} /></${Figure}>
      <${Figure} name="Votes" note="your own if you kept them, and those delegated to you">
        <${Amount} wei=${account.votes_wei} />
      </${Figure}>
    </${Figures}>
    <${Section} heading="Delegation">
      <${Delegation} account=${account} />
      <h3>Who has the most votes</h3>
      <${DelegateTable} delegates=${delegates} />
    </${Section}>
    ${
      account.supernodes.length > 0 &&
      html`
      <${Section} heading="Your Supernodes">
        <${SupernodeTable} supernodes=${account.supernodes} caption="Your Supernodes" />
      </${Section}>
    `
    }
    <${Section} heading="Your votes"><${OwnVoteTable} votes=${account.vote_history} /></${Section}>
  `;
}

function Welcome() {
  const enter = () => attempt("Sign in", requireAccount, "Signed in.");
  return html`
    <h1>Your account</h1>
    <p class="prose">
      Connect a wallet to vote, delegate and propose. It needs no ether: you sign, and the DAO's relayer sends
      what you signed.
    </p>
    <p><button type="button" class="main" onClick=${enter}>Connect and sign in</button></p>
    <p class="soft">Reading needs no wallet.</p>
  `;
}

/** Does something with the wallet under a card that says how it goes. */
function attempt(name, action, success) {
  return follow(name, async (card) => {
    card.step("Waiting for your wallet…");
    await action();
    card.finish(success);
  });
}

function Delegation({ account }) {
  const { token, registry } = account.delegate;
  const hasStake = BigInt(account.staked_wei) > 0n;
  return html`
    <p>The votes of your tokens go to <${Delegatee} address=${token} me=${account.address} />.</p>
    ${
      hasStake &&
      html`<p>The votes of your stake go to <${Delegatee} address=${registry} me=${account.address} />.</p>`
    }
    <${DelegationForm} account=${account} hasStake=${hasStake} />
    <p class="soft small">
      ${
        hasStake
          ? "Two signatures, one for your tokens and one for your stake; neither costs anything."
          : "One signature, which costs nothing."
      }
    </p>
  `;
}

function Delegatee({ address, me }) {
  if (!address) return html`<${Mark} tone="warn">nobody: these votes count for nothing</${Mark}>`;
  if (address === me) return html`<${Mark} tone="good">yourself</${Mark}>`;
  return html`<${Address} address=${address} />`;
}

function DelegationForm({ account, hasStake }) {
  const [delegatee, setDelegatee] = useDraft(DRAFT, "");
  const submit = (event) => {
    event.preventDefault();
    delegate(delegatee, hasStake);
  };
  const keepVotes = () => delegate(account.address, hasStake);
  return html`
    <form class="row" onSubmit=${submit}>
      <label for="delegatee">Delegate to</label>
      <input
        id="delegatee"
        required
        pattern=${ADDRESS}
        autocomplete="off"
        spellcheck=${false}
        placeholder="0x…"
        value=${delegatee}
        onInput=${({ target }) => setDelegatee(target.value)}
      />
      <button type="submit" class="main">Delegate</button>
      ${
        account.delegate.token !== account.address &&
        html`<button type="button" class="plain" onClick=${keepVotes}>Keep my own votes</button>`
      }
    </form>
  `;
}

/** Delegates the votes of the member's tokens, and of the stake where there is one. */
async function delegate(delegatee, hasStake) {
  for (const contract of hasStake ? ["token", "registry"] : ["token"]) {
    const prepared = await transact({
      name: contract === "token" ? "Delegate your tokens' votes" : "Delegate your stake's votes",
      prepare: "delegate",
      body: { contract, delegatee },
      relay: ({ typed_data: [{ message }] }, signature) => ({
        contract,
        delegatee: message.delegatee,
        nonce: message.nonce,
        expiry: Number(message.expiry),
        signature,
      }),
    });
    if (!prepared) return;
  }
  forgetDraft(DRAFT);
}

const DELEGATE_COLUMNS = [
  { head: "Who", cell: ({ address }) => html`<${Address} address=${address} />` },
  { head: "Votes", isNumber: true, cell: (one) => html`<${Amount} wei=${one.votes_wei} />` },
  { head: "From", isNumber: true, cell: (one) => formatPlural(one.delegators, "account") },
];

function DelegateTable({ delegates }) {
  return html`
    <${Table}
      caption="Delegates by votes"
      columns=${DELEGATE_COLUMNS}
      rows=${delegates}
      getKey=${({ address }) => address}
      empty="Nobody has delegated yet."
    />
  `;
}
