// Compiles each contract by itself, so that neither caches nor neighbours can change its bytecode, with the
// settings of hardhat.config.js. Run as script/abi.
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, join } from "node:path";

import config from "../hardhat.config.js";

const TABLE = "dao/chain/contract_table.py"; // its rows name the contracts
const OUTSIDE = { TimelockController: "@openzeppelin/contracts/governance/TimelockController.sol" };
const TARGET = "dao/chain/abi";
const CACHE = "build/abi";

const require = createRequire(import.meta.url);
let compiler; // 0.5 s to load: only when something has changed

function contractNames() {
    const rows = readFileSync(TABLE, "utf8").matchAll(/ContractRow\(\s*"\w+",\s*"(\w+)"/g);
    const names = [...rows].map(([, name]) => name);
    if (!names.length) throw new Error(`${TABLE}: has no row ContractRow("field", "Name", …)`);
    return names;
}

function findSources(folder, found = {}) {
    for (const entry of existsSync(folder) ? readdirSync(folder, { withFileTypes: true }) : []) {
        const path = join(folder, entry.name);
        if (entry.isDirectory()) findSources(path, found);
        else if (entry.name.endsWith(".sol")) found[basename(entry.name, ".sol")] = path;
    }
    return found;
}

function read(unit) {
    const path = unit.startsWith("@") ? join("node_modules", unit) : unit;
    if (!existsSync(path)) throw new Error(`${unit}: imported, but there is no such file`);
    return readFileSync(path, "utf8");
}

// All that a source unit imports, itself included, sorted: {name: {content}}.
function closure(unit, sources = {}) {
    if (unit in sources) return sources;
    const content = read(unit);
    sources[unit] = { content };
    for (const [, target] of content.matchAll(/^\s*(?:import|\}\s*from)\b[^"';]*["']([^"']+)["']/gm)) {
        closure(target.startsWith(".") ? join(unit, "..", target) : target, sources);
    }
    return Object.fromEntries(Object.entries(sources).sort());
}

function compile(unit, name) {
    const { version, settings } = config.solidity.profiles.default;
    const input = JSON.stringify({
        language: "Solidity",
        sources: closure(unit),
        settings: { ...settings, outputSelection: { [unit]: { [name]: ["abi", "evm.bytecode.object"] } } },
    });
    const cached = join(CACHE, createHash("sha256").update(version).update(input).digest("hex") + ".json");
    if (existsSync(cached)) return readFileSync(cached, "utf8");

    compiler ??= require("solc");
    if (!compiler.version().startsWith(version)) {
        throw new Error(`solc is ${compiler.version()}, hardhat.config.js wants ${version}`);
    }
    const output = JSON.parse(compiler.compile(input));
    const errors = (output.errors ?? []).filter((e) => e.severity === "error");
    if (errors.length) throw new Error(errors.map((e) => e.formattedMessage).join("\n"));
    const contract = output.contracts[unit]?.[name];
    if (!contract) throw new Error(`${unit}: has no contract ${name}`);
    const bytecode = contract.evm.bytecode.object;
    if (bytecode.includes("__$")) throw new Error(`${name}: needs a linked library, which is not supported`);
    const text = JSON.stringify({ abi: contract.abi.map(sortKeys), bytecode: "0x" + bytecode }) + "\n";
    mkdirSync(CACHE, { recursive: true });
    writeFileSync(cached, text);
    return text;
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

function main(args) {
    const check = args.includes("--check");
    const unknown = args.filter((a) => a !== "--check");
    if (unknown.length) throw new Error(`unknown option ${unknown[0]} (there is --check)`);

    const found = findSources("contracts");
    const wanted = {};
    for (const name of contractNames()) {
        const unit = OUTSIDE[name] ?? found[name];
        if (!unit) throw new Error(`${name}: has a row in ${TABLE} and no source in contracts/`);
        wanted[name + ".json"] = compile(unit, name);
    }

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
    process.exitCode = main(process.argv.slice(2));
} catch (error) {
    console.error(`abi: ${error.message}`);
    process.exitCode = 1;
}
