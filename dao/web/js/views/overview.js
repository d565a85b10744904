/** The first view: the running rounds live, the tasks, the treasury, the newest proposals. */

import { get } from "../api.js";
import { h } from "../dom.js";
import { count, several } from "../format.js";
import { amount, button, figures, notice, rest, section, table, when, who } from "../parts.js";
import { list as proposalTable } from "../proposals.js";
import { live, phase, progress } from "../rounds.js";
import { state } from "../state.js";

export const name = "overview";
const SHOWN = 3; // running rounds
const PAYMENTS = 5;

export async function load() {
  const [tasks, treasury, proposals] = await Promise.all([
    get("tasks", { limit: 20 }),
    get("treasury"),
    get("proposals", { limit: 5 }),
  ]);
  const running = tasks.items.filter((task) => !task.closed && task.last_round).slice(0, SHOWN);
  const rounds = await Promise.all(
    running.map((task) => get(`tasks/${task.task}/rounds/${task.last_round}`)),
  );
  return {
    tasks,
    treasury,
    proposals,
    running: running.map((task, index) => ({ task, round: rounds[index] })),
  };
}

export function render({ tasks, treasury, proposals, running }) {
  const nodes = tasks.items.reduce((sum, task) => sum + (task.closed ? 0 : task.active_nodes), 0);
  const open = proposals.items.filter(({ state: word }) => word === "active").length;
  return {
    title: "Commonweight",
    nodes: [
      h(
        "div",
        { class: "lead" },
        h("h1", {}, "A model, trained together"),
        h(
          "p",
          {},
          "Data never leaves its owner. What each one adds is measured, and paid. The DAO decides the rest, here.",
        ),
      ),
      state.network.tasks_paused && notice("The DAO has paused new tasks, members and rounds.", "warn"),
      state.network.staking_paused && notice("The DAO has paused new stakes.", "warn"),
      running.length
        ? running.map(({ task, round }) => live(task, round))
        : h("p", { class: "empty" }, "No round is running."),
      section(
        "Treasury",
        figures(
          ["Free to decide on", amount(treasury.balance_wei)],
          ["Set aside for tasks", amount(escrow(treasury))],
          ["Supply", amount(state.network.total_supply_wei)],
          ["Active Supernodes", count(nodes)],
          ["Open for votes", several(open, "proposal")],
        ),
      ),
      section("Tasks", taskTable(tasks.items), rest(tasks, "tasks")),
      section(
        "Newest proposals",
        proposalTable(proposals.items),
        h(
          "p",
          { class: "more" },
          h("a", { href: "#/proposals" }, "All proposals"),
          button("Propose", { href: "#/propose", class: "button" }),
        ),
      ),
      treasury.grants.length > 0 && section("Paid by the treasury lately", paymentTable(treasury.grants)),
    ],
  };
}

export function concerns({ kind }) {
  return ["round", "task", "supernode", "proposal", "vote"].includes(kind);
}

export function announce(before, after) {
  const known = new Map(before.running.map(({ round }) => [round.task, round]));
  return after.running.map(({ round }) => progress(known.get(round.task), round)).find(Boolean);
}

function escrow(treasury) {
  return treasury.escrow.reduce((sum, { available_wei: wei }) => sum + BigInt(wei), 0n);
}

function paymentTable(payments) {
  const columns = [
    { head: "To", cell: ({ to }) => who(to) },
    { head: "Amount", number: true, cell: (payment) => amount(payment.amount_wei) },
    { head: "When", cell: ({ at }) => when(at) },
  ];
  return table("Payments, newest first", columns, payments.slice(0, PAYMENTS), {
    key: ({ tx, to }) => tx + to,
  });
}

function taskTable(tasks) {
  const columns = [
    { head: "Task", cell: (task) => h("a", { href: `#/tasks/${task.task}` }, `Task ${task.task}`) },
    { head: "State", cell: (task) => phase(task.closed ? "closed for good" : "open to rounds") },
    { head: "Rounds", number: true, cell: (task) => count(task.last_round) },
    { head: "Supernodes", number: true, cell: (task) => count(task.active_nodes) },
    { head: "Pays each round", number: true, cell: (task) => amount(task.rules.round_budget_wei) },
    { head: "Left to pay", number: true, cell: (task) => amount(task.available_wei) },
  ];
  return table("Tasks", columns, tasks, {
    key: ({ task }) => task,
    empty: "The DAO has no task yet; propose one.",
  });
}
