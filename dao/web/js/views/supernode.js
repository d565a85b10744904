/** One Supernode over time: stake, scores, rewards, and the reason for each round's. */

import { act } from "../act.js";
import { get } from "../api.js";
import { chart } from "../chart.js";
import { h } from "../dom.js";
import { change, count, same, short } from "../format.js";
import { amount, button, figures, section, table, when } from "../parts.js";
import { status } from "../rounds.js";
import { state, symbol } from "../state.js";
import { score } from "./task.js";

export const name = "supernode";
const ROUNDS = 100;

export async function load(operator) {
  const supernode = await get(`supernodes/${operator}`);
  const histories = await Promise.all(
    supernode.tasks.map(({ task }) => get(`tasks/${task}/supernodes/${operator}/history`, { limit: ROUNDS })),
  );
  return {
    supernode,
    histories: histories.map(({ items }) => items.toSorted((one, other) => one.round - other.round)),
  };
}

export function render({ supernode, histories }) {
  const title = `Supernode ${short(supernode.operator)}`;
  return {
    title,
    nodes: [
      h("p", { class: "kicker" }, h("a", { href: "#/" }, "Overview")),
      h("h1", {}, title),
      h(
        "p",
        { class: "byline" },
        "Operator ",
        h("code", {}, supernode.operator),
        " of owner ",
        h("code", {}, supernode.owner),
      ),
      figures(
        ["Stake", amount(supernode.stake_wei)],
        ["Tasks", count(supernode.tasks.length)],
        BigInt(supernode.unbonding_wei) > 0n && [
          "Leaving",
          amount(supernode.unbonding_wei),
          ["can be withdrawn from ", when(supernode.release_at)],
        ],
        BigInt(supernode.slashed_wei) > 0n && ["Lost to slashing", amount(supernode.slashed_wei)],
      ),
      supernode.tasks.map((one, index) => history(supernode, one, histories[index])),
      !supernode.tasks.length && h("p", { class: "empty" }, "It takes part in no task."),
    ],
  };
}

export function concerns({ kind, address }, operator) {
  return kind === "round" || kind === "account" || (Boolean(address) && same(address, operator));
}

function history(supernode, { task, earned_wei: earned, claimable_wei: claimable }, rows) {
  const mine = state.session?.address === supernode.owner && BigInt(claimable) > 0n;
  const x = rows.map(({ round }) => round);
  return section(
    `In task ${task}`,
    figures(["Earned", amount(earned)], ["Can be claimed", amount(claimable)]),
    mine &&
      h(
        "p",
        {},
        button("Claim", {
          class: "main",
          onclick: () => act({ name: `Claim from task ${task}`, prepare: "claim", body: { task } }),
        }),
      ),
    h(
      "div",
      { class: "charts" },
      chart({
        label: `Score in task ${task}`,
        unit: "loss",
        bars: true,
        x,
        series: [
          {
            label: "Score",
            values: rows.map(({ score_micro: micros }) => (micros === null ? null : micros / 1e6)),
          },
        ],
        format: (value) => change(Math.round(value * 1e6)),
      }),
      chart({
        label: `Reward in task ${task}`,
        unit: symbol(),
        bars: true,
        x,
        series: [
          {
            label: "Reward",
            values: rows.map(({ reward_wei: wei }) => (wei === null ? null : Number(wei) / 1e18)),
          },
        ],
        format: (value) => String(Number(value.toPrecision(4))),
      }),
    ),
    table(
      `Rounds of task ${task}, newest first`,
      [
        { head: "Round", cell: ({ round }) => h("a", { href: `#/tasks/${task}` }, count(round)) },
        { head: "Status", cell: (row) => status(row.status) },
        { head: "Score", number: true, cell: score },
        { head: "Reward", number: true, cell: (row) => amount(row.reward_wei) },
        { head: "Why", wide: true, cell: ({ reason }) => h("span", { class: "why" }, reason) },
      ],
      rows.toReversed(),
      { key: ({ round }) => round, empty: "No round yet." },
    ),
  );
}
