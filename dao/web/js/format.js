/** Writes numbers with their units: tokens from wei, seconds, percent, scores in loss; and shortens addresses. */

const ZERO = 0n;
const UNIT = 10n ** 18n;
const WHOLE = new Intl.NumberFormat("en-US");
const MOMENT = new Intl.DateTimeFormat("en-GB", {
  day: "numeric",
  month: "short",
  year: "numeric",
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  timeZoneName: "short",
});

/** A whole number as people write it: 12,345. */
export function formatCount(number) {
  return WHOLE.format(number);
}

/** A number and its noun: "1 vote", "3 votes". */
export function formatPlural(number, noun) {
  return `${formatCount(number)} ${noun}${Number(number) === 1 ? "" : "s"}`;
}

/** Tokens from wei, at most four decimals: "1,250.5"; what is smaller is "under 0.0001". */
export function formatTokens(wei) {
  const value = BigInt(wei);
  const size = value < ZERO ? -value : value;
  const tenThousandths = size / (UNIT / 10000n);
  if (size > ZERO && tenThousandths === ZERO) return "under 0.0001";
  const part = String(tenThousandths % 10000n)
    .padStart(4, "0")
    .replace(/0+$/, "");
  return `${value < ZERO ? "−" : ""}${WHOLE.format(tenThousandths / 10000n)}${part && "." + part}`;
}

/** All decimals of an amount, for forms: "0.000000000000000001". */
export function formatExactTokens(wei) {
  const digits = String(BigInt(wei)).padStart(19, "0");
  return `${digits.slice(0, -18)}.${digits.slice(-18)}`.replace(/\.?0+$/, "");
}

/** A length of time in its two largest units: "2 days 3 h", "4 min 5 s", "12 s". */
export function formatDuration(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  const days = Math.floor(whole / 86400);
  const hours = Math.floor((whole % 86400) / 3600);
  const minutes = Math.floor((whole % 3600) / 60);
  if (days) return formatPlural(days, "day") + (hours ? ` ${hours} h` : "");
  if (hours) return `${hours} h` + (minutes ? ` ${minutes} min` : "");
  if (minutes) return `${minutes} min` + (whole % 60 ? ` ${whole % 60} s` : "");
  return `${whole} s`;
}

/** A time of the chain as it is where the reader is, and in which zone: "24 Nov 2026, 15:36:07 UTC". */
export function formatMoment(seconds) {
  return MOMENT.format(new Date(seconds * 1000));
}

/** Part of a whole, both in wei, in percent with at most one decimal. */
export function formatPercent(part, whole) {
  const total = BigInt(whole);
  if (total === ZERO) return "0 %";
  return `${Number((BigInt(part) * 1000n) / total) / 10} %`;
}

/** Part of a whole as a number from 0 to 1, for bars. */
export function computeRatio(part, whole) {
  const total = BigInt(whole);
  return total === ZERO ? 0 : Math.min(1, Number((BigInt(part) * 100000n) / total) / 100000);
}

/** Millionths of a loss: "0.012345". */
export function formatLoss(micros) {
  const text = (Math.abs(micros) / 1e6).toFixed(6).replace(/0+$/, "").replace(/\.$/, "");
  return (micros < 0 ? "−" : "") + text;
}

/** A change by millionths of a loss, with its sign: "+0.012345". */
export function formatChange(micros) {
  return (micros > 0 ? "+" : "") + formatLoss(micros);
}

/** An address by its ends: "0x70997970…79C8". */
export function shorten(hex) {
  return hex.length > 16 ? `${hex.slice(0, 8)}…${hex.slice(-4)}` : hex;
}

/** Whether two spellings are one address. */
export function isSameAddress(one, other) {
  return one.toLowerCase() === other.toLowerCase();
}

/** The first letter as a capital. */
export function capitalize(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
