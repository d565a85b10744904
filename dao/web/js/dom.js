/**
 * Builds nodes and brings shown nodes up to date. Whatever comes from outside enters as text, never as markup, and no
 * style attribute is written: the page runs under `default-src 'self'`.
 */

const SVG = "http://www.w3.org/2000/svg";
const SVG_TAGS = new Set(["svg", "rect", "circle", "line", "path", "g", "title"]);
const HANDLERS = ["onclick", "onsubmit", "oninput", "onchange", "onkeydown"];
// what the reader has set, and what elements write themselves
const KEPT = new Set(["open", "style"]);

/** Makes an element. `props`: on… are handlers, `model` is what a custom element draws, false or null leaves out. */
export function h(tag, props, ...children) {
  const node = SVG_TAGS.has(tag) ? document.createElementNS(SVG, tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on") || name === "model") node[name] = value;
    else if (name === "style") throw new Error("style: expected a class");
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  node.append(...children.flat(Infinity).filter(isShown).map(nodeOf));
  return node;
}

function isShown(child) {
  return child !== null && child !== undefined && child !== false && child !== "";
}

// what turns the direction of the text after it: with that a title could show its neighbours backwards
const TURNS = /[\u202a-\u202e\u2066-\u2069]/g;

/** A text of others, without what would turn the text around it. */
export function plain(text) {
  return String(text).replace(TURNS, "");
}

function nodeOf(child) {
  return child instanceof Node ? child : document.createTextNode(plain(child));
}

/** Makes what is shown equal to `fresh` in place, so that focus, typed text and open details stay. */
function morph(shown, fresh) {
  if (shown.nodeName !== fresh.nodeName || keyOf(shown) !== keyOf(fresh)) {
    shown.replaceWith(fresh);
    return;
  }
  if (shown.nodeType === Node.TEXT_NODE) {
    if (shown.data !== fresh.data) shown.data = fresh.data;
    return;
  }
  morphAttributes(shown, fresh);
  for (const name of HANDLERS) if (shown[name] !== fresh[name]) shown[name] = fresh[name];
  if (fresh.model !== undefined) shown.model = fresh.model;
  else morphChildren(shown, fresh);
}

/** Brings an element's children up to date with a list of nodes. */
export function show(parent, ...nodes) {
  const holder = document.createElement(parent.nodeName);
  holder.append(...nodes.flat(Infinity).filter(isShown).map(nodeOf));
  morphChildren(parent, holder);
}

function keyOf(node) {
  return node.nodeType === Node.ELEMENT_NODE ? node.getAttribute("data-key") : null;
}

function morphAttributes(shown, fresh) {
  for (const { name, value } of fresh.attributes) {
    if (!KEPT.has(name) && shown.getAttribute(name) !== value) shown.setAttribute(name, value);
  }
  for (const { name } of [...shown.attributes]) {
    if (!fresh.hasAttribute(name) && !KEPT.has(name)) shown.removeAttribute(name);
  }
}

function morphChildren(shown, fresh) {
  const keyed = new Map();
  for (const child of shown.childNodes) if (keyOf(child)) keyed.set(keyOf(child), child);
  let place = shown.firstChild;
  for (const wanted of [...fresh.childNodes]) {
    const key = keyOf(wanted);
    const known = key ? keyed.get(key) : place && !keyOf(place) ? place : null;
    if (!known || known.nodeName !== wanted.nodeName) {
      shown.insertBefore(wanted, place);
      continue;
    }
    if (known === place) place = place.nextSibling;
    else shown.insertBefore(known, place);
    morph(known, wanted);
  }
  while (place) {
    const next = place.nextSibling;
    place.remove();
    place = next;
  }
}
