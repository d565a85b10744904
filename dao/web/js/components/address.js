/** Shows addresses, each with a small picture of its own. */

import { isSameAddress, shorten } from "../format.js";
import { html } from "../html.js";
import { getState } from "../store.js";
import { CopyButton } from "./parts.js";

// The DAO's own contracts, as people call them.
const NAMES = {
  timelock: "the treasury",
  distributor: "the tasks’ escrow",
  registry: "the stakes",
  coordinator: "the coordinator",
  disputes: "the court of proofs",
  governor: "the governor",
  token: "the token",
};

/**
 * An address to copy, whole when pointed at, or its name where it has one; a link to its page, or to `href`. `name` is what
 * the button says that it copies.
 */
export function Address({ address, href = `#/accounts/${address}`, name = null }) {
  if (!address) return html`<span class="soft">nobody</span>`;
  const known = findName(address);
  return html`
    <span class="address">
      <a class="who" href=${href} title=${address}>
        <${AddressPicture} address=${address} />${known ? html`<span>${known}</span>` : html`<code>${shorten(address)}</code>`}
      </a><${CopyButton} text=${address} name=${name ?? `address ${shorten(address)}`} />
    </span>
  `;
}

/** Returns what an address is called here: a contract of the DAO, or the reader; null for a stranger. */
export function findName(address) {
  const { network, session } = getState();
  if (session && isSameAddress(session.address, address)) return "you";
  const [field] =
    Object.entries(network?.contracts ?? {}).find(([, one]) => isSameAddress(one, address)) ?? [];
  return NAMES[field] ?? null;
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
