/** Tells the chain's time: the API's clock or the newest block's time, whichever is later. */

let skew = 0; // ms that the API's clock is ahead of this machine's
// A quiet chain's newest block is old, and the blocks of a test may be ahead of every clock.
let head = { time: 0, heardAt: 0 }; // the newest block: seconds; ms

/** Takes the API's time: the date of an HTTP answer, or milliseconds. */
export function hearTime(date) {
  const time = typeof date === "number" ? date : Date.parse(date ?? "");
  // The header has whole seconds: correct only what is more than its rounding.
  if (Number.isFinite(time) && Math.abs(time - Date.now() - skew) > 1500) skew = time - Date.now();
}

/** Takes the newest block's time, in seconds. */
export function hearBlock(time) {
  if (time !== head.time) head = { time, heardAt: performance.now() };
}

/** Returns the chain's time now, in seconds. */
export function getChainTime() {
  const sinceBlock = head.time + (performance.now() - head.heardAt) / 1000;
  return Math.max((Date.now() + skew) / 1000, head.time ? sinceBlock : 0);
}
