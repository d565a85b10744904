// What the chain costs: a normal round at most 245,000 gas from the first on, for any number of Supernodes.
import assert from "node:assert/strict";
import { test } from "node:test";

import { RewardTree, World, ether } from "./fixture.js";

const LIMIT = 245_000n;

for (const count of [5, 50]) {
  test(`test_gas__normal_round_of_${count}__within_limit`, async (t) => {
    const world = await World.create();
    await world.createTask({ count });
    const totals = [];
    for (let round = 1; round <= 4; round++) {
      const receipts = await world.posted(round);
      await world.pass(600);
      receipts.push(await world.finalize(round));
      const [open, close, post, finalize] = receipts.map((receipt) => receipt.gasUsed);
      totals.push(open + close + post + finalize);
      const steps = `openRound ${open}, closeCommits ${close}, postResult ${post}, finalize ${finalize}`;
      t.diagnostic(`${count} Supernodes, round ${round}: ${steps}: ${totals.at(-1)}`);
    }
    for (const total of totals) assert(total <= LIMIT, `${total} gas`);
  });
}

// A change of rules with rounds in flight: whoever opens the next one counts their budgets one by one, and those that
// opened before it read their own windows when they become final.
test("test_gas__rules_changed_with_two_rounds_in_flight__a_little_more", async (t) => {
  const world = await World.create();
  await world.createTask({ count: 5 });
  await world.posted(1);
  await world.posted(2);
  const rules = { ...world.rules, roundBudget: ether("12"), challengePeriod: 500 };
  const change = await world.send(world.coordinator.connect(world.dao).changeRules(world.task, rules));
  t.diagnostic(`changeRules: ${change.gasUsed}`);
  assert(change.gasUsed <= 270_000n, `changeRules ${change.gasUsed}`);
  const [open] = await world.posted(3);
  await world.pass(600);
  const finals = [];
  for (const round of [1, 2, 3]) finals.push((await world.finalize(round)).gasUsed);
  t.diagnostic(`openRound ${open.gasUsed}, finalize ${finals}`);
  assert(open.gasUsed <= 90_000n, `openRound ${open.gasUsed}`);
  assert(finals[0] <= 68_000n && finals[1] <= 68_000n && finals[2] <= 64_000n, `finalize ${finals}`);
  const next = (await world.open()).gasUsed;
  assert(next <= 78_000n, `openRound ${next}`);
});

// All that a participant pays for outside of a normal round.
const OTHERS = {
  register: 290_000n,
  join: 100_000n,
  commit: 135_000n,
  contest: 135_000n,
  dismiss: 80_000n,
  challenge: 110_000n,
  resolve: 95_000n,
  voidRound: 70_000n,
  abort: 42_000n,
  claim: 155_000n,
  claimAgain: 100_000n,
  unbond: 95_000n,
  withdraw: 150_000n,
  leave: 50_000n,
};

test("test_gas__other_steps__within_limits", async (t) => {
  const world = await World.create();
  await world.createTask();
  const { coordinator, registry, distributor, task, nodes } = world;
  const used = {};
  const measure = async (name, sent) => (used[name] = (await world.send(sent)).gasUsed);

  const owner = await world.account("owner", ether("200"));
  const operator = await world.account("operator");
  await world.token.connect(owner).approve(registry, ether("200"));
  const signature = await world.operatorSignature(owner, operator);
  await measure("register", registry.connect(owner).register(operator, ether("200"), signature));
  await measure("join", coordinator.connect(owner).join(task, operator));
  await measure("leave", coordinator.connect(owner).leave(task, operator));
  await measure("unbond", registry.connect(owner).unbond(operator, ether("200")));

  await world.open();
  await world.pass(180);
  await measure("abort", world.abort(1));
  const amounts = (n) => Object.fromEntries(nodes.map((node) => [node.owner.address, ether("1") * n]));
  for (const [round, n] of [
    [2, 1n],
    [3, 2n],
  ]) {
    const tree = new RewardTree(world, task, amounts(n));
    const rewards = { rewardRoot: tree.root, rewardTotal: tree.total };
    await world.posted(round, rewards);
    await world.pass(600);
    await world.finalize(round, rewards);
    const claim = tree.claim(nodes[0].owner.address);
    await measure(n === 1n ? "claim" : "claimAgain", distributor.connect(world.anyone).claim(task, ...claim));
  }
  await world.open();
  await measure("commit", world.force(4, nodes[0]));
  await world.pass(180);
  await world.abort(4);
  await world.posted(5);
  await measure("contest", world.force(5, nodes[1]));
  await measure("dismiss", world.dismiss(5, nodes[1]));
  await measure("challenge", world.challenge(5));
  await measure("resolve", world.resolve(5, true));
  await world.challenge(5);
  await world.pass(1000);
  await measure("voidRound", world.voidRound(5));
  await world.pass(4 * 24 * 3600);
  await measure("withdraw", registry.connect(world.anyone).withdraw(operator));

  for (const [name, limit] of Object.entries(OTHERS)) {
    t.diagnostic(`${name}: ${used[name]}`);
    assert(used[name] <= limit, `${name}: ${used[name]} gas, limit ${limit}`);
  }
});
