// A deployed DAO on a chain of its own, and the steps of a round, for the JavaScript tests of the contracts.
import assert from "node:assert/strict";

import { AbiCoder, Wallet, concat, getCreateAddress, id, keccak256, parseEther, toBeHex } from "ethers";
import { network } from "hardhat";

import { BodyTree, ROWS_DEPTH, ZERO } from "./trees.js";

export const NOBODY = "0x" + "00".repeat(20);
export const Phase = { None: 0, Open: 1, Closed: 2, Posted: 3, Frozen: 4, Finalized: 5, Aborted: 6, Void: 7 };
export const ether = parseEther;
export const digest = (text) => id(text);
const coder = AbiCoder.defaultAbiCoder();
const STATEMENT = `tuple(${"bytes32,".repeat(12)}uint256,int256,uint256,int256,uint64,uint32,uint32)`;

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
  closeAfter: 20,
  closeShare: 100,
  maxInFlight: 64,
  minStake: ether("100"),
  maxStake: ether("1000"),
  roundBudget: ether("10"),
  superlinkBond: ether("500"),
  challengeBond: ether("5"),
  appHash: digest("app"),
  baseModel: digest("base model"),
  validationRoot: digest("validation"),
  chunks: 100_000,
  scoredChunks: 100_000,
  card: digest("card"),
  baseModelRoot: digest("base model root"),
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
    const parts = [world.token, world.registry, world.distributor];
    world.coordinator = await deploy("TrainingCoordinator", [...parts, dao]);
    assert.equal(world.coordinator.target, next);
    world.disputes = await deploy("Disputes", [...parts, world.coordinator, dao]);
    world.forcedReveals = await deploy("ForcedReveals", [world.coordinator]);
    world.prover = await deploy("FakeProver", []);
    const courts = [world.token, world.registry, world.coordinator, world.disputes];
    world.jury = await deploy("GradientVote", courts);
    await world.coordinator.connect(dao).setDisputes(world.disputes);
    await world.registry.connect(dao).setSlasher(world.disputes, true);
    await world.registry.connect(dao).setSlasher(world.jury, true);
    await world.disputes.connect(dao).setProver(world.prover, true);
    await world.disputes.connect(dao).setProver(world.jury, true);
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

  /** A contract's account, to call with. */
  async impersonate(contract) {
    await this.provider.request({ method: "hardhat_impersonateAccount", params: [contract.target] });
    await this.provider.request({
      method: "hardhat_setBalance",
      params: [contract.target, toBeHex(ether("1"))],
    });
    return this.ethers.getSigner(contract.target);
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
      ROWS_DEPTH,
    );
  }

  result(round, changes = {}) {
    const named = (name) => id(`${name} of ${round}`);
    const count = this.nodes.length;
    return {
      commitsRoot: this.commitsTree(round, this.nodes).root,
      seed: this.seeds[`${this.task} ${round}`] ?? ZERO,
      statement: keccak256(coder.encode([STATEMENT], [Object.values(this.statement(round))])),
      modelDigest: named("model"),
      manifestDigest: named("manifest"),
      accountsRoot: named("accounts"),
      forcedHash: ZERO,
      inputs: count,
      revealed: count,
      weightSum: 1 << 20,
      rewardTotal: ether("10") * BigInt(round),
      ...changes,
    };
  }

  statement(round) {
    const named = (name) => id(`${name} of ${round}`);
    return {
      rowsRoot: named("rows"),
      inputsRoot: named("inputs"),
      aggregateRoot: named("aggregate"),
      modelRoot: named("model root"),
      newStepRoot: named("new step root"),
      gateRoot: named("gate"),
      gradientRoot: named("gradient"),
      stepRoot: named("step"),
      gateTotals: named("gate totals"),
      stepTotals: named("step totals"),
      mediansHash: named("medians"),
      usedShards: named("used"),
      gateSquare: 1n << 90n,
      gradientAlong: -(1n << 80n),
      stepSquare: 1n << 70n,
      alongMedian: 1n << 60n,
      normMedian: 1n << 50n,
      rows: this.nodes.length,
      accounts: this.nodes.length,
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
    const forcedHash = await this.coordinator.forcedHashOf(this.task, round);
    const receipt = await this.send(
      coordinator.closeCommits(this.task, round, openBlock, root, forcedHash, commits, passes),
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
    return this.send(coordinator.postResult(this.task, round, result));
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

  async concede(round) {
    return this.send(this.coordinator.connect(this.superlink.operator).concede(this.task, round));
  }

  async announce(round, proof = "0x") {
    const types = ["address", "uint8", "uint64", "uint64", "bytes"];
    const accusation = keccak256(coder.encode(types, [this.prover.target, 0, this.task, round, proof]));
    const digest = keccak256(coder.encode(["address", "bytes32"], [this.anyone.address, accusation]));
    return this.send(this.disputes.connect(this.anyone).announce(digest));
  }

  async convict(round, changes = {}, proof = "0x") {
    const [result, statement] = [this.result(round, changes), this.statement(round)];
    const disputes = this.disputes.connect(this.anyone);
    return this.send(disputes.convict(this.prover, 0, this.task, round, result, statement, proof));
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
