// The timelock owns everything: what the DAO decides happens after the delay, by anyone, and by nobody before.
import assert from "node:assert/strict";
import { test } from "node:test";

import { NOBODY, Phase, RULES, World, ether } from "./fixture.js";
import { ZERO } from "./trees.js";

const DELAY = 2 * 24 * 3600;

/** From now on the contracts belong to a timelock that `dao` proposes to and anyone executes. */
async function handOver(world) {
  const { ethers, dao } = world;
  world.timelock = await ethers.deployContract("TimelockController", [DELAY, [dao], [NOBODY], NOBODY]);
  for (const contract of [world.coordinator, world.registry]) {
    await contract.connect(dao).transferOwnership(world.timelock);
  }
}

const call = (contract, name, args) => [
  contract.target,
  0n,
  contract.interface.encodeFunctionData(name, args),
];

/** Schedules calls as one batch; returns how to execute it. */
async function schedule(world, calls) {
  const batch = [calls.map((c) => c[0]), calls.map((c) => c[1]), calls.map((c) => c[2]), ZERO, ZERO];
  await world.timelock.connect(world.dao).scheduleBatch(...batch, DELAY);
  return () => world.send(world.timelock.connect(world.anyone).executeBatch(...batch));
}

test("test_timelock__create_task__funds_it_from_the_treasury_after_the_delay", async () => {
  const world = await World.create();
  await handOver(world);
  const { coordinator, distributor, token } = world;
  await token.connect(world.dao).transfer(world.timelock, ether("1000"));
  const rules = { superlink: world.superlink.address, ...RULES };
  const execute = await schedule(world, [
    call(token, "approve", [distributor.target, ether("600")]),
    call(coordinator, "createTask", [rules, ether("600")]),
  ]);
  await world.reverts(execute(), world.timelock, "TimelockUnexpectedOperationState");
  await world.pass(DELAY);
  await execute();
  assert.equal(await coordinator.taskCount(), 1n);
  assert.equal(await distributor.fundedOf(1), ether("600"));
  assert.equal(await token.balanceOf(world.timelock), ether("400"));
});

test("test_timelock__wind_down__pause_wait_close_refund", async () => {
  const world = await World.create();
  await world.createTask();
  await handOver(world);
  const { coordinator, token } = world;
  await world.open();
  const pause = await schedule(world, [call(coordinator, "pause", [])]);
  const close = await schedule(world, [
    call(coordinator, "closeTask", [world.task, world.timelock.target]),
    call(coordinator, "unpause", []),
  ]);
  await world.pass(DELAY);
  await pause();
  await world.reverts(close(), coordinator, "RoundsInFlight");
  await world.abort(1);
  await close();
  assert.equal(await token.balanceOf(world.timelock), ether("1000"));
  assert.equal(await coordinator.paused(), false);
});

test("test_timelock__frozen_round__resolved_by_the_dao_only", async () => {
  const world = await World.create();
  await world.createTask({ resolvePeriod: DELAY + 3600 });
  await handOver(world);
  const { coordinator, token } = world;
  await world.posted(1);
  await world.challenge(1);
  await world.reverts(world.resolve(1, false), coordinator, "OwnableUnauthorizedAccount");
  const execute = await schedule(world, [call(coordinator, "resolve", [world.task, 1, true])]);
  await world.pass(DELAY);
  await execute();
  assert.equal(await world.phase(1), Phase.Posted);
  assert.equal(await token.balanceOf(world.timelock), ether("5"));
});
