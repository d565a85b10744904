import { createRequire } from "node:module";

import hardhatEthers from "@nomicfoundation/hardhat-ethers";
import hardhatNodeTestRunner from "@nomicfoundation/hardhat-node-test-runner";
import { defineConfig } from "hardhat/config";

const require = createRequire(import.meta.url);

const fuzz = { runs: 256, seed: "0xc0ffee" };

export default defineConfig({
  plugins: [hardhatEthers, hardhatNodeTestRunner],
  solidity: {
    profiles: {
      default: {
        version: "0.8.30",
        // the compiler comes from npm with the rest: nothing is downloaded
        path: require.resolve("solc/soljson.js"),
        settings: {
          evmVersion: "cancun",
          optimizer: { enabled: true, runs: 200 },
          viaIR: false,
          metadata: { bytecodeHash: "none", appendCBOR: false },
        },
      },
    },
    npmFilesToBuild: ["@openzeppelin/contracts/governance/TimelockController.sol"],
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
        default: { fuzz, invariant: { runs: 64, depth: 64, failOnRevert: false } },
        // by hand, see docs/contracts.md
        long: { fuzz, invariant: { runs: 10_000, depth: 32, failOnRevert: false } },
      },
    },
  },
});
