// What the chain costs, for any number of Supernodes and from the first round on. docs/contracts.md states each figure.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { AbiCoder, id, keccak256 } from "ethers";

import { World, ether } from "./fixture.js";
import { Accounts } from "./trees.js";

const LIMIT = 245_140n; // of a normal round
const TOGETHER = 200_000n; // of one in two transactions
const NEAR = 100n; // a byte of zero in a hash costs 12 gas less than another
const STEPS = ["openRound", "closeCommits", "postResult", "finalize"];

const coder = AbiCoder.defaultAbiCoder();
const page = (name) => readFileSync(new URL(`../../docs/${name}`, import.meta.url), "utf8");
const number = (text) => BigInt(text.replaceAll(",", ""));

/** The figures in the row of a table of docs/contracts.md that begins with `label`. */
function documented(label) {
  const rows = page("contracts.md")
    .split("\n")
    .filter((line) => line.startsWith(`| ${label} |`));
  assert.equal(rows.length, 1, `rows of ${label} in docs/contracts.md`);
  return rows[0].match(/\d[\d,]*/g).map(number);
}

/** The figure in a sentence of a page. */
function stated(name, sentence) {
  const found = page(name).match(sentence);
  assert(found, `docs/${name} says nothing like ${sentence}`);
  return number(found[1]);
}

function near(what, used, figure) {
  const difference = used > figure ? used - figure : figure - used;
  assert(difference <= NEAR, `${what}: ${used} gas, documented as ${figure}`);
}

for (const count of [5, 50]) {
  test(`test_gas__normal_round_of_${count}__within_limit_and_as_documented`, async (t) => {
    const world = await World.create();
    await world.createTask({ count });
    for (let round = 1; round <= 4; round++) {
      const receipts = await world.posted(round);
      await world.pass(600);
      receipts.push(await world.finalize(round));
      const used = receipts.map((receipt) => receipt.gasUsed);
      const total = used.reduce((sum, gas) => sum + gas);
      const steps = STEPS.map((name, i) => `${name} ${used[i]}`).join(", ");
      t.diagnostic(`${count} Supernodes, round ${round}: ${steps}: ${total}`);
      assert(total <= LIMIT, `${total} gas`);
      const column = round === 1 ? 0 : 1;
      for (const [i, name] of STEPS.entries()) near(name, used[i], documented(`\`${name}\``)[column]);
      near("a round", total, documented("together")[column]);
      near("a round", total, stated("superlink.md", /A normal round costs ([\d,]+) gas/));
    }
  });
}

// What a Superlink sends that plays one round after the other: commits are closed, then a result is posted, an older round
// finalized and the next one opened.
test("test_gas__normal_round_in_two_transactions__within_limit_and_as_documented", async (t) => {
  const world = await World.create();
  await world.createTask({ count: 50 });
  for (let round = 1; round <= 3; round++) await world.posted(round);
  await world.pass(600);
  await world.finalize(1);
  await world.open();
  for (let round = 4; round <= 6; round++) {
    await world.pass(600);
    const closed = await world.close(round);
    const calls = [
      ["postResult", [world.task, round, world.result(round)]],
      ["finalize", [world.task, round - 2, world.result(round - 2)]],
      ["openRound", [world.task]],
    ];
    const data = calls.map(([name, values]) => world.coordinator.interface.encodeFunctionData(name, values));
    const superlink = world.coordinator.connect(world.superlink.operator);
    const together = await world.send(superlink.multicall(data));
    const total = closed.gasUsed + together.gasUsed;
    t.diagnostic(`round ${round}: closeCommits ${closed.gasUsed}, multicall ${together.gasUsed}: ${total}`);
    assert(total <= TOGETHER, `${total} gas`);
    near("multicall", together.gasUsed, documented("`multicall` of the other three")[0]);
    near("a round", total, documented("in two transactions")[0]);
  }
});

test("test_size__coordinator__as_documented", async () => {
  const world = await World.create();
  const code = await world.ethers.provider.getCode(world.coordinator);
  const bytes = stated("contracts.md", /The coordinator has ([\d,]+) of the 24,576 bytes/);
  assert.equal(BigInt(code.length / 2 - 1), bytes);
});

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
  near("changeRules", change.gasUsed, documented("`changeRules`")[0]);
  const [open] = await world.posted(3);
  await world.pass(600);
  const finals = [];
  for (const round of [1, 2, 3]) finals.push((await world.finalize(round)).gasUsed);
  t.diagnostic(`openRound ${open.gasUsed}, finalize ${finals}`);
  near(
    "openRound",
    open.gasUsed,
    stated("contracts.md", /`openRound` counts\s+their budgets one by one \(([\d,]+) gas/),
  );
  for (const used of finals.slice(0, 2)) {
    near("finalize", used, stated("contracts.md", /of these reads their own windows \(([\d,]+)\)/));
  }
  near("finalize", finals[2], documented("`finalize`")[1]);
  const next = (await world.open()).gasUsed;
  assert(next <= 78_000n, `openRound ${next}`);
});

// All that a participant pays for outside of a normal round: the rows of docs/contracts.md.
const OTHERS = {
  register: "`register`",
  join: "`join`",
  leave: "`leave`",
  commit: "`commit`",
  reveal: "`reveal`",
  attest: "`attest`",
  challenge: "`challenge`",
  resolve: "`resolve`",
  voidRound: "`voidRound`",
  concede: "`concede`",
  announce: "`announce`",
  convict: "`convict`, without the prover",
  accuse: "`accuse` of gradients",
  commitVote: "first `commitVote`",
  revealVote: "`revealVote`",
  judge: "`judge`, which convicts",
  fine: "`fine`",
  abort: "`abort`",
  claim: "first `claim`",
  claimAgain: "later `claim`",
  unbond: "`unbond`",
  withdraw: "`withdraw`",
  rotate: "`rotate`",
  revoke: "`revoke`",
  recover: "`recoverUnclaimed`",
  fund: "first `fund`",
};

/** Has two of three members vote that a gradient is wrong. */
async function vote(world, round, measure) {
  const { jury, task, nodes, anyone } = world;
  const [types, salt] = [["address", "uint64", "uint64", "bool", "bytes32"], id("salt")];
  const votes = nodes.map((node, i) => ({ node, cast: jury.connect(node.operator), wrong: i < 2 }));
  await world.posted(round);
  const { resultHash } = await world.coordinator.roundOf(task, round);
  await measure("accuse", votes[0].cast.accuse(task, round, resultHash));
  await world.provider.request({ method: "hardhat_mine", params: ["0x2"] }); // the seed is the first one's
  for (const { node, cast, wrong } of votes) {
    const hash = keccak256(coder.encode(types, [node.address, task, round, wrong, salt]));
    const receipt = await world.send(cast.commitVote(task, round, resultHash, hash));
    if (node === nodes[0]) await measure("commitVote", receipt);
  }
  await world.pass(75);
  for (const { cast, wrong } of votes) await measure("revealVote", cast.revealVote(task, round, wrong, salt));
  await measure("judge", jury.connect(anyone).judge(task, round));
  await measure("fine", jury.connect(anyone).fine(task, round, nodes[2].address));
}

test("test_gas__other_steps__as_documented", async (t) => {
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
    const tree = new Accounts(amounts(n));
    const rewards = { accountsRoot: tree.root, rewardTotal: tree.total };
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
  await world.open();
  await world.close(5);
  const opened = ["aa", "bb", "cc"].map((byte) => "0x" + byte.repeat(32));
  await measure("reveal", world.forcedReveals.connect(nodes[0].operator).reveal(task, 5, ...opened));
  const { commitsRoot, seed } = world.result(5);
  const attester = world.forcedReveals.connect(nodes[1].operator);
  await measure("attest", attester.attest(task, 5, nodes[0].address, commitsRoot, seed));
  await world.post(5);
  await measure("challenge", world.challenge(5));
  await measure("resolve", world.resolve(5, true));
  await world.challenge(5);
  await world.pass(1000);
  await measure("voidRound", world.voidRound(5));
  await world.posted(6);
  await measure("concede", world.concede(6));
  await world.posted(7);
  await measure("announce", world.announce(7));
  await measure("convict", world.convict(7));
  await vote(world, 8, measure);
  await world.pass(4 * 24 * 3600);
  await measure("withdraw", registry.connect(world.anyone).withdraw(operator));
  const successor = await world.account("successor");
  const consent = await world.operatorSignature(nodes[0].owner, successor);
  await measure("rotate", registry.connect(nodes[0].owner).rotate(nodes[0].address, successor, consent));
  await measure("revoke", registry.connect(nodes[0].owner).revoke(nodes[0].address));
  await world.send(coordinator.connect(world.dao).createTask(world.rules, 0n));
  await measure("fund", distributor.connect(world.dao).fund(2n, ether("1")));
  await world.send(coordinator.connect(world.dao).closeTask(task, world.dao));
  await world.pass(365 * 24 * 3600);
  await measure("recover", distributor.connect(world.dao).recoverUnclaimed(task, world.dao));

  for (const name of Object.keys(OTHERS)) t.diagnostic(`${name}: ${used[name]}`);
  for (const [name, label] of Object.entries(OTHERS)) near(name, used[name], documented(label)[0]);
});
