// The orders, the newest first.

import { hueClass } from "../../lib/color.js";
import { age, duration, NONE, short, time, utc } from "../../lib/format.js";
import { href } from "../../lib/route.js";
import { html, nothing } from "../../lib/view.js";
import { icon } from "../../parts/icon.js";
import { table } from "../../parts/table.js";
import { isFault, isFinal, lasted, parts, placedAt, statusOf, WORKS } from "./model.js";
import { words } from "./overview.js";

/** @typedef {import("./model.js").Row} Row */

/** @param {{ rows: Row[], now: number, open: (row: Row) => void, cancel: (row: Row) => void }} options */
export function flowTable({ rows, now, open, cancel }) {
  const longest = Math.max(1, ...rows.map((row) => lasted(row, now)));
  return html`<div class="panel scroll">${table({
    label: "Orders",
    rows,
    key: (row) => row.id,
    open,
    columns: [
      { title: "placed", cell: (row) => html`<span title=${utc(placedAt(row))}>${time(placedAt(row))}</span>` },
      { title: "order", cell: (row) => identity(row.id) },
      { title: "items", class: "wide items", cell: (row) => row.items.map((item) => `${item.quantity} × ${item.sku}`).join(", ") || NONE },
      { title: "total", number: true, class: "wide", cell: (row) => money(row.total) },
      { title: "status", class: "status", cell: (row) => status(row) },
      { title: "took", number: true, cell: (row) => (isFinal(row) ? duration(lasted(row, now) / 1000) : html`<span class="faint">${going(lasted(row, now) / 1000)}</span>`) },
      { title: html`${["placed", "paid", "dispatched"].map((stage) => html`<i class="${hueClass(WORKS[stage])} ${stage}"></i>${stage} `)}`, class: "stages wide", cell: (row) => bar(row, now, longest) },
      { title: "", class: "actions", cell: (row) => actions(row, cancel) },
    ],
  })}</div>`;
}

/** Tenths of a second do not flicker. @param {number} seconds */
const going = (seconds) => (seconds < 10 ? `${seconds.toFixed(1)} s` : age(seconds));

/** Shown short, copied whole. @param {string} id */
const identity = (id) => html`<span class="mono" title=${id}>${short(id)}</span>
  <button class="button plain copy" aria-label="Copy the id of the order" @click=${(/** @type {Event} */ event) => {
    event.stopPropagation();
    navigator.clipboard?.writeText(id);
  }}>${icon("copy", "small")}</button>`;

/** @param {Row["total"]} total */
function money(total) {
  if (!total) return NONE;
  return new Intl.NumberFormat("en-GB", { style: "currency", currency: total.currency }).format(total.amount_minor / 100);
}

/** @param {Row} row */
function status(row) {
  const now = statusOf(row);
  if (now === "cancelled") return html`cancelled${row.reason ? html` <span class=${isFault(row) ? "badge warning" : "faint"}>${isFault(row) ? icon("warning", "small") : nothing} ${words(row.reason)}</span>` : nothing}`;
  if (now === "completed") return "completed";
  return html`<span class="badge"><span class="dot ${hueClass(WORKS[now])}"></span>${now}</span>`;
}

/** @param {Row} row @param {number} now @param {number} longest */
function bar(row, now, longest) {
  const all = parts(row, now);
  const label = all.map((part) => `${part.status} ${duration(part.ms / 1000)}`).join(", ");
  return html`<span class="bar-of-stages" role="img" aria-label=${label} title=${label}>${all.map(
    (part) => html`<i class="${hueClass(WORKS[part.status] ?? "orders")} ${part.status}" .style=${`width: ${(part.ms / longest) * 100}%`}></i>`,
  )}</span>`;
}

/** @param {Row} row @param {(row: Row) => void} cancel */
function actions(row, cancel) {
  const stop = (/** @type {Event} */ event) => event.stopPropagation();
  const canCancel = ["placed", "paid"].includes(statusOf(row));
  return html`<span class="row" @click=${stop}>
    ${canCancel ? html`<button class="button plain" @click=${() => cancel(row)}>cancel</button>` : nothing}
    ${row.trace ? html`<a href=${href("traces", [row.trace])}>trace</a>` : nothing}
    <a href=${href("events", [], { order: row.id })}>events</a>
  </span>`;
}
