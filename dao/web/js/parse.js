/** Reads what people type: amounts of tokens, lengths of time, digests. */

const UNITS = {
  s: 1,
  sec: 1,
  second: 1,
  min: 60,
  minute: 60,
  h: 3600,
  hour: 3600,
  d: 86400,
  day: 86400,
  week: 604800,
};
const BASE32 = "abcdefghijklmnopqrstuvwxyz234567";

/**
 * Returns wei as decimal text, or null for what is no amount of tokens with at most 18 decimals. Commas are
 * taken only where they part thousands: to many readers "1,5" is one and a half.
 */
export function parseTokens(text) {
  const match = /^(\d{1,3}(?:,\d{3}){1,12}|\d{1,40})(?:\.(\d{1,18}))?$/.exec(text.trim());
  return match && String(BigInt(match[1].replaceAll(",", "") + (match[2] ?? "").padEnd(18, "0")));
}

/**
 * Returns seconds from "90 s", "10 min", "2 h", "3 days" or a bare number of them; null for anything else.
 */
export function parseSeconds(text) {
  const match = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/.exec(text.trim().toLowerCase());
  if (!match) return null;
  const unit = UNITS[match[2] || "s"] ?? UNITS[match[2].replace(/s$/, "")];
  return unit ? Math.round(Number(match[1]) * unit) : null;
}

/**
 * Returns a sha-256 digest as 0x and hex digits, from these or from a CIDv1 in base32; null for anything
 * else.
 */
export function parseDigest(text) {
  if (/^0x[0-9a-fA-F]{64}$/.test(text)) return text.toLowerCase();
  if (!/^b[a-z2-7]{58}$/.test(text)) return null;
  let bits = 0n;
  for (const letter of text.slice(1)) bits = (bits << 5n) | BigInt(BASE32.indexOf(letter));
  const hex = (bits >> 2n).toString(16).padStart(72, "0"); // 58 letters hold 36 bytes and 2 bits
  return /^01(55|70)1220/.test(hex) ? `0x${hex.slice(8)}` : null;
}
