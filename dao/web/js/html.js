/** Binds htm to preact: components are written as tagged templates, and every text in them stays text. */

import htm from "../vendor/htm/htm.mjs";
import { h } from "../vendor/preact/preact.mjs";

export { createContext, render } from "../vendor/preact/preact.mjs";
export * from "../vendor/preact/hooks.mjs";

// Characters that turn the direction of the text after them: a title with one could show its neighbours reversed.
const TURNS = /[\u202a-\u202e\u2066-\u2069]/g;

/** Removes from a stranger's text what would turn the text around it. */
export function removeTurns(text) {
  return text.replace(TURNS, "");
}

function cleanChild(child) {
  if (typeof child === "string") return removeTurns(child);
  return Array.isArray(child) ? child.map(cleanChild) : child;
}

function createElement(type, props, ...children) {
  return h(type, props, ...children.map(cleanChild));
}

/** Makes virtual nodes of a template, as in html`<p class="soft">${text}</p>`. */
export const html = htm.bind(createElement);
