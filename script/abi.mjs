// Compiles the contracts that are deployed, as hardhat.config.js says, and keeps ABI and bytecode of each for Python. Run
// as script/abi. The tests run the same bytecode, and the compiler only where Hardhat's cache has none of these sources.
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { basename, join, resolve } from "node:path";

import hre from "hardhat";

import { DEPLOYED } from "../hardhat.config.js";

const TARGET = "dao/chain/abi";

async function compile() {
    const roots = DEPLOYED.map((source) => (source.startsWith("@") ? `npm:${source}` : resolve(source)));
    await hre.tasks.getTask("build").run({ files: roots, quiet: true });
    const files = {};
    for (const source of DEPLOYED) {
        const name = basename(source, ".sol");
        files[name + ".json"] = text(name, await hre.artifacts.readArtifact(`${source}:${name}`));
    }
    return files;
}

function text(name, { abi, bytecode }) {
    if (bytecode.includes("__$")) throw new Error(`${name}: needs a linked library, which is not supported`);
    return JSON.stringify({ abi: abi.map(sortKeys), bytecode }) + "\n";
}

function sortKeys(value) {
    if (Array.isArray(value)) return value.map(sortKeys);
    if (value === null || typeof value !== "object") return value;
    return Object.fromEntries(
        Object.keys(value)
            .sort()
            .map((key) => [key, sortKeys(value[key])]),
    );
}

async function main(args) {
    const check = args.includes("--check");
    const unknown = args.filter((a) => a !== "--check");
    if (unknown.length) throw new Error(`unknown option ${unknown[0]} (there is --check)`);

    const wanted = await compile();
    mkdirSync(TARGET, { recursive: true });
    const present = readdirSync(TARGET).filter((file) => file.endsWith(".json"));
    const stale = present.filter((file) => !(file in wanted));
    const changed = Object.keys(wanted).filter(
        (file) => !present.includes(file) || readFileSync(join(TARGET, file), "utf8") !== wanted[file],
    );
    if (check) {
        for (const file of changed)
            console.error(`abi: ${TARGET}/${file} differs from its source: run script/abi`);
        for (const file of stale) console.error(`abi: ${TARGET}/${file} has no source: run script/abi`);
        return changed.length + stale.length ? 1 : 0;
    }
    for (const file of changed) writeFileSync(join(TARGET, file), wanted[file]);
    for (const file of stale) rmSync(join(TARGET, file));
    console.log(
        `abi: ${Object.keys(wanted).length} contracts, ${changed.length + stale.length} files changed`,
    );
    return 0;
}

try {
    process.exitCode = await main(process.argv.slice(2));
} catch (error) {
    console.error(`abi: ${error.message}`);
    process.exitCode = 1;
}
