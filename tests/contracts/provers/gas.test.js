// What a conviction costs beside the court's own part: the largest trees, sent as transactions. docs/disputes.md states each.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { AbiCoder, toBeHex } from "ethers";
import { network } from "hardhat";

const NEAR = 500n; // some hashes have a byte of zero, which costs less
const MOST_GAS = 5_000_000n;
const MOST_BYTES = 120_000;
const TASK = 7n;
const ROUND = 3n;
const coder = AbiCoder.defaultAbiCoder();

/** Figures of the rows of docs/disputes.md: case in the vectors, then label of the row. */
const ROWS = {
  aggregate_int8_10: "aggregate, 10 inputs",
  aggregate_int8_100: "aggregate, 100 inputs",
  aggregate_int8_128: "aggregate, 128 inputs",
  aggregate_float32_10: "aggregate, 10 inputs of float32",
  aggregate_topk_10: "aggregate, 10 inputs of topk",
  aggregate_topk_128: "aggregate, 128 inputs of topk",
  parts_int8_64: "aggregate, by parts",
  parts_float32_64: "aggregate of float32, by parts",
  parts_topk_64: "aggregate of topk, by parts",
  codec_int8: "codec",
  codec_topk: "codec topk",
  model: "model",
  step_int8: "step",
  step_float32: "step of float32",
  last_step: "last step",
  last_step_of_none_1: "last step stated as none",
  draw: "shards",
  draw_without_void: "shards, a void round before",
  draw_without_aborted: "shards, an aborted round before",
  draw_of_many: "shards, 65,533 used",
  update_shape: "shape of an update",
  inputs_shape: "shape of the inputs",
  order: "order of commits",
  count_more: "number of commits",
  signature: "signature of a commit",
  member: "stranger",
  forced: "forced commit in the tree",
  receipt: "receipt",
  early: "closed early",
};

/** Of rows, weights, scores and accounts: at each number of rows, all within NEAR of what the page states. */
const SETTLEMENTS = {
  row_order: "order of rows",
  row_stake: "stake of a row",
  row_reveal: "reveal of a row",
  row_input: "input of a row",
  row_totals: "totals of a row",
  row_sums: "sums of the rows",
  row_dropped: "commit without a row",
  row_uncommitted: "row without a commit",
  row_account: "account of a row",
  row_forced: "forced commit without a row",
  weight_unit: "unit weight",
  weight_memory: "memory",
  weight_gate: "gate",
  weight_clip: "clip",
  score_score: "score",
  score_share: "share",
  account_fewer: "fewer accounts",
  account_owner: "owner of an account",
  account_unmoved: "account without a row",
  account_moved: "account with a row",
  account_total: "total of an account",
  account_reward_total: "total of all accounts",
  account_twice: "two accounts of an owner",
  account_order: "order of accounts",
  availability_receipt: "receipt of an update",
  availability_forced: "forced reveal",
  availability_count: "all counted as revealed",
  availability_fault: "fault of an update",
  availability_attested: "attested update",
};
for (const [name, label] of Object.entries(SETTLEMENTS))
  for (const rows of [10, 100, 1000]) ROWS[`${name}_${rows}`] = label;
for (const passed of [1000, 2048]) {
  ROWS[`weight_list_of_${passed}`] = `list of medians, ${passed.toLocaleString("en")} nodes`;
  ROWS[`weight_norm_median_of_${passed}`] = `median norm, ${passed.toLocaleString("en")} nodes`;
  ROWS[`weight_along_median_of_${passed}`] = `median along the step, ${passed.toLocaleString("en")} nodes`;
}

const page = readFileSync(new URL("../../../docs/disputes.md", import.meta.url), "utf8").split(
  "## Bytes and gas",
)[1];
const number = (text) => BigInt(text.replaceAll(",", ""));

function documented(label) {
  const rows = page.split("\n").filter((line) => line.startsWith(`| ${label} |`));
  assert.equal(rows.length, 1, `rows of ${label} in docs/disputes.md`);
  return rows[0].split("|").slice(2, 4).map(number);
}

/** The proof's bytes and the gas are within limits, and those of the page. */
function near(t, label, proof, gas) {
  const bytes = proof.length / 2 - 1;
  t.diagnostic(`${label}: ${bytes} bytes, ${gas} gas`);
  assert(gas <= MOST_GAS && bytes <= MOST_BYTES, `${label}: ${bytes} bytes, ${gas} gas`);
  const [statedBytes, statedGas] = documented(label);
  const apart = gas > statedGas ? gas - statedGas : statedGas - gas;
  const stated = `documented as ${statedBytes} bytes, ${statedGas} gas`;
  assert(statedBytes === BigInt(bytes) && apart <= NEAR, `${label}: ${bytes} bytes, ${gas} gas, ${stated}`);
}

/** Records what all inputs of a case add to its value. */
async function record(t, sender, prover, one) {
  const { inputsRoot } = decodeStruct(prover, one.statement, 3);
  const values = [inputsRoot, one.body_depth, one.codec, one.part];
  const data = prover.interface.encodeFunctionData("record", values);
  const sent = await sender.sendTransaction({ to: prover, data, gasLimit: 16_000_000n });
  near(
    t,
    ["a part of 64 inputs", "a part of 64 inputs of float32", "a part of 64 inputs of topk"][one.codec],
    one.part,
    (await sent.wait()).gasUsed,
  );
}

/** A struct of an accused case: 2 is the result, 3 the statement. */
function decodeStruct(prover, words, place) {
  return coder.decode([structOf(prover, "check", 0).components[place]], words)[0];
}

/** The types of a struct that is a tuple of words, from the prover's or the chain's ABI. */
function structOf(contract, method, input) {
  return contract.interface.getFunction(method).inputs[input];
}

test("test_gas__each_proof__within_limits_and_as_documented", async (t) => {
  const { ethers, provider } = await network.create();
  const [sender] = await ethers.getSigners();
  const command = ["-m", "tests.vectors.make_proofs", "--large"];
  const { cases } = JSON.parse(execFileSync("python", command, { maxBuffer: 1 << 26, timeout: 120_000 }));
  const template = await ethers.deployContract("Chain");
  const code = await ethers.provider.getCode(template);

  for (const [name, label] of Object.entries(ROWS)) {
    const one = cases[name];
    const back = await provider.request({ method: "evm_snapshot" });
    await provider.request({ method: "hardhat_setCode", params: [one.coordinator, code] });
    const chain = template.attach(one.coordinator);
    await arrange(chain, one);
    const parts = one.prover === "AvailabilityProver" ? [chain, chain] : [chain];
    const prover = await ethers.deployContract(one.prover, parts);
    if (one.part) await record(t, sender, prover, one);
    const [result, statement] = [decodeStruct(prover, one.result, 2), decodeStruct(prover, one.statement, 3)];
    const accused = [TASK, ROUND, result.toArray(), statement.toArray()];
    const data = prover.interface.encodeFunctionData("check", [accused, one.claim, one.proof]);
    const sent = await sender.sendTransaction({ to: prover, data, gasLimit: 16_000_000n });
    const { gasUsed } = await sent.wait();
    await provider.request({ method: "evm_revert", params: [back] });

    near(t, label, one.proof, gasUsed);
  }
});

test("test_gas__step_of_products__within_limits_and_as_documented", async (t) => {
  const { ethers } = await network.create();
  const [sender] = await ethers.getSigners();
  const { cases } = JSON.parse(readFileSync("tests/vectors/dots.json", "utf8"));
  const host = await ethers.deployContract("DotHost");
  for (const codec of ["int8", "float32", "topk"]) {
    const one = cases[codec];
    const product = [
      one.totals,
      2,
      0,
      one.body,
      one.gradient,
      one.codec,
      one.depth,
      one.chunks,
      one.left_chunks,
    ];
    const data = host.interface.encodeFunctionData("isWrong", [product, one.proof_0]);
    const sent = await sender.sendTransaction({ to: host, data, gasLimit: 16_000_000n });
    near(t, `products of 32 chunks, ${codec}`, one.proof_0, (await sent.wait()).gasUsed);
  }
});

/** Has the chain hold what a case says. */
async function arrange(chain, one) {
  const [rulesType] = chain.interface.getFunction("setRules").inputs;
  const zero = (type) =>
    type.baseType === "bytes32" ? toBeHex(0, 32) : type.baseType === "address" ? toBeHex(0, 20) : 0;
  const rules = Object.fromEntries(rulesType.components.map((type) => [type.name, zero(type)]));
  rules.bodyDepth = one.body_depth;
  rules.codec = one.codec;
  rules.chunks = one.chunks;
  rules.scoredChunks = one.scored_chunks;
  rules.baseModelRoot = one.base_model_root;
  rules.shards = one.shards;
  rules.validationRoot = one.validation_root;
  rules.superlink = one.superlink;
  rules.commitPeriod = one.commit_period;
  rules.closeAfter = one.close_after;
  rules.closeShare = one.close_share;
  rules.minStake = BigInt(one.min_stake);
  rules.maxStake = BigInt(one.max_stake);
  rules.roundBudget = BigInt(one.round_budget);
  await chain.setRules({ ...rules, admittedOnly: false });
  await chain.setForced(one.forced);
  const roundType = structOf(chain, "setRound", 1);
  const state = coder.decode([roundType], one.round)[0].toObject();
  await chain.setRound(ROUND, state);
  const blank = coder.decode([roundType], one.round)[0].toObject();
  const parent = { ...blank, parent: one.parent_of_parent, resultHash: one.parent_result };
  if (state.parent !== 0n) await chain.setRound(state.parent, parent);
  const before = { ...blank, resultHash: one.parent_of_parent_result };
  if (one.parent_of_parent !== 0) await chain.setRound(one.parent_of_parent, before);
  if (one.lost !== "0x") await chain.setRound(ROUND - 1n, coder.decode([roundType], one.lost)[0].toObject());
  const stakes = one.stakes.slice(2).match(/.{112}/g) ?? [];
  for (const stake of stakes)
    await chain.setStake(
      "0x" + stake.slice(0, 40),
      "0x" + stake.slice(40, 80),
      state.openBlock - 1n,
      BigInt("0x" + stake.slice(80)),
    );
  for (let at = 2; at < one.revealed.length; at += 104) {
    const node = "0x" + one.revealed.slice(at, at + 40);
    await chain.setRevealed(TASK, ROUND, node, "0x" + one.revealed.slice(at + 40, at + 104));
    if (one.attested) await chain.setAttested(TASK, ROUND, node);
  }
  for (let at = 2; at < one.members.length; at += 40)
    await chain.setMember(ROUND, "0x" + one.members.slice(at, at + 40), true);
}
