/** One proposal: what would be done, how the votes stand, who voted why, and what the reader can do now. */

import { get } from "../api.js";
import { h } from "../dom.js";
import { todo } from "../todo.js";
import { amount, figures, rest, section, table, when, who } from "../parts.js";
import { stateMark, supportMark, tally, timing, titleOf } from "../proposals.js";
import { state } from "../state.js";

export const name = "proposal";
const VOTES = 50;

export async function load(id) {
  const me = state.session?.address;
  const [proposal, votes, voter] = await Promise.all([
    get(`proposals/${id}`),
    get(`proposals/${id}/votes`, { limit: VOTES }),
    me ? get(`proposals/${id}/voters/${me}`) : null,
  ]);
  return { proposal, votes, voter };
}

export function render({ proposal, votes, voter }) {
  const title = titleOf(proposal);
  return {
    title,
    nodes: [
      h("p", { class: "kicker" }, h("a", { href: "#/proposals" }, "Proposals")),
      h("h1", {}, title),
      h(
        "p",
        { class: "byline" },
        stateMark(proposal.state),
        " by ",
        who(proposal.proposer),
        h("span", {}, "proposed ", when(proposal.created_at)),
      ),
      h(
        "div",
        { class: "columns" },
        h(
          "div",
          {},
          body(proposal),
          section("What would be done", actions(proposal.actions)),
          section("Votes", voteTable(votes)),
        ),
        h("div", { class: "side" }, standing(proposal), todo(proposal, voter)),
      ),
    ],
  };
}

export function concerns(event, id) {
  return event.proposal === id || (event.kind === "account" && event.address === state.session?.address);
}

export function announce({ proposal: before }, { proposal: after }) {
  if (before.state !== after.state) return `The proposal is ${after.state}.`;
  const cast = ({ for_wei, against_wei, abstain_wei }) => `${for_wei} ${against_wei} ${abstain_wei}`;
  return cast(before) === cast(after) ? null : "A vote was counted.";
}

function body({ description, title }) {
  const text = title && description.startsWith(title) ? description.slice(title.length).trim() : description;
  return text.replace(`# ${title}`, "").trim()
    ? h("div", { class: "prose" }, text.replace(`# ${title}`, "").trim())
    : null;
}

function actions(list) {
  if (!list.length) return h("p", { class: "empty" }, "Nothing on chain: it asks for an opinion.");
  return h(
    "ol",
    { class: "actions" },
    list.map((action) =>
      h(
        "li",
        {},
        h("p", {}, action.words),
        h(
          "details",
          {},
          h("summary", {}, "Exactly"),
          h(
            "dl",
            { class: "exact" },
            h("div", {}, h("dt", {}, "Contract"), h("dd", {}, h("code", {}, action.target))),
            h("div", {}, h("dt", {}, "Ether"), h("dd", {}, `${action.value_wei} wei`)),
            h("div", {}, h("dt", {}, "Data"), h("dd", {}, h("code", {}, action.calldata))),
          ),
        ),
      ),
    ),
  );
}

function standing(proposal) {
  const { state: word, starts_at: starts, ends_at: ends } = proposal;
  return h(
    "section",
    { class: "card", "aria-labelledby": "standing" },
    h("h2", { id: "standing" }, "How it stands"),
    tally(proposal, { full: true }),
    h("p", { class: "left" }, timing(proposal)),
    word === "active" && h("time-bar", { model: { from: starts, until: ends, label: "Voting time passed" } }),
    figures(
      [word === "pending" ? "Voting begins" : "Voting began", when(starts)],
      ["Voting ends", when(ends)],
      proposal.eta && ["Executable from", when(proposal.eta)],
    ),
  );
}

function voteTable(page) {
  const columns = [
    { head: "Who", cell: (vote) => who(vote.voter) },
    { head: "Vote", cell: (vote) => supportMark(vote.support) },
    { head: "Votes", number: true, cell: (vote) => amount(vote.weight_wei) },
    {
      head: "Reason",
      wide: true,
      cell: (vote) => (vote.reason ? h("q", {}, vote.reason) : h("span", { class: "soft" }, "none given")),
    },
    { head: "When", cell: (vote) => when(vote.at) },
  ];
  return [
    table("Votes", columns, page.items, { key: ({ voter }) => voter, empty: "Nobody has voted yet." }),
    rest(page, "votes"),
  ];
}
