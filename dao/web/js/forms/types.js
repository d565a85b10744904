/** Knows the types of fields: how what was typed becomes the API's value, and what is expected. */

import { formatDuration, formatExactTokens } from "../format.js";
import { parseDigest, parseSeconds, parseTokens } from "../parse.js";
import { getSymbol } from "../store.js";

const ADDRESS = /^0x[0-9a-fA-F]{40}$/;
function parseDigests(text) {
  const digests = text.trim().split(/\s+/).map(parseDigest);
  return digests.includes(null) ? null : digests;
}
const parseNumber = (digits) => (text) => (/^\d+$/.test(text) && text.length <= digits ? Number(text) : null);

/**
 * The types. `parse(text)` returns the API's value, or null for what cannot be read; `write(value)` returns
 * what to type for it; `getExpected()` says what is expected, `explain(value)` what was read, and `inputMode`
 * is a keyboard's.
 */
export const TYPES = {
  tokens: {
    parse: parseTokens,
    write: formatExactTokens,
    inputMode: "decimal",
    getExpected: () => `an amount of ${getSymbol()} such as 1.5 or 1,000, at most 18 decimals`,
  },
  duration: {
    parse: parseSeconds,
    write: (seconds) => `${seconds} s`,
    hint: "such as 90 s, 10 min, 2 h, 3 days",
    explain: (seconds) => `${formatDuration(seconds)} (${seconds} seconds)`,
  },
  count: { parse: parseNumber(15), write: String, inputMode: "numeric", getExpected: () => "a whole number" },
  task: { parse: parseNumber(9), write: String },
  address: {
    parse: (text) => (ADDRESS.test(text) ? text : null),
    write: String,
    getExpected: () => "an address: 0x and 40 hex digits",
  },
  digest: { parse: parseDigest, write: String, hint: "0x and 64 hex digits, or the content's CID" },
  digests: {
    parse: parseDigests,
    write: (digests) => digests.join(" "),
    hint: "0x and 64 hex digits each, separated by spaces",
  },
  yes: { parse: (text) => text === "yes", write: (value) => (value ? "yes" : "") },
  finding: {
    parse: (text) => ({ right: true, wrong: false })[text] ?? null,
    write: (value) => (value ? "right" : "wrong"),
  },
  choice: { parse: (text) => text || null, write: String },
  text: { parse: (text) => text || null, write: String },
};

/** Returns the type of a field by its name, which ends in its unit, and its JSON Schema. */
export function findType(name, schema) {
  if (name.endsWith("_wei")) return "tokens";
  if (name.endsWith("_seconds")) return "duration";
  if (schema.enum) return "choice";
  if (schema.type === "boolean") return "yes";
  if (schema.type === "integer") return "count";
  const accepts = (length) => schema.pattern && new RegExp(schema.pattern).test(`0x${"0".repeat(length)}`);
  if (accepts(40)) return "address";
  return accepts(64) ? "digest" : "text";
}
