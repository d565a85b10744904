/** Writes values as people read them: tokens, lengths of time, percent, losses, short addresses. */

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

/** Writes a whole number: "12,345". */
export function formatCount(number) {
  return WHOLE.format(number);
}

/** Writes a number with its noun: "1 vote", "3 votes". */
export function formatPlural(number, noun) {
  return `${formatCount(number)} ${noun}${Number(number) === 1 ? "" : "s"}`;
}

/** Writes wei as tokens with at most four decimals: "1,250.5", "under 0.0001". */
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

/** Writes wei as tokens with all decimals, for forms: "0.000000000000000001". */
export function formatExactTokens(wei) {
  const digits = String(BigInt(wei)).padStart(19, "0");
  return `${digits.slice(0, -18)}.${digits.slice(-18)}`.replace(/\.?0+$/, "");
}

/** Returns wei as tokens, to draw; null for null. */
export function toTokens(wei) {
  return wei === null ? null : Number(wei) / Number(UNIT);
}

/** Returns a whole number that may be large, such as wei, to compare; null where there is none. */
export function toWhole(value) {
  return value === null || value === undefined ? null : BigInt(value);
}

/** Writes a number to four figures: "0.1235", "1234". */
export function formatFigures(value) {
  return String(Number(value.toPrecision(4)));
}

/** Writes a length of time in its two largest units: "2 days 3 h", "4 min 5 s", "12 s". */
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

/**
 * Writes a time of the chain in the time zone of the browser, which it names: "24 Nov 2026, 15:36:07 UTC".
 */
export function formatMoment(seconds) {
  return MOMENT.format(new Date(seconds * 1000));
}

/** Writes a part of a whole, both in wei, as percent with at most one decimal. */
export function formatPercent(part, whole) {
  const total = BigInt(whole);
  if (total === ZERO) return "0 %";
  return `${Number((BigInt(part) * 1000n) / total) / 10} %`;
}

/** Returns a part of a whole, both in wei, as a number from 0 to 1. */
export function computeRatio(part, whole) {
  const total = BigInt(whole);
  return total === ZERO ? 0 : Math.min(1, Number((BigInt(part) * 100000n) / total) / 100000);
}

/** Writes millionths of a loss, or of a metric: "0.012345". */
export function formatLoss(micros) {
  const text = (Math.abs(micros) / 1e6).toFixed(6).replace(/0+$/, "").replace(/\.$/, "");
  return (micros < 0 ? "−" : "") + text;
}

/** Writes a change by millionths of a loss, with its sign: "+0.012345". */
export function formatChange(micros) {
  return (micros > 0 ? "+" : "") + formatLoss(micros);
}

/** Writes the size of a change of the loss to two figures: "0.12", "0.0057". */
export function formatRough(micros) {
  if (!micros) return "0";
  const digits = Number((Math.abs(micros) / 1e6).toPrecision(2));
  return digits.toFixed(6).replace(/0+$/, "").replace(/\.$/, "");
}

/** Says what something did to the loss, from what it took off it: "lowered the loss by 0.12". */
export function describeGain(micros) {
  if (!micros) return "did not move the loss";
  return `${micros > 0 ? "lowered" : "raised"} the loss by ${formatRough(micros)}`;
}

/** Shortens hex digits or a number to its ends: "0x709979…79C8". */
export function shorten(hex) {
  return hex.length > 16 ? `${hex.slice(0, 8)}…${hex.slice(-4)}` : hex;
}

/** Tells whether two spellings are one address. */
export function isSameAddress(one, other) {
  return one.toLowerCase() === other.toLowerCase();
}

/** Makes the first letter a capital. */
export function capitalize(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
