/** Pieces that several views are made of: amounts, addresses, tables, marks, bars, notices. */

import { h } from "./dom.js";
import { count, moment, ratio, short, tokens } from "./format.js";
import { symbol } from "./state.js";

/** An amount of tokens; all of its wei when pointed at. */
export function amount(wei) {
  if (wei === null || wei === undefined) return h("span", { class: "soft" }, "–");
  return h(
    "span",
    { class: "number", title: `${wei} wei` },
    tokens(wei),
    h("span", { class: "unit" }, ` ${symbol()}`),
  );
}

/** An address with its own small picture, whole when pointed at; a link to `href` where there is one. */
export function who(address, href = null) {
  if (!address) return h("span", { class: "soft" }, "nobody");
  const inside = [picture(address), h("code", {}, short(address))];
  return href
    ? h("a", { class: "who", href, title: address }, inside)
    : h("span", { class: "who", title: address }, inside);
}

/** A picture of five by five fields that differs between addresses: an aid to the eye, not a proof. */
export function picture(address) {
  const digits = address.toLowerCase().replace(/^0x/, "").padEnd(40, "0");
  const hue = parseInt(digits.slice(0, 4), 16) % 360;
  const fields = [];
  for (let x = 0; x < 3; x++) {
    for (let y = 0; y < 5; y++) {
      if (parseInt(digits[4 + x * 5 + y], 16) < 8) continue;
      const columns = x === 2 ? [2] : [x, 4 - x];
      for (const column of columns) fields.push(h("rect", { x: column, y, width: 1.03, height: 1.03 }));
    }
  }
  return h(
    "svg",
    { class: "picture", viewBox: "-1 -1 7 7", "aria-hidden": "true" },
    h("rect", { x: -1, y: -1, width: 7, height: 7, fill: `hsl(${hue} 32% 50% / 0.16)` }),
    h("g", { fill: `hsl(${hue} 42% 48%)` }, fields),
  );
}

/** A time of the chain. */
export function when(seconds) {
  if (!seconds) return h("span", { class: "soft" }, "–");
  return h("time", { datetime: new Date(seconds * 1000).toISOString() }, moment(seconds));
}

/** A word with a colour and a shape: `tone` is good, bad, warn, busy or plain. */
export function mark(word, tone = "plain") {
  return h("span", { class: `mark ${tone}` }, word);
}

/**
 * A table; `columns`: {head, cell(row), number?, wide?}. At phone width every row becomes a block in which each cell
 * says its column's name.
 */
export function table(caption, columns, rows, { key = null, empty = "Nothing yet." } = {}) {
  if (!rows.length) return h("p", { class: "empty" }, empty);
  const kind = (column) =>
    [column.number && "number", column.wide && "wide"].filter(Boolean).join(" ") || null;
  return h(
    "table",
    { class: "rows", role: "table" },
    h("caption", { class: "unseen" }, caption),
    h(
      "thead",
      { role: "rowgroup" },
      h(
        "tr",
        { role: "row" },
        columns.map((column) =>
          h("th", { scope: "col", role: "columnheader", class: kind(column) }, column.head),
        ),
      ),
    ),
    h(
      "tbody",
      { role: "rowgroup" },
      rows.map((row) =>
        h(
          "tr",
          { role: "row", "data-key": key && key(row) },
          columns.map((column) =>
            h(
              "td",
              { role: "cell", class: kind(column), "data-label": column.head },
              whole(column.cell(row)),
            ),
          ),
        ),
      ),
    ),
  );
}

// one box, so that a cell at phone width has its name on the left and all of the rest on the right
function whole(inside) {
  return Array.isArray(inside) ? h("span", {}, inside) : inside;
}

/** Figures side by side, each with its name. */
export function figures(...pairs) {
  return h(
    "dl",
    { class: "figures" },
    pairs
      .filter(Boolean)
      .map(([name, value, note]) =>
        h("div", {}, h("dt", {}, name), h("dd", {}, value, note && h("small", {}, note))),
      ),
  );
}

/** A section under a heading of its own. */
export function section(heading, ...children) {
  const id = `h-${heading.toLowerCase().replace(/[^a-z0-9]+/g, "-")}`;
  return h("section", { "aria-labelledby": id, "data-key": id }, h("h2", { id }, heading), children);
}

/**
 * A bar of parts of one whole: `parts` are {wei, tone}; `line` is an amount to be reached. The text beside it says the
 * same, so it is hidden from screen readers.
 */
export function bar(parts, whole, line = null) {
  let left = 0;
  const drawn = parts.map(({ wei, tone }) => {
    const width = ratio(wei, whole) * 100;
    const rect = h("rect", {
      x: `${left}%`,
      y: 0,
      width: `${width}%`,
      height: "100%",
      class: `tone-${tone}`,
    });
    left += width;
    return rect;
  });
  const at = line !== null && `${ratio(line, whole) * 100}%`;
  return h(
    "svg",
    { class: "bar", "aria-hidden": "true" },
    h("rect", { x: 0, y: 0, width: "100%", height: "100%", class: "tone-rest" }),
    drawn,
    at && h("line", { x1: at, x2: at, y1: 0, y2: "100%", class: "goal" }),
  );
}

/** Says that a list is longer than what is shown of it; `noun` as in "votes". */
export function rest({ items, next }, noun) {
  return (
    next && h("p", { class: "soft small" }, `The first ${count(items.length)} ${noun}; the API lists all.`)
  );
}

/** One sentence that asks for attention. */
export function notice(sentence, tone = "plain") {
  return h("p", { class: `notice ${tone}` }, sentence);
}

/** A button; `href` makes it a link that looks like one. */
export function button(label, props) {
  return h(
    props.href ? "a" : "button",
    { ...props, type: props.href ? null : (props.type ?? "button") },
    label,
  );
}
