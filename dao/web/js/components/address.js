/** Shows addresses, each with a small picture of its own. */

import { shorten } from "../format.js";
import { html } from "../html.js";

/** An address, whole when pointed at; a link to `href` where there is one. */
export function Address({ address, href = null }) {
  if (!address) return html`<span class="soft">nobody</span>`;
  const inside = html`<${AddressPicture} address=${address} /><code>${shorten(address)}</code>`;
  if (!href) return html`<span class="who" title=${address}>${inside}</span>`;
  return html`<a class="who" href=${href} title=${address}>${inside}</a>`;
}

/** A picture of five by five fields that differs between addresses: an aid to the eye, not a proof. */
export function AddressPicture({ address }) {
  const digits = address.toLowerCase().replace(/^0x/, "").padEnd(40, "0");
  const hue = parseInt(digits.slice(0, 4), 16) % 360;
  return html`
    <svg class="picture" viewBox="-1 -1 7 7" aria-hidden="true">
      <rect x="-1" y="-1" width="7" height="7" fill="hsl(${hue} 32% 50% / 0.16)" />
      <g fill="hsl(${hue} 42% 48%)">
        ${listFields(digits).map(([x, y]) => html`<rect x=${x} y=${y} width="1.03" height="1.03" />`)}
      </g>
    </svg>
  `;
}

/** Returns the fields to fill as [x, y]; the right half mirrors the left one. */
function listFields(digits) {
  const fields = [];
  for (let x = 0; x < 3; x++) {
    for (let y = 0; y < 5; y++) {
      if (parseInt(digits[4 + x * 5 + y], 16) < 8) continue;
      for (const column of x === 2 ? [2] : [x, 4 - x]) fields.push([column, y]);
    }
  }
  return fields;
}
