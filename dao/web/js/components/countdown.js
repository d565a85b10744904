/** Shows how much of a time of the chain has passed, and how much is left. */

import { getChainTime } from "../clock.js";
import { formatDuration } from "../format.js";
import { html, useEffect, useState } from "../html.js";
import { refreshPage } from "../page_loader.js";

const AGAIN = 5; // seconds after which a view is loaded again while its time is over
const tickers = new Set();
setInterval(() => tickers.forEach((tick) => tick()), 1000);

/** Returns the chain's time in seconds, and draws the component again every second. */
export function useChainTime() {
  const [, setTick] = useState(0);
  useEffect(() => {
    const tick = () => setTick((count) => count + 1);
    tickers.add(tick);
    return () => tickers.delete(tick);
  }, []);
  return getChainTime();
}

/**
 * The time left until `until`, as in "4 min 5 s left"; then `over`, and the view is loaded again until it
 * shows what came.
 */
export function TimeLeft({ until, after = "left", over = "time is over" }) {
  const left = until - useChainTime();
  const turn = left > 0 ? null : Math.floor(-left / AGAIN);
  useEffect(() => {
    if (turn !== null) refreshPage();
  }, [turn]);
  const words = left > 0 ? `${formatDuration(Math.ceil(left))} ${after}` : over;
  return html`<span class="time-left">${words}</span>`;
}

/** A bar of how much of the time between `from` and `until` has passed. */
export function TimeBar({ from, until, label }) {
  const length = Math.max(1, until - from);
  const passed = Math.min(length, Math.max(0, useChainTime() - from));
  return html`<progress max=${length} value=${passed} aria-label=${label} />`;
}
