// The sha256 trees of docs/protocol.md, for the JavaScript tests of the contracts.
import { createHash } from "node:crypto";

import { concat, solidityPacked } from "ethers";

export const ZERO = "0x" + "00".repeat(32);
export const ROWS_DEPTH = 20;
const NONE = 0xffffffff; // index of what is not there

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

/** The tree of accounts of docs/protocol.md, by owner; what claims do not read is nothing. */
export class Accounts {
  constructor(cumulative) {
    const lower = (owner) => owner.toLowerCase();
    this.owners = Object.keys(cumulative).sort((a, b) => (lower(a) < lower(b) ? -1 : 1));
    this.total = 0n;
    this.leaves = this.owners.map((owner) => {
      this.total += cumulative[owner];
      const types = ["address", "uint128", "uint64", "int64", "uint128", "uint32"];
      return solidityPacked(types, [owner, cumulative[owner], 0, 0, this.total, NONE]);
    });
    this.tree = new BodyTree(this.leaves, ROWS_DEPTH);
    this.root = this.tree.root;
  }

  claim(owner) {
    const index = this.owners.indexOf(owner);
    return [this.leaves[index], index, this.tree.proof(index)];
  }
}
