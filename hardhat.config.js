import { readFileSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";

import hardhatEthers from "@nomicfoundation/hardhat-ethers";
import hardhatNodeTestRunner from "@nomicfoundation/hardhat-node-test-runner";
import { defineConfig } from "hardhat/config";

const require = createRequire(import.meta.url);

const fsPermissions = { readDirectory: ["tests/vectors"] };
const fuzz = { runs: 256, seed: "0xc0ffee" };

const TABLE = "dao/chain/contract_table.py"; // its rows name the contracts
const TIMELOCK = "@openzeppelin/contracts/governance/TimelockController.sol";

const sources = readdirSync("contracts", { recursive: true }).map((file) => `contracts/${file}`);

/** What is deployed: the tests and script/abi take the bytecode that these sources are compiled to. */
export const DEPLOYED = listDeployed();

function listDeployed() {
  const names = readFileSync(TABLE, "utf8").matchAll(/ContractRow\(\s*"\w+",\s*"(\w+)"|"(\w+Prover)"/g);
  return Array.from(names, ([, row, prover]) => {
    const name = row ?? prover;
    const source = [...sources, TIMELOCK].find((path) => path.endsWith(`/${name}.sol`));
    if (!source) throw new Error(`${name}: has a row in ${TABLE} and no source in contracts/`);
    return source;
  });
}

const compiler = (viaIR) => ({
  version: "0.8.30",
  // the compiler comes from npm with the rest: nothing is downloaded
  path: require.resolve("solc/soljson.js"),
  settings: {
    evmVersion: "cancun",
    optimizer: { enabled: true, runs: 200 },
    viaIR,
    metadata: { bytecodeHash: "none", appendCBOR: false },
  },
});

export default defineConfig({
  plugins: [hardhatEthers, hardhatNodeTestRunner],
  solidity: {
    profiles: {
      default: {
        // tests: they deploy what is compiled below, so they can be compiled the quick way
        compilers: [compiler(false)],
        // Settings of its own for each, for Hardhat compiles files together that share theirs: so neither caches nor
        // neighbours can change a bytecode.
        overrides: Object.fromEntries(DEPLOYED.map((source) => [source, compiler(true)])),
      },
    },
    npmFilesToBuild: [TIMELOCK],
  },
  paths: {
    sources: "contracts",
    tests: { nodejs: "tests/contracts", solidity: "tests/contracts" },
    artifacts: "build/artifacts",
    cache: "build/cache",
  },
  test: {
    solidity: {
      profiles: {
        default: { fuzz, fsPermissions, invariant: { runs: 64, depth: 80, failOnRevert: false } },
      },
    },
  },
});
