// Every function tried in every phase, at its start and long after its deadlines, running and paused.
import assert from "node:assert/strict";
import { before, test } from "node:test";

import { Phase, World, digest, ether, revertData } from "./fixture.js";
import { Accounts } from "./trees.js";

const LONG = 100_000;
const OK = "ok";

// Function: [while the phase is fresh, long after its deadlines]. Where nothing is said, WrongPhase.
const EXPECTED = {
  None: { openRound: [OK, OK], closeTask: [OK, OK], claim: ["BadProof", "BadProof"] },
  Open: {
    commit: [OK, "TooLate"],
    closeCommits: [OK, OK],
    abort: ["TooEarly", OK],
    abortBySuperlink: ["TooEarly", OK],
    closeTask: ["RoundsInFlight", "RoundsInFlight"],
    claim: ["BadProof", "BadProof"],
  },
  Closed: {
    postResult: [OK, "TooLate"],
    abort: ["TooEarly", OK],
    abortBySuperlink: ["TooEarly", OK],
    closeTask: ["RoundsInFlight", "RoundsInFlight"],
    claim: ["BadProof", "BadProof"],
  },
  Posted: {
    openRound: [OK, OK],
    challenge: [OK, "TooLate"],
    finalize: ["TooEarly", OK],
    concede: [OK, OK],
    strike: [OK, OK],
    convict: [OK, OK],
    closeTask: ["RoundsInFlight", "RoundsInFlight"],
    claim: ["BadProof", "BadProof"],
  },
  Frozen: {
    resolveValid: [OK, "TooLate"],
    resolveInvalid: [OK, "TooLate"],
    voidRound: ["TooEarly", OK],
    concede: [OK, OK],
    strike: [OK, OK],
    convict: [OK, OK],
    closeTask: ["RoundsInFlight", "RoundsInFlight"],
    claim: ["BadProof", "BadProof"],
  },
  Finalized: { openRound: [OK, OK], closeTask: [OK, OK], claim: [OK, OK] },
  Aborted: { openRound: [OK, OK], closeTask: [OK, OK], claim: ["BadProof", "BadProof"] },
  Void: { openRound: [OK, OK], closeTask: [OK, OK], claim: ["BadProof", "BadProof"] },
};
const ROUND_FUNCTIONS = [
  "openRound",
  "commit",
  "closeCommits",
  "postResult",
  "challenge",
  "resolveValid",
  "resolveInvalid",
  "finalize",
  "abort",
  "abortBySuperlink",
  "voidRound",
  "concede",
  "strike",
  "convict",
];
// What is the same in every phase, and what a pause stops.
const ALWAYS = {
  createTask: OK,
  setSuperlink: OK,
  changeRules: OK,
  appendShards: "BadRules", // those of this task are no tree: AppendShards.t.sol
  admit: OK,
  join: OK,
  leave: OK,
  expire: "StillQualified",
  dismiss: OK,
  register: OK,
  addStake: OK,
  rotate: OK,
  revoke: OK,
  unbond: OK,
  withdraw: OK,
  slash: OK,
  fund: OK,
  fundFrom: "NotCoordinator",
  activate: "NotCoordinator",
  refund: "NotCoordinator",
  recoverUnclaimed: "TaskNotClosed",
  announce: OK,
  setProver: OK,
  setDisputes: OK,
};
const ENTRIES = ["openRound", "createTask", "join", "register", "addStake"];
// Of OpenZeppelin, or the owner's alone.
const ELSEWHERE = [
  "multicall", // gas.test.js
  "demand", // Demands.t.sol
  "answer",
  "convictNode", // Equivocations.t.sol
  "sleep", // Absences.t.sol
  "pause",
  "unpause",
  "transferOwnership",
  "renounceOwnership",
  "delegate",
  "delegateBySig",
  "setSlasher",
];

let world;
let undo;

before(async () => {
  world = await World.create();
  await world.createTask();
  // released stake, one who may join, one who may register
  world.leaving = await world.node("leaving");
  await world.registry.connect(world.leaving.owner).unbond(world.leaving.address, ether("200"));
  await world.pass(4 * 24 * 3600);
  await world.send(world.token.connect(world.dao).transfer(world.anyone, ether("500")));
  world.joining = await world.node("joining");
  world.newcomer = {
    owner: await world.account("new owner", ether("100")),
    operator: await world.account("new"),
  };
  await world.token.connect(world.newcomer.owner).approve(world.registry, ether("100"));
  await world.token.connect(world.dao).transfer(world.nodes[0].owner, ether("1"));
  const { owner, operator } = world.newcomer;
  world.newcomer.signature = await world.operatorSignature(owner, operator);
  world.successor = await world.account("successor");
  world.consent = await world.operatorSignature(world.nodes[0].owner, world.successor);
  await world.registry.connect(world.dao).setSlasher(world.dao, true);
  await world.announce(1);
  world.court = await world.impersonate(world.disputes);
  world.tree = new Accounts({ [world.nodes[0].owner.address]: ether("10") });
  world.rewards = { accountsRoot: world.tree.root, rewardTotal: world.tree.total };
  undo = await world.snapshot();
});

const REACH = {
  None: async () => {},
  Open: () => world.open(),
  Closed: async () => {
    await REACH.Open();
    await world.close(1);
  },
  Posted: async () => {
    await REACH.Closed();
    await world.post(1, world.rewards);
  },
  Frozen: async () => {
    await REACH.Posted();
    await world.challenge(1);
  },
  Finalized: async () => {
    await REACH.Posted();
    await world.pass(600);
    await world.finalize(1, world.rewards);
  },
  Aborted: async () => {
    await REACH.Open();
    await world.pass(180);
    await world.abort(1);
  },
  Void: async () => {
    await REACH.Frozen();
    await world.resolve(1, false);
  },
};

function attempts() {
  const { coordinator, registry, distributor, disputes, task, dao, anyone } = world;
  const { nodes, joining, newcomer, leaving } = world;
  const superlink = world.superlink.operator;
  const claim = world.tree.claim(nodes[0].owner.address);
  return {
    openRound: () => world.open(),
    commit: () => world.force(1, nodes[2]),
    closeCommits: () => world.close(1),
    postResult: () => world.post(1, world.rewards),
    challenge: () => world.challenge(1),
    resolveValid: () => world.resolve(1, true),
    resolveInvalid: () => world.resolve(1, false),
    finalize: () => world.finalize(1, world.rewards),
    abort: () => world.abort(1),
    abortBySuperlink: () => world.abort(1, superlink),
    voidRound: () => world.voidRound(1),
    concede: () => world.concede(1),
    strike: () => coordinator.connect(world.court).strike(task, 1),
    convict: () => world.convict(1, world.rewards),
    closeTask: () => coordinator.connect(dao).closeTask(task, dao),
    claim: () => distributor.connect(anyone).claim(task, ...claim),
    createTask: () => coordinator.connect(dao).createTask({ ...world.rules, appHash: digest("other") }, 1n),
    join: () => coordinator.connect(joining.owner).join(task, joining.address),
    leave: () => coordinator.connect(nodes[0].operator).leave(task, nodes[0].address),
    setSuperlink: () => coordinator.connect(dao).setSuperlink(task, anyone),
    changeRules: () => coordinator.connect(dao).changeRules(task, { ...world.rules, roundBudget: 1n }),
    appendShards: () =>
      coordinator.connect(dao).appendShards(task, 200, digest("first"), Array(16).fill(digest("path"))),
    admit: () => coordinator.connect(dao).admit(task, anyone, true),
    expire: () => coordinator.connect(anyone).expire(task, nodes[0].address),
    dismiss: () => coordinator.connect(world.court).dismiss(task, nodes[0].address),
    register: () =>
      registry.connect(newcomer.owner).register(newcomer.operator, ether("100"), newcomer.signature),
    addStake: () => registry.connect(nodes[0].owner).addStake(nodes[0].address, ether("1")),
    rotate: () => registry.connect(nodes[0].owner).rotate(nodes[0].address, world.successor, world.consent),
    revoke: () => registry.connect(nodes[0].owner).revoke(nodes[0].address),
    unbond: () => registry.connect(nodes[0].owner).unbond(nodes[0].address, ether("200")),
    withdraw: () => registry.connect(anyone).withdraw(leaving.address),
    slash: () => registry.connect(dao).slash(nodes[0].address, 1n, anyone, 0n),
    fund: () => distributor.connect(dao).fund(task, 1n),
    fundFrom: () => distributor.connect(dao).fundFrom(dao, task, 1n),
    activate: () => distributor.connect(dao).activate(task, digest("root"), 1n),
    refund: () => distributor.connect(dao).refund(task, dao),
    announce: () => disputes.connect(anyone).announce(digest("proof")),
    setProver: () => disputes.connect(dao).setProver(anyone, true),
    setDisputes: () => coordinator.connect(dao).setDisputes(anyone),
    recoverUnclaimed: () => distributor.connect(dao).recoverUnclaimed(task, dao),
  };
}

function expectation(phase, late, paused, name) {
  if (paused && ENTRIES.includes(name)) return "EnforcedPause";
  if (name in ALWAYS) return ALWAYS[name];
  return EXPECTED[phase][name]?.[late ? 1 : 0] ?? "WrongPhase";
}

async function attempt(name) {
  const { coordinator, registry, distributor, disputes } = world;
  try {
    await world.send(attempts()[name]());
    return OK;
  } catch (error) {
    const parsed = [coordinator, registry, distributor, disputes].map((c) =>
      c.interface.parseError(revertData(error) ?? "0x"),
    );
    return parsed.find((found) => found)?.name ?? error.message;
  }
}

for (const phase of Object.keys(EXPECTED)) {
  for (const late of [false, true]) {
    for (const paused of [false, true]) {
      const when = `${late ? "late" : "fresh"}_${paused ? "paused" : "running"}`;
      test(`test_phase_${phase.toLowerCase()}__${when}__each_function_as_expected`, async () => {
        const wrong = [];
        await undo();
        undo = await world.snapshot();
        await REACH[phase]();
        if (paused) {
          await world.coordinator.connect(world.dao).pause();
          await world.registry.connect(world.dao).pause();
        }
        for (const name of [...ROUND_FUNCTIONS, "closeTask", "claim", ...Object.keys(ALWAYS)]) {
          const back = await world.snapshot();
          if (late) await world.pass(LONG);
          const expected = expectation(phase, late, paused, name);
          const actual = await attempt(name);
          if (actual !== expected) wrong.push(`${name}: ${actual}, expected ${expected}`);
          await back();
        }
        assert.deepEqual(wrong, []);
      });
    }
  }
}

test("test_phases__all_phases_and_functions__are_in_the_tables", () => {
  const tried = [...Object.keys(attempts()), ...ELSEWHERE, "resolve"];
  for (const phase of Object.keys(Phase)) assert(phase in EXPECTED, phase);
  for (const contract of [world.coordinator, world.registry, world.distributor, world.disputes]) {
    contract.interface.forEachFunction(({ name, constant }) =>
      assert(constant || tried.includes(name), name),
    );
  }
});
