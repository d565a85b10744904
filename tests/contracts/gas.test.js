// What a normal round costs on chain: at most 250,000 gas from the second round on, for any number of Supernodes.
import assert from "node:assert/strict";
import { test } from "node:test";

import { World } from "./fixture.js";

const LIMIT = 250_000n;

for (const count of [5, 50]) {
  test(`test_gas__normal_round_of_${count}__within_limit`, async (t) => {
    const world = await World.create();
    await world.createTask({ count });
    const totals = [];
    for (let round = 1; round <= 4; round++) {
      const receipts = await world.posted(round);
      await world.pass(600);
      receipts.push(await world.finalize(round));
      const gas = receipts.map((receipt) => receipt.gasUsed);
      totals.push(gas.reduce((a, b) => a + b));
      t.diagnostic(
        `round ${round}: openRound ${gas[0]}, closeCommits ${gas[1]}, postResult ${gas[2]}, finalize ${gas[3]}: ${totals.at(-1)}`,
      );
    }
    for (const total of totals.slice(1)) assert(total <= LIMIT, `${total} gas`);
  });
}
