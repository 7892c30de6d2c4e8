// A table whose rows can be walked with j and k and opened with Enter.

import { html, nothing, repeat } from "../lib/view.js";

/**
 * @template T
 * @typedef {object} Column
 * @property {unknown} title
 * @property {string} [hint] what the column says, in a sentence
 * @property {(row: T) => unknown} cell
 * @property {boolean} [number] aligned to the right
 * @property {string} [class]
 */

/**
 * @template T
 * @param {{ label: string, columns: Column<T>[], rows: T[], key: (row: T) => string, selected?: string, open?: (row: T) => void }} options
 */
export function table({ label, columns, rows, key, selected, open }) {
  /** @param {KeyboardEvent} event */
  const onKey = (event) => {
    const row = event.target instanceof Element ? event.target.closest("tr") : null;
    if (!row) return;
    const step = { j: 1, ArrowDown: 1, k: -1, ArrowUp: -1 }[event.key];
    const next = step === 1 ? row.nextElementSibling : step === -1 ? row.previousElementSibling : null;
    if (next instanceof HTMLElement) next.focus();
    if (next || step) event.preventDefault();
    if (event.key === "Enter") row.click();
  };
  const classOf = (/** @type {Column<T>} */ column) => `${column.number ? "number" : ""} ${column.class ?? ""}`;
  return html`<table class="table" aria-label=${label} @keydown=${open ? onKey : nothing}>
    <thead><tr>${columns.map((column) => (column.title ? html`<th scope="col" class=${classOf(column)} title=${column.hint ?? nothing}>${column.title}</th>` : html`<td class=${classOf(column)}></td>`))}</tr></thead>
    <tbody>
      ${repeat(rows, key, (row) => {
        const isSelected = selected !== undefined && key(row) === selected;
        return html`<tr tabindex=${open ? 0 : nothing} aria-selected=${open ? String(isSelected) : nothing} @click=${open ? () => open(row) : nothing}>
          ${columns.map((column) => html`<td class=${classOf(column)}>${column.cell(row)}</td>`)}
        </tr>`;
      })}
    </tbody>
  </table>`;
}
