/** The reader's account: connect, balance, votes, delegation, votes cast, sign out. */

import { act } from "../act.js";
import { follow } from "../activity.js";
import { get } from "../api.js";
import { h } from "../dom.js";
import { several } from "../format.js";
import { draft, forget, keep } from "../drafts.js";
import { amount, button, figures, mark, picture, section, table, when, who } from "../parts.js";
import { supportMark } from "../proposals.js";
import { account as signedIn, signOut } from "../session.js";
import { state } from "../state.js";

export const name = "me";
const ADDRESS = "0x[0-9a-fA-F]{40}";

export async function load() {
  const me = state.session?.address;
  if (!me) return { account: null };
  const [account, delegates] = await Promise.all([get(`accounts/${me}`), get("delegates", { limit: 10 })]);
  return { account, delegates: delegates.items };
}

export function render({ account, delegates }) {
  if (!account || account.address !== state.session?.address)
    return { title: "Your account", nodes: welcome() };
  return {
    title: "Your account",
    nodes: [
      h(
        "div",
        { class: "heading" },
        h("h1", {}, "Your account"),
        button("Sign out", { class: "plain", onclick: () => attempt("Sign out", signOut, "Signed out.") }),
      ),
      h("p", { class: "byline" }, picture(account.address), h("code", {}, account.address)),
      figures(
        ["Balance", amount(account.balance_wei)],
        ["Staked", amount(account.staked_wei)],
        ["Votes", amount(account.votes_wei), "your own where you kept them, and what others gave you"],
      ),
      section("Delegation", delegation(account), h("h3", {}, "Who has most votes"), delegateTable(delegates)),
      account.supernodes.length > 0 && section("Your Supernodes", supernodes(account.supernodes)),
      section("Your votes", history(account.vote_history)),
    ],
  };
}

export function concerns({ kind }) {
  return ["account", "vote", "supernode", "round"].includes(kind);
}

function welcome() {
  return [
    h("h1", {}, "Your account"),
    h(
      "p",
      { class: "prose" },
      "Connect a wallet to vote, delegate and propose. It needs no ether: you sign, and the DAO's relayer sends it.",
    ),
    h(
      "p",
      {},
      button("Connect and sign in", {
        class: "main",
        onclick: () => attempt("Sign in", signedIn, "Signed in."),
      }),
    ),
    h("p", { class: "soft" }, "Reading needs no wallet."),
  ];
}

function attempt(what, action, done) {
  return follow(what, async (card) => {
    card.step("Waiting for your wallet…");
    await action();
    card.done(done);
  });
}

function delegation(account) {
  const { token, registry } = account.delegate;
  const staked = BigInt(account.staked_wei) > 0n;
  const to = (address) =>
    !address
      ? mark("nobody: these votes count for nothing", "warn")
      : address === account.address
        ? mark("yourself", "good")
        : who(address);
  return [
    h("p", {}, "The votes of your tokens go to ", to(token), "."),
    staked && h("p", {}, "The votes of your stake go to ", to(registry), "."),
    h(
      "form",
      { class: "row", onsubmit: (event) => submit(event, account) },
      h("label", { for: "delegatee" }, "Delegate to"),
      h("input", {
        id: "delegatee",
        required: true,
        pattern: ADDRESS,
        autocomplete: "off",
        spellcheck: "false",
        placeholder: "0x…",
        value: draft("delegatee", ""),
        oninput: ({ target }) => keep("delegatee", target.value),
      }),
      button("Delegate", { type: "submit", class: "main" }),
      token !== account.address &&
        button("Keep my own votes", { class: "plain", onclick: () => delegate(account, account.address) }),
    ),
    h(
      "p",
      { class: "soft small" },
      staked
        ? "Two signatures, one for your tokens and one for your stake; neither costs anything."
        : "One signature, which costs nothing.",
    ),
  ];
}

function submit(event, account) {
  event.preventDefault();
  delegate(account, event.target.querySelector("input").value);
}

async function delegate(account, delegatee) {
  const contracts = BigInt(account.staked_wei) > 0n ? ["token", "registry"] : ["token"];
  for (const contract of contracts) {
    const done = await act({
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
    if (!done) return;
  }
  forget("delegatee");
}

function delegateTable(delegates) {
  const columns = [
    { head: "Who", cell: (one) => who(one.address) },
    { head: "Votes", number: true, cell: (one) => amount(one.votes_wei) },
    { head: "From", number: true, cell: (one) => several(one.delegators, "account") },
  ];
  return table("Delegates by votes", columns, delegates, {
    key: ({ address }) => address,
    empty: "Nobody has delegated yet.",
  });
}

function supernodes(list) {
  const columns = [
    {
      head: "Supernode",
      cell: (node) => who(node.operator, `#/supernodes/${node.operator}`),
    },
    { head: "Stake", number: true, cell: (node) => amount(node.stake_wei) },
    { head: "Leaving", number: true, cell: (node) => amount(node.unbonding_wei) },
  ];
  return table("Your Supernodes", columns, list, { key: ({ operator }) => operator });
}

function history(votes) {
  const columns = [
    {
      head: "Proposal",
      wide: true,
      cell: (vote) =>
        h("a", { href: `#/proposals/${vote.proposal}` }, vote.title || `${vote.proposal.slice(0, 8)}…`),
    },
    { head: "Vote", cell: (vote) => supportMark(vote.support) },
    { head: "Votes", number: true, cell: (vote) => amount(vote.weight_wei) },
    { head: "When", cell: (vote) => when(vote.at) },
  ];
  return table("Your votes", columns, votes, {
    key: ({ proposal }) => proposal,
    empty: "You have not voted yet.",
  });
}
