// Above the table: how many orders got how far, how long they took, and the filters.

import { duration, percent } from "../../lib/format.js";
import { setParams } from "../../lib/route.js";
import { html, nothing } from "../../lib/view.js";
import { BOUNDS, funnel, groups, histogram, quantile, STAGES } from "./model.js";

/** @typedef {{ group?: string, bar?: number, text?: string }} Filters */

/** @param {string} word */
export const words = (word) => word.replaceAll("_", " ");

/** @param {{ rows: Map<string, import("./model.js").Row>, filters: Filters }} options */
export function overview({ rows, filters }) {
  const all = [...rows.values()];
  return html`<div class="overview">
      <section class="panel" aria-label="Funnel"><header><h2>How far they got</h2><span class="faint">the last ${all.length}</span></header><div class="body">${stages(all)}</div></section>
      <section class="panel" aria-label="Durations"><header><h2>How long they took</h2><span class="space"></span>
        <span class="faint">p50 ${seconds(quantile(all, 0.5))} · p99 ${seconds(quantile(all, 0.99))}</span></header><div class="body">${durations(all, filters)}</div></section>
    </div>
    ${chips(all, filters)}`;
}

/** @param {number | undefined} ms */
const seconds = (ms) => duration(ms === undefined ? undefined : ms / 1000);

/** @param {import("./model.js").Row[]} rows */
function stages(rows) {
  const counts = funnel(rows);
  const most = Math.max(1, counts.placed);
  const line = (/** @type {string} */ name, /** @type {number} */ count, /** @type {string} */ kind) => html`<li class=${kind}>
    <span>${name}</span><span class="track"><i .style=${`width: ${(count / most) * 100}%`}></i></span><span class="right">${count}</span><span class="right faint">${percent(count / most)}</span>
  </li>`;
  return html`<ol class="funnel">${STAGES.map((stage) => line(stage, counts[stage], ""))}${line("cancelled", counts.cancelled, counts.cancelled ? "off" : "")}</ol>`;
}

/** @param {import("./model.js").Row[]} rows @param {Filters} filters */
function durations(rows, filters) {
  const bars = histogram(rows);
  const most = Math.max(1, ...bars);
  const name = (/** @type {number} */ index) => (index < BOUNDS.length ? `≤ ${BOUNDS[index] / 1_000} s` : "> 10 s");
  return html`<div class="histogram" role="group" aria-label="Orders by duration; a bar selects them">
    ${bars.map((count, index) => html`<button aria-pressed=${filters.bar === index} aria-label="${count} orders, ${name(index)}" title="${count} orders, ${name(index)}"
      @click=${() => setParams({ duration: filters.bar === index ? undefined : index })}>
      <b><i .style=${`height: ${count ? Math.max(3, (count / most) * 100) : 0}%`}></i></b><span>${index < BOUNDS.length ? BOUNDS[index] / 1_000 : "> 10 s"}</span></button>`)}
  </div>`;
}

/** @param {import("./model.js").Row[]} rows @param {Filters} filters */
function chips(rows, filters) {
  const chip = (/** @type {string | undefined} */ name, /** @type {string} */ label, /** @type {number} */ count) => html`<button class="chip" aria-pressed=${filters.group === name}
    @click=${() => setParams({ state: filters.group === name ? undefined : name })}>${label} <span class="faint">${count}</span></button>`;
  return html`<div class="row wrap filters" role="group" aria-label="Filters">
    ${chip(undefined, "all", rows.length)} ${[...groups(rows)].map(([name, count]) => chip(name, words(name), count))}
    <span class="space"></span>
    ${filters.bar === undefined ? nothing : html`<button class="chip" aria-pressed="true" @click=${() => setParams({ duration: undefined })}>duration ✕</button>`}
    <input class="input" id="flows-search" type="search" placeholder="id, customer or product" aria-label="Search orders" .value=${filters.text ?? ""}
      @input=${(/** @type {InputEvent} */ event) => setParams({ q: /** @type {HTMLInputElement} */ (event.target).value })}>
  </div>`;
}
