/** Binds htm to preact: components are written as tagged templates, and every text in them stays text. */

import htm from "../vendor/htm/htm.mjs";
import { h } from "../vendor/preact/preact.mjs";
import { cleanText } from "./text.js";

export { createContext, render } from "../vendor/preact/preact.mjs";
export * from "../vendor/preact/hooks.mjs";

function cleanChild(child) {
  if (typeof child === "string") return cleanText(child);
  return Array.isArray(child) ? child.map(cleanChild) : child;
}

function createElement(type, props, ...children) {
  return h(type, props, ...children.map(cleanChild));
}

/** Makes virtual nodes of a template, as in html`<p class="soft">${text}</p>`. */
export const html = htm.bind(createElement);
