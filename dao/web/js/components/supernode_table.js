/** Lists Supernodes of one owner with what they have at stake. */

import { html } from "../html.js";
import { Address } from "./address.js";
import { Amount } from "./parts.js";
import { Table } from "./table.js";

const COLUMNS = [
  {
    head: "Supernode",
    cell: ({ operator }) => html`<${Address} address=${operator} href="#/supernodes/${operator}" />`,
  },
  { head: "Stake", isNumber: true, cell: (node) => html`<${Amount} wei=${node.stake_wei} />` },
  { head: "Leaving", isNumber: true, cell: (node) => html`<${Amount} wei=${node.unbonding_wei} />` },
];

/** The Supernodes of an account as a table. */
export function SupernodeTable({ supernodes, caption = "Supernodes" }) {
  return html`
    <${Table}
      caption=${caption}
      columns=${COLUMNS}
      rows=${supernodes}
      getKey=${({ operator }) => operator}
      empty="It has none."
    />
  `;
}
