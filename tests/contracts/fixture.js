// A deployed DAO on a chain of its own, and the steps of a round, for the JavaScript tests of the contracts.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";

import { AbiCoder, Wallet, concat, getCreateAddress, id, keccak256, parseEther, toBeHex } from "ethers";
import { network } from "hardhat";

export const ZERO = "0x" + "00".repeat(32);
export const NOBODY = "0x" + "00".repeat(20);
export const Phase = { None: 0, Open: 1, Closed: 2, Posted: 3, Frozen: 4, Finalized: 5, Aborted: 6, Void: 7 };
export const ether = parseEther;
export const digest = (text) => id(text);
const coder = AbiCoder.defaultAbiCoder();

export const RULES = {
  commitPeriod: 60,
  revealPeriod: 30,
  resultPeriod: 120,
  challengePeriod: 600,
  resolvePeriod: 1000,
  quorum: 2,
  shards: 100,
  bodyDepth: 17,
  codec: 0,
  admittedOnly: false,
  minStake: ether("100"),
  maxStake: ether("1000"),
  roundBudget: ether("10"),
  superlinkBond: ether("500"),
  challengeBond: ether("5"),
  appHash: digest("app"),
  baseModel: digest("base model"),
  validationRoot: digest("validation"),
};
const UNBONDING = 3 * 24 * 3600;
const MINIMUM = ether("50");
const COMMIT = {
  Commit: [
    { name: "task", type: "uint64" },
    { name: "round", type: "uint64" },
    { name: "opening", type: "bytes32" },
    { name: "node", type: "address" },
    { name: "commitment", type: "bytes32" },
  ],
};
const OPERATOR = {
  Operator: [
    { name: "owner", type: "address" },
    { name: "operator", type: "address" },
  ],
};

export const sha256 = (...parts) =>
  "0x" +
  createHash("sha256")
    .update(Buffer.from(concat(parts).slice(2), "hex"))
    .digest("hex");

/** A sha256 tree as in docs/protocol.md: leaves are bytes, an absent one is 32 zero bytes. */
export class BodyTree {
  constructor(leaves, depth) {
    this.levels = [leaves.map((leaf) => sha256(leaf))];
    let absent = ZERO;
    this.absent = [];
    for (let level = 0; level < depth; level++) {
      this.absent.push(absent);
      const below = this.levels[level];
      const above = [];
      for (let i = 0; i < below.length; i += 2) above.push(sha256(below[i], below[i + 1] ?? absent));
      this.levels.push(above);
      absent = sha256(absent, absent);
    }
    this.root = this.levels[depth][0] ?? absent;
  }

  proof(index) {
    return this.absent.map((absent, level) => this.levels[level][(index >> level) ^ 1] ?? absent);
  }
}

/** The reward tree of docs/protocol.md: sorted pairs of keccak256, an odd node moves up. */
export class RewardTree {
  constructor(world, task, cumulative) {
    this.rows = Object.entries(cumulative).map(([owner, amount]) => ({
      owner,
      amount,
      leaf: keccak256(
        keccak256(
          coder.encode(
            ["uint256", "address", "uint256", "address", "uint256"],
            [world.chainId, world.distributor.target, task, owner, amount],
          ),
        ),
      ),
    }));
    this.levels = [this.rows.map((row) => row.leaf).sort()];
    while (this.levels.at(-1).length > 1) {
      const below = this.levels.at(-1);
      const above = [];
      for (let i = 0; i < below.length; i += 2) {
        const [a, b] = [below[i], below[i + 1]];
        above.push(b === undefined ? a : keccak256(concat(a < b ? [a, b] : [b, a])));
      }
      this.levels.push(above);
    }
    this.root = this.levels.at(-1)[0] ?? ZERO;
    this.total = this.rows.reduce((sum, row) => sum + row.amount, 0n);
  }

  claim(owner) {
    const { amount, leaf } = this.rows.find((row) => row.owner === owner);
    const proof = [];
    let index = this.levels[0].indexOf(leaf);
    for (const level of this.levels.slice(0, -1)) {
      const sibling = level[index ^ 1];
      if (sibling !== undefined) proof.push(sibling);
      index >>= 1;
    }
    return [owner, amount, proof];
  }
}

export class World {
  /** Token, registry, distributor, coordinator; `dao` owns all; the Superlink has its bond staked. */
  static async create(options = {}) {
    const world = new World();
    world.seeds = {}; // of each round, by task and round, as its closing told them
    const { ethers, provider } = await network.create();
    Object.assign(world, { ethers, provider });
    world.chainId = (await ethers.provider.getNetwork()).chainId;
    [world.dao, world.anyone, world.challenger, world.deployer] = await ethers.getSigners();
    const deploy = (name, args) => ethers.deployContract(name, args, world.deployer);
    const { deployer, dao } = world;
    world.token = await deploy("DaoToken", [
      "Commonweight",
      "CWT",
      dao.address,
      options.supply ?? ether("1000000000"),
    ]);
    world.registry = await deploy("SupernodeRegistry", [world.token, MINIMUM, UNBONDING, dao]);
    const next = getCreateAddress({ from: deployer.address, nonce: (await deployer.getNonce()) + 1 });
    world.distributor = await deploy("RewardDistributor", [world.token, next]);
    world.coordinator = await deploy("TrainingCoordinator", [
      world.token,
      world.registry,
      world.distributor,
      dao,
    ]);
    assert.equal(world.coordinator.target, next);
    await world.token.connect(dao).approve(world.distributor, 2n ** 200n);
    await world.token.connect(dao).transfer(world.challenger, ether("1000"));
    await world.token.connect(world.challenger).approve(world.coordinator, 2n ** 200n);
    world.superlink = await world.node("superlink", ether("1000"));
    return world;
  }

  /** An account with a key, with ether and tokens. */
  async account(name, tokens = 0n) {
    const wallet = new Wallet(id(name), this.ethers.provider);
    await this.provider.request({
      method: "hardhat_setBalance",
      params: [wallet.address, toBeHex(ether("100"))],
    });
    if (tokens) await this.token.connect(this.dao).transfer(wallet, tokens);
    return wallet;
  }

  async operatorSignature(owner, operator, signer = operator) {
    return signer.signTypedData(await this.domain(this.registry), OPERATOR, {
      owner: owner.address,
      operator: operator.address,
    });
  }

  /** A registered Supernode (or Superlink): {owner, operator, address}. */
  async node(name, stake = ether("200")) {
    const owner = await this.account(`${name} owner`, stake);
    const operator = await this.account(`${name} operator`);
    await this.token.connect(owner).approve(this.registry, 2n ** 200n);
    await this.registry
      .connect(owner)
      .register(operator, stake, await this.operatorSignature(owner, operator));
    return { owner, operator, address: operator.address };
  }

  /** A task with `count` joined Supernodes: sets world.task, world.rules, world.nodes (sorted by operator). */
  async createTask({ count = 3, funds = ether("1000"), ...changes } = {}) {
    this.rules = { superlink: this.superlink.address, ...RULES, ...changes };
    await this.coordinator.connect(this.dao).createTask(this.rules, funds);
    this.task = await this.coordinator.taskCount();
    this.nodes = [];
    for (let i = 0; i < count; i++) {
      const node = await this.node(`task ${this.task} node ${i}`);
      await this.coordinator.connect(node.owner).join(this.task, node.address);
      this.nodes.push(node);
    }
    this.nodes.sort((a, b) => (a.address.toLowerCase() < b.address.toLowerCase() ? -1 : 1));
    return this.task;
  }

  async domain(contract) {
    return { name: "Commonweight", version: "1", chainId: this.chainId, verifyingContract: contract.target };
  }

  commitment(node, round) {
    return keccak256(
      coder.encode(["bytes32", "bytes32", "bytes32"], [id(node.address), id(`body ${round}`), id("salt")]),
    );
  }

  async signCommit(round, node, commitment = this.commitment(node, round), task = this.task) {
    const { opening } = await this.coordinator.roundOf(task, round);
    return node.operator.signTypedData(await this.domain(this.coordinator), COMMIT, {
      task,
      round,
      opening,
      node: node.address,
      commitment,
    });
  }

  commitsTree(round, nodes) {
    return new BodyTree(
      nodes.map((node) => concat([node.address, this.commitment(node, round)])),
      20,
    );
  }

  result(round, changes = {}) {
    const named = (name) => id(`${name} of ${round}`);
    const count = this.nodes.length;
    return {
      commitsRoot: this.commitsTree(round, this.nodes).root,
      inputsRoot: named("inputs"),
      aggregateRoot: named("aggregate"),
      gradientRoot: named("gradient"),
      scoreRoot: named("scores"),
      modelDigest: named("model"),
      manifestDigest: named("manifest"),
      rewardRoot: named("rewards"),
      forcedHash: ZERO,
      inputs: count,
      revealed: count,
      weightSum: 1 << 20,
      rewardTotal: ether("10") * BigInt(round),
      ...changes,
    };
  }

  // The steps of a round. Each returns the receipt.
  async send(transaction) {
    const sent = await transaction;
    return sent.wait ? sent.wait() : sent;
  }

  async open(task = this.task) {
    return this.send(this.coordinator.connect(this.anyone).openRound(task));
  }

  async close(round, { nodes = this.nodes, commits = nodes.length, passes = 0, root, openBlock } = {}) {
    root ??= this.commitsTree(round, nodes).root;
    const coordinator = this.coordinator.connect(this.superlink.operator);
    openBlock ??= (await this.roundOf(round)).openBlock;
    const receipt = await this.send(
      coordinator.closeCommits(this.task, round, openBlock, root, commits, passes),
    );
    const closed = receipt.logs
      .map((log) => coordinator.interface.parseLog(log))
      .find((log) => log?.args.seed);
    this.seeds[`${this.task} ${round}`] = closed.args.seed;
    return receipt;
  }

  async force(round, node, commitment = this.commitment(node, round)) {
    const signature = await this.signCommit(round, node, commitment);
    return this.send(
      this.coordinator.connect(this.anyone).commit(this.task, round, node.address, commitment, signature),
    );
  }

  async post(round, changes = {}) {
    const result = this.result(round, changes);
    const coordinator = this.coordinator.connect(this.superlink.operator);
    return this.send(
      coordinator.postResult(this.task, round, this.seeds[`${this.task} ${round}`] ?? ZERO, result),
    );
  }

  async challenge(round) {
    return this.send(this.coordinator.connect(this.challenger).challenge(this.task, round, "wrong"));
  }

  async resolve(round, valid) {
    return this.send(this.coordinator.connect(this.dao).resolve(this.task, round, valid));
  }

  async finalize(round, changes = {}) {
    return this.send(
      this.coordinator.connect(this.anyone).finalize(this.task, round, this.result(round, changes)),
    );
  }

  async abort(round, signer = this.anyone) {
    return this.send(this.coordinator.connect(signer).abort(this.task, round));
  }

  async voidRound(round) {
    return this.send(this.coordinator.connect(this.anyone).voidRound(this.task, round));
  }

  /** A normal round as far as its posted result. */
  async posted(round, changes = {}) {
    return [await this.open(), await this.close(round), await this.post(round, changes)];
  }

  // Time
  async now() {
    return (await this.ethers.provider.getBlock("latest")).timestamp;
  }

  /** The next block has this time. */
  async at(time) {
    await this.provider.request({ method: "evm_setNextBlockTimestamp", params: [toBeHex(time)] });
  }

  /** The next block is so many seconds after the last. */
  async pass(seconds) {
    await this.at((await this.now()) + Number(seconds));
  }

  async snapshot() {
    const mark = await this.provider.request({ method: "evm_snapshot", params: [] });
    return async () => assert(await this.provider.request({ method: "evm_revert", params: [mark] }));
  }

  // Reading
  async roundOf(round) {
    return this.coordinator.roundOf(this.task, round);
  }

  async phase(round) {
    return Number((await this.roundOf(round)).phase);
  }

  /** The call must revert with this custom error of the contract, and these arguments if given. */
  async reverts(transaction, contract, name, args) {
    await assert.rejects(
      async () => (await transaction).wait(),
      (error) => {
        const data = revertData(error);
        if (typeof data !== "string") throw error;
        const parsed = contract.interface.parseError(data);
        assert.equal(parsed?.name ?? error.message, name);
        if (args !== undefined) assert.deepEqual(parsed.args.toArray(), args.map(plain));
        return true;
      },
    );
  }
}

/** The data that a call reverted with; Hardhat wraps it where it recognises no statement that reverted. */
export function revertData(error) {
  return error.data?.data ?? error.data;
}

function plain(value) {
  if (typeof value === "number") return BigInt(value);
  return value?.address ?? value?.target ?? value;
}
