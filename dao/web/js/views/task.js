/** One task: its running round, what rounds changed and paid, its Supernodes and why each earned what it did, its rules. */

import { get } from "../api.js";
import { chart } from "../chart.js";
import { h } from "../dom.js";
import { change, count, duration, loss } from "../format.js";
import { amount, figures, rest, section, table, when, who } from "../parts.js";
import { live, phase, progress, status } from "../rounds.js";
import { symbol } from "../state.js";

export const name = "task";
const ROUNDS = 60;

export async function load(id) {
  const [task, rounds, supernodes] = await Promise.all([
    get(`tasks/${id}`),
    get(`tasks/${id}/rounds`, { limit: ROUNDS }),
    get(`tasks/${id}/supernodes`, { limit: 200 }),
  ]);
  const latest = task.last_round ? await get(`tasks/${id}/rounds/${task.last_round}`) : null;
  return {
    task,
    rounds: rounds.items.toSorted((one, other) => one.round - other.round),
    supernodes,
    latest,
  };
}

export function render({ task, rounds, supernodes, latest }) {
  return {
    title: `Task ${task.task}`,
    nodes: [
      h("p", { class: "kicker" }, h("a", { href: "#/" }, "Overview")),
      h("h1", {}, `Task ${task.task}`),
      figures(
        ["Supernodes", count(task.active_nodes)],
        [
          "Rounds",
          count(task.last_round),
          task.finalized_round > 0 && `${count(task.finalized_round)} is the last final one`,
        ],
        ["Left to pay", amount(task.available_wei)],
        ["Funded so far", amount(task.funded_wei)],
        ["Earned so far", amount(task.rewarded_wei)],
        ["Claimed so far", amount(task.claimed_wei)],
      ),
      latest && live(task, latest),
      section(
        "Over the rounds",
        h("div", { class: "charts" }, chart(losses(rounds)), chart(payments(rounds))),
        h("details", {}, h("summary", {}, "The rounds as a table"), roundTable(rounds)),
      ),
      section("Supernodes", nodeTable(supernodes.items), rest(supernodes, "Supernodes")),
      section("Rules", rules(task)),
    ],
  };
}

export function concerns({ task, kind }, id) {
  return String(task) === id || kind === "supernode";
}

export function announce(before, after) {
  return progress(before.latest, after.latest);
}

function losses(rounds) {
  const done = rounds.filter(({ loss_after_micro: micros }) => micros !== null);
  const of = (name) => done.map((round) => round[name] / 1e6);
  return {
    label: "Loss on validation data",
    unit: "loss",
    x: done.map(({ round }) => round),
    series: [
      { label: "Before the round", values: of("loss_before_micro") },
      { label: "After it", values: of("loss_after_micro") },
    ],
    format: (value) => loss(Math.round(value * 1e6)),
  };
}

function payments(rounds) {
  const done = rounds.filter(({ paid_wei: wei }) => wei !== null);
  return {
    label: "Paid to Supernodes",
    unit: symbol(),
    bars: true,
    x: done.map(({ round }) => round),
    series: [{ label: "Paid", values: done.map(({ paid_wei: wei }) => Number(wei) / 1e18) }],
    format: (value) => String(Number(value.toPrecision(4))),
  };
}

function roundTable(rounds) {
  const columns = [
    { head: "Round", cell: ({ round }) => count(round) },
    { head: "Phase", cell: (round) => phase(round.phase) },
    { head: "Opened", cell: (round) => when(round.opened_at) },
    {
      head: "Committed",
      number: true,
      cell: (round) => `${count(round.commits)} of ${count(round.eligible)}`,
    },
    {
      head: "Change of loss",
      number: true,
      cell: ({ loss_change_micro: micros }) => (micros === null ? "–" : `${change(micros)} loss`),
    },
    { head: "Paid", number: true, cell: (round) => amount(round.paid_wei) },
    { head: "Given back", number: true, cell: (round) => amount(round.refunded_wei) },
  ];
  return table("Rounds, newest first", columns, rounds.toReversed(), {
    key: ({ round }) => round,
    empty: "No round yet.",
  });
}

function nodeTable(supernodes) {
  const columns = [
    {
      head: "Supernode",
      cell: (node) => who(node.operator, `#/supernodes/${node.operator}`),
    },
    { head: "Stake", number: true, cell: (node) => amount(node.stake_wei) },
    { head: "Earned", number: true, cell: (node) => amount(node.earned_wei) },
    { head: "Last round", cell: ({ last }) => (last ? [`${count(last.round)} `, status(last.status)] : "–") },
    { head: "Score", number: true, cell: ({ last }) => score(last) },
    { head: "Reward", number: true, cell: ({ last }) => (last ? amount(last.reward_wei) : "–") },
    {
      head: "Why",
      wide: true,
      cell: ({ last }) => h("span", { class: "why" }, last?.reason ?? "no round yet"),
    },
  ];
  return table("Supernodes", columns, supernodes, {
    key: ({ operator }) => operator,
    empty: "No Supernode has joined yet.",
  });
}

/** A row's score with its unit. */
export function score(row) {
  const micros = row?.score_micro;
  return micros === null || micros === undefined
    ? "–"
    : h("span", { class: "number" }, change(micros), h("span", { class: "unit" }, " loss"));
}

function rules({ rules: r, superlink, model, task }) {
  return [
    figures(
      ["Pays each round", amount(r.round_budget_wei)],
      ["Stake of a Supernode", [amount(r.min_stake_wei), " to ", amount(r.max_stake_wei)]],
      ["Who may join", r.admitted_only ? "members that the DAO admits" : "whoever stakes"],
      ["Least commits", count(r.quorum)],
      ["Commit time", duration(r.commit_period_seconds)],
      ["Reveal time", duration(r.reveal_period_seconds)],
      ["Challenge time", duration(r.challenge_period_seconds)],
    ),
    h(
      "dl",
      { class: "exact" },
      [
        ["Superlink", superlink],
        ["Newest model (sha-256)", model],
        ["Training code (sha-256)", r.app_hash],
        ["Base model (sha-256)", r.base_model],
        ["Validation data (Merkle root)", r.validation_root],
      ].map(([label, value]) => h("div", {}, h("dt", {}, label), h("dd", {}, h("code", {}, value)))),
    ),
    h("p", {}, h("a", { href: "#/propose" }, `Propose a change to task ${task}`)),
  ];
}
