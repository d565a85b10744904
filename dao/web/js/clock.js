/**
 * Time as the chain has it: the later of the API's clock and the newest block's time, which tests and quiet chains may
 * move; and elements that count down to a time of the chain.
 */

import { duration } from "./format.js";

const AGAIN = 5; // seconds between two announcements that a time is over
let skew = 0; // ms that the API's clock is ahead of this machine's
let head = { time: 0, heard: 0 };

/** Takes the time of an HTTP answer. */
export function heardTime(date) {
  const time = Date.parse(date ?? "");
  // the header has whole seconds: correct only what is more than its rounding
  if (Number.isFinite(time) && Math.abs(time - Date.now() - skew) > 1500) skew = time - Date.now();
}

/** Takes the newest block's time, in seconds. */
export function heardBlock(time) {
  if (time !== head.time) head = { time, heard: performance.now() };
}

/** The chain's time now, in seconds. */
export function now() {
  const ofBlock = head.time + (performance.now() - head.heard) / 1000;
  return Math.max((Date.now() + skew) / 1000, head.time ? ofBlock : 0);
}

const ticking = new Set();
setInterval(() => ticking.forEach((element) => element.tick()), 1000);

/** Draws every second while it is on the page; `model` holds what it draws. */
class Ticking extends HTMLElement {
  #model = null;

  get model() {
    return this.#model;
  }

  set model(model) {
    this.#model = model;
    if (this.isConnected) this.tick();
  }

  connectedCallback() {
    ticking.add(this);
    this.tick();
  }

  disconnectedCallback() {
    ticking.delete(this);
  }
}

/** The time left: model {until, after, over}, as in "4 min 5 s left"; announces by `elapsed` that it is over. */
class TimeLeft extends Ticking {
  #announced = 0;

  tick() {
    const { until, after = "left", over = "time is over" } = this.model;
    const left = until - now();
    const text = left > 0 ? `${duration(Math.ceil(left))} ${after}` : over;
    if (this.textContent !== text) this.textContent = text;
    if (left > 0 || now() - this.#announced < AGAIN) return;
    this.#announced = now();
    this.dispatchEvent(new CustomEvent("elapsed", { bubbles: true }));
  }
}

/** How much of a time has passed: model {from, until, label}. */
class TimeBar extends Ticking {
  tick() {
    const { from, until, label } = this.model;
    const bar = this.firstChild ?? this.appendChild(document.createElement("progress"));
    bar.max = Math.max(1, until - from);
    bar.value = Math.min(bar.max, Math.max(0, now() - from));
    bar.setAttribute("aria-label", label);
  }
}

customElements.define("time-left", TimeLeft);
customElements.define("time-bar", TimeBar);
