/** Draws the small parts of every view: amounts, times, marks, figures, sections, notices. */

import { formatCount, formatMoment, formatTokens, shorten } from "../format.js";
import { html, useState } from "../html.js";
import { useStore } from "../store.js";
import { cleanText, cutText } from "../text.js";

const COPIED = 2000; // ms for which a button says that it has copied

/** A dash where there is no value. */
export function Nothing() {
  return html`<span class="soft">–</span>`;
}

/** An amount of tokens; all of its wei when pointed at. */
export function Amount({ wei }) {
  const { network } = useStore();
  if (wei === null || wei === undefined) return html`<${Nothing} />`;
  const unit = ` ${network?.symbol ?? "tokens"}`;
  return html`
    <span class="number" title="${wei} wei">${formatTokens(wei)}<span class="unit">${unit}</span></span>
  `;
}

/** A time of the chain. */
export function Moment({ at }) {
  if (!at) return html`<${Nothing} />`;
  return html`<time datetime=${new Date(at * 1000).toISOString()}>${formatMoment(at)}</time>`;
}

/** A word with a colour and a shape: `tone` is good, bad, warn, busy or plain. */
export function Mark({ tone = "plain", children }) {
  return html`<span class="mark ${tone}">${children}</span>`;
}

/** A sentence or two that ask for attention. */
export function Notice({ tone = "plain", children }) {
  return html`<p class="notice ${tone}">${children}</p>`;
}

/** A text that may be long: all of it is one click away when it has more than `limit` characters. */
export function LongText({ text, limit }) {
  const clean = cleanText(text);
  const begin = cutText(clean, limit);
  if (begin === null) return clean;
  return html`
    <details class="long">
      <summary>${begin}… <span class="whole">All ${formatCount([...clean].length)} characters</span></summary>
      ${clean}
    </details>
  `;
}

/** A button that puts a text into the clipboard; nothing where the browser has none (a page without https). */
export function CopyButton({ text, name }) {
  const [isCopied, setCopied] = useState(false);
  if (!navigator.clipboard) return null;
  const copy = async () => {
    await navigator.clipboard.writeText(text).then(
      () => setCopied(true),
      () => setCopied(false),
    );
    setTimeout(() => setCopied(false), COPIED);
  };
  return html`
    <button type="button" class="copy" onClick=${copy} aria-label="Copy ${name}">
      ${isCopied ? "copied" : "copy"}
    </button>
  `;
}

/** A hash or transaction, shortened; all of it when pointed at, and to be copied. */
export function Hash({ hex, name }) {
  if (!hex) return html`<${Nothing} />`;
  return html`
    <span class="hash"><code title=${hex}>${shorten(hex)}</code><${CopyButton} text=${hex} name=${name} /></span>
  `;
}

/** A list of Figures, side by side. */
export function Figures({ children }) {
  return html`<dl class="figures">${children}</dl>`;
}

/** A value under its name, with a note below where there is one. */
export function Figure({ name, note = null, children }) {
  return html`
    <div>
      <dt>${name}</dt>
      <dd>${children}${note && html`<small>${note}</small>`}</dd>
    </div>
  `;
}

/** Exact values under their names: `values` are [name, value], or [name, value, isCode = true]. */
export function ExactList({ values }) {
  return html`
    <dl class="exact">
      ${values.map(
        ([name, value, isCode = true]) => html`
          <div key=${name}>
            <dt>${name}</dt>
            <dd>
              ${isCode ? html`<code>${value}</code><${CopyButton} text=${value} name=${name} />` : value}
            </dd>
          </div>
        `,
      )}
    </dl>
  `;
}

/** A section under a heading of its own. */
export function Section({ heading, children }) {
  const id = `h-${heading.toLowerCase().replace(/[^a-z0-9]+/g, "-")}`;
  return html`
    <section aria-labelledby=${id}>
      <h2 id=${id}>${heading}</h2>
      ${children}
    </section>
  `;
}

/** Says that a list is longer than what is shown of it; `noun` as in "votes". */
export function MoreInApi({ page, noun }) {
  if (!page.next) return null;
  return html`
    <p class="soft small">The first ${formatCount(page.items.length)} ${noun}; the API lists all.</p>
  `;
}
