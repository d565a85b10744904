/** Draws a table; at phone width every row becomes a block in which each cell says its column's name. */

import { html, useState } from "../html.js";

/**
 * A table. `columns` are {head, cell(row), sort(row)?, isNumber?, isWide?}; `getKey(row)` tells rows apart when
 * they move; `empty` is said when there are none. Readers sort by the columns with `sort`, which returns a
 * number, a BigInt, a text, or null for what comes last either way.
 */
export function Table({ caption, columns, rows, getKey, empty = "Nothing yet." }) {
  const [order, setOrder] = useState({ head: null, isRising: false });
  if (!rows.length) return html`<p class="empty">${empty}</p>`;
  const turn = (head) => setOrder({ head, isRising: order.head === head && !order.isRising });
  return html`
    <table class="rows" role="table">
      <caption class="unseen">${caption}</caption>
      <thead role="rowgroup">
        <tr role="row">
          ${columns.map((column) => html`<${Head} key=${column.head} ...${{ column, order, turn }} />`)}
        </tr>
      </thead>
      <tbody role="rowgroup">
        ${sortRows(rows, columns, order).map(
          (row) => html`<${Row} key=${getKey(row)} columns=${columns} row=${row} />`,
        )}
      </tbody>
    </table>
  `;
}

function Head({ column, order, turn }) {
  const { head, sort } = column;
  const way = order.head !== head ? "none" : order.isRising ? "ascending" : "descending";
  return html`
    <th scope="col" role="columnheader" class=${getClass(column)} aria-sort=${sort ? way : null}>
      ${
        sort
          ? html`<button type="button" class="sort ${way}" onClick=${() => turn(head)}>${head}</button>`
          : head
      }
    </th>
  `;
}

function sortRows(rows, columns, { head, isRising }) {
  const sort = columns.find((column) => column.head === head)?.sort;
  if (!sort) return rows;
  const compare = (one, other) => {
    const [a, b] = [sort(one), sort(other)];
    if (a === null || b === null) return (a === null) - (b === null);
    const sign = a < b ? -1 : a > b ? 1 : 0;
    return isRising ? sign : -sign;
  };
  return rows.toSorted(compare);
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
