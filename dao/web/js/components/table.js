/** Draws a table; at phone width every row becomes a block in which each cell says its column's name. */

import { html } from "../html.js";

/**
 * A table. `columns` are {head, cell(row), isNumber?, isWide?}; `getKey(row)` tells rows apart when they
 * move; `empty` is said when there are none.
 */
export function Table({ caption, columns, rows, getKey, empty = "Nothing yet." }) {
  if (!rows.length) return html`<p class="empty">${empty}</p>`;
  return html`
    <table class="rows" role="table">
      <caption class="unseen">${caption}</caption>
      <thead role="rowgroup">
        <tr role="row">
          ${columns.map(
            (column) => html`
              <th key=${column.head} scope="col" role="columnheader" class=${getClass(column)}>
                ${column.head}
              </th>
            `,
          )}
        </tr>
      </thead>
      <tbody role="rowgroup">
        ${rows.map((row) => html`<${Row} key=${getKey(row)} columns=${columns} row=${row} />`)}
      </tbody>
    </table>
  `;
}

function Row({ columns, row }) {
  return html`
    <tr role="row">
      ${columns.map(
        (column) => html`
          <td key=${column.head} role="cell" class=${getClass(column)} data-label=${column.head}>
            ${column.cell(row)}
          </td>
        `,
      )}
    </tr>
  `;
}

function getClass({ isNumber, isWide }) {
  return [isNumber && "number", isWide && "wide"].filter(Boolean).join(" ") || null;
}
