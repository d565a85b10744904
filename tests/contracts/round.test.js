import assert from "node:assert/strict";
import { test } from "node:test";

import { Phase, World, ether } from "./fixture.js";
import { Accounts } from "./trees.js";

test("test_round__normal__pays_its_nodes", async () => {
  const world = await World.create();
  await world.createTask();
  const { coordinator, distributor, token, task, nodes } = world;
  await world.open();
  await world.close(1);
  const tree = new Accounts({
    [nodes[0].owner.address]: ether("7"),
    [nodes[1].owner.address]: ether("3"),
  });
  const rewards = { accountsRoot: tree.root, rewardTotal: tree.total };
  await world.post(1, rewards);
  await world.pass(600);
  await world.finalize(1, rewards);
  assert.equal(await world.phase(1), Phase.Finalized);
  assert.equal((await coordinator.taskOf(task)).head, 1n);
  for (const [node, amount] of [
    [nodes[0], ether("7")],
    [nodes[1], ether("3")],
  ]) {
    await distributor.claim(task, ...tree.claim(node.owner.address));
    assert.equal(await token.balanceOf(node.owner), amount);
  }
});
