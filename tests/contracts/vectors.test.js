// The vectors of tests/vectors, which the Python core wrote, run by the contracts.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

import { AbiCoder, TypedDataEncoder, concat, keccak256, toBeHex } from "ethers";

import { World, digest, ether } from "./fixture.js";
import { BodyTree } from "./trees.js";

const VECTORS = "tests/vectors";
const MANY = 10_000;
const BATCH = 100;
const read = (path) => JSON.parse(readFileSync(path, "utf8"));
const coder = AbiCoder.defaultAbiCoder();

/** Claims every row of a file from a distributor: each is paid exactly, once. */
async function claimAll({ task, root, rows }) {
  const world = await World.create({ supply: 2n ** 130n });
  const { ethers, token, distributor } = world;
  const asCoordinator = distributor.connect(await world.impersonate(world.coordinator));
  const funds = 2n ** 112n - 1n; // the most that an escrow holds
  await token.connect(world.dao).approve(distributor, funds);
  await asCoordinator.fundFrom(world.dao, task, funds);
  await asCoordinator.activate(task, root, funds);
  const bulk = await ethers.deployContract("Bulk");
  const arguments_ = (row) => [row.leaf, row.index, row.proof];

  // one of them alone takes all that there is
  const [most] = rows.filter((row) => BigInt(row.cumulative_wei) === funds);
  const others = rows.filter((row) => row !== most && BigInt(row.cumulative_wei) !== 0n);
  if (most) {
    const back = await world.snapshot();
    await distributor.claim(task, ...arguments_(most));
    assert.equal(await token.balanceOf(most.owner), funds);
    await back();
  }
  for (let start = 0; start < others.length; start += BATCH) {
    const batch = others.slice(start, start + BATCH).map(arguments_);
    await bulk.claim(distributor, task, batch, { gasLimit: 16_000_000n });
  }
  for (const row of others.filter((_, index) => index % 97 === 0)) {
    assert.equal(await token.balanceOf(row.owner), BigInt(row.cumulative_wei));
    const [leaf, index, proof] = arguments_(row);
    const again = distributor.claim(task, leaf, index, proof);
    await world.reverts(again, distributor, "NothingToClaim", [task, row.owner].map(normal));
    const forged = [
      [toBeHex(BigInt(leaf) + 1n, 72), index, proof],
      [leaf, index ^ 1, proof],
      [leaf, index >> 1, proof.slice(1)], // an inner node does not pass for a leaf
    ];
    for (const wrong of forged) {
      await world.reverts(distributor.claim(task, ...wrong), distributor, "BadProof", [task]);
    }
  }
  const paid = others.reduce((sum, row) => sum + BigInt(row.cumulative_wei), 0n);
  assert.equal(await token.balanceOf(distributor), funds - paid);
  if (most) {
    await world.reverts(distributor.claim(task, ...arguments_(most)), distributor, "ExceedsEscrow");
  }
}

const normal = (value) =>
  typeof value === "string" ? coder.decode(["address"], coder.encode(["address"], [value]))[0] : value;

test("test_accounts__committed_vectors__each_claim_pays_exactly", () =>
  claimAll(read(`${VECTORS}/accounts.json`)));

test("test_accounts__ten_thousand_vectors__each_claim_pays_exactly", async () => {
  const out = mkdtempSync(join(tmpdir(), "accounts-"));
  try {
    execFileSync("python", ["-m", "tests.vectors.make", "--out", out, "--rows", String(MANY)], {
      timeout: 120_000,
    });
    const vectors = read(join(out, "accounts.json"));
    assert.equal(vectors.rows.length, MANY);
    await claimAll(vectors);
  } finally {
    rmSync(out, { recursive: true });
  }
});

test("test_commitments__vectors__equal_abi_encoding", () => {
  for (const row of read(`${VECTORS}/commitments.json`).rows) {
    const encoded = coder.encode(
      ["bytes32", "bytes32", "bytes32"],
      [row.cid_digest, row.body_root, row.salt],
    );
    assert.equal(keccak256(encoded), row.commitment);
  }
});

test("test_messages__vectors__equal_eip_712", () => {
  const { types, rows } = read(`${VECTORS}/messages.json`);
  for (const { kind, domain, message, digest: expected } of rows) {
    assert.equal(TypedDataEncoder.hash(domain, { [kind]: types[kind] }, message), expected);
  }
});

test("test_trees__vectors__proofs_hold_and_others_do_not", async () => {
  const { ethers } = await World.create();
  const bulk = await ethers.deployContract("Bulk");
  const leaves = [...Array(5).keys()].map((i) => toBeHex(i, 52));
  const tree = new BodyTree(leaves, 20);
  const proofs = leaves.map((_, index) => ({ index, proof: tree.proof(index) }));
  const files = [{ depth: 20, root: tree.root, leaves, proofs }, read(`${VECTORS}/merkle.json`)];
  for (const { depth, leaves, root, proofs } of files) {
    const rows = proofs.map(({ index, proof }) => [leaves[index], index, proof]);
    assert((await bulk.verify(root, depth, rows)).every((holds) => holds));
    const wrong = rows.flatMap(([leaf, index, proof]) => [
      [leaf, index ^ 1, proof],
      [leaf, index + 2 ** depth, proof],
      [leaf, index, proof.slice(1)],
      [concat([leaf, "0x00"]), index, proof],
      [leaf, index, [digest("wrong"), ...proof.slice(1)]],
    ]);
    assert(!(await bulk.verify(root, depth, wrong)).some((holds) => holds));
  }
});

test("test_rounds__vectors__each_deadline_is_where_python_has_it", async () => {
  for (const row of read(`${VECTORS}/rounds.json`).rows) await runDeadlines(row);
});

async function runDeadlines(row) {
  const world = await World.create();
  const periods = Object.fromEntries(
    Object.entries(row.rules).map(([name, value]) => [name.replace(/_p/, "P"), value]),
  );
  await world.createTask({ count: 2, quorum: 1, ...periods });
  const { coordinator, nodes } = world;
  const superlink = world.superlink.operator;

  /** At each time the step is refused with `early` or `late`, or done. */
  async function boundary(time, step, { early, late }) {
    for (const [at, error] of [
      [time - 1, early],
      [time, late],
    ]) {
      const back = await world.snapshot();
      await world.at(at);
      if (error) await world.reverts(step(), coordinator, error);
      else await step();
      await back();
    }
  }

  await world.at(row.opened_at);
  await world.open();
  const committing = row.early ? nodes : nodes.slice(0, 1);
  await boundary(row.commit_deadline, () => world.force(1, nodes[0]), { late: "TooLate" });
  await boundary(row.commit_deadline, () => world.close(1, { nodes: nodes.slice(0, 1) }), {
    early: "TooEarly",
  });
  await boundary(row.abort_open_after, () => world.abort(1), { early: "TooEarly" });
  await boundary(row.abort_open_after_by_superlink, () => world.abort(1, superlink), { early: "TooEarly" });
  await world.at(row.closed_at);
  await world.close(1, { nodes: committing });
  const commitsRoot = world.commitsTree(1, committing).root;
  const some = { commitsRoot, inputs: 0, revealed: 0 };
  await boundary(row.reveal_deadline, () => world.post(1, some), { early: "RevealsMissing" });
  await boundary(row.result_deadline + 1, () => world.post(1, some), { late: "TooLate" });
  await boundary(row.abort_closed_after, () => world.abort(1), { early: "TooEarly" });
  await world.at(row.posted_at);
  await world.post(1, some);
  await boundary(row.challenge_deadline, () => world.challenge(1), { late: "TooLate" });
  await boundary(row.challenge_deadline, () => world.finalize(1, some), { early: "TooEarly" });
  await world.at(row.frozen_at);
  await world.challenge(1);
  await boundary(row.resolve_deadline, () => world.resolve(1, true), { late: "TooLate" });
  await boundary(row.resolve_deadline, () => world.voidRound(1), { early: "TooEarly" });
}
