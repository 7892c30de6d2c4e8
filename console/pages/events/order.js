// An order's events, in the order in which they were sent.

import { hueClass } from "../../lib/color.js";
import { duration, NONE, time, utc } from "../../lib/format.js";
import { go, href } from "../../lib/route.js";
import { html, nothing } from "../../lib/view.js";
import { icon } from "../../parts/icon.js";
import { empty, stateOf } from "../../parts/state.js";
import { brief, gaps, sender } from "./model.js";
import { record } from "./record.js";

/** @typedef {import("./model.js").Event} Event */
/** @typedef {import("./model.js").Order} Order */

/** @param {Event} event @param {number} first when the order's first event was sent, in milliseconds */
function article(event, first) {
  const at = event.time ? Date.parse(event.time) : NaN;
  const place = `${event.topic}/${event.partition}/${event.offset}`;
  return html`<li class="event ${hueClass(sender(event.source))}">
    <header class="row wrap"><h3 class="stripe">${brief(event.type)}</h3>
      <span class="faint">by ${sender(event.source) || NONE}</span>
      <time title=${utc(at)}>${time(at, { millis: true })}</time><span class="faint">+${duration((at - first) / 1_000)}</span>
      <span class="space"></span><span class="mono faint">${place}</span>
      ${event.trace_id ? html`<a href=${href("traces", [event.trace_id])}>Trace</a>` : nothing}
    </header>
    ${record({ ...event, why: event.error })}
  </li>`;
}

/** @param {Order} order */
function events(order) {
  const first = Date.parse(order.records[0]?.time ?? "");
  return html`<ol class="story">${order.records.map((one) => article(one, first))}</ol>
    ${gaps(order).map((gap) => html`<p class="faint gap">${gap}.</p>`)}`;
}

const none = (/** @type {Order} */ order) =>
  empty("Kafka has no events of this order", html`Either there is no order <span class="mono">${order.order}</span>, or its events are older than what Kafka retains. ${gaps(order).map((gap) => html`<br>${gap}.`)}`, html`<a class="button" href=${href("flows")}>Show recent orders</a>`);

/** @param {import("../../lib/api.js").Resource<Order | null>} resource @param {string} id */
export const orderPanel = (resource, id) => html`<section class="panel" aria-label="Events of the order">
  <header><h2>Events of an order</h2><span class="mono quiet cut">${id}</span><span class="space"></span>
    <button class="button plain" aria-label="Close" @click=${() => go(href("events"))}>${icon("close", "small")}</button></header>
  ${stateOf(resource, (order) => (order?.records.length ? events(order) : order ? none(order) : nothing), { lines: 6 })}
</section>`;

const submit = (/** @type {SubmitEvent} */ event) => {
  event.preventDefault();
  const id = String(new FormData(/** @type {HTMLFormElement} */ (event.currentTarget)).get("order") ?? "").trim();
  if (id) go(href("events", [], { order: id }));
};

/** @param {string} id */
export const orderSearch = (id) => html`<form class="row" role="search" @submit=${submit}>
  <input class="input mono" id="events-order" name="order" aria-label="The id of an order" placeholder="id of an order" maxlength="128" autocomplete="off" spellcheck="false" .value=${id}>
  <button class="button">${icon("search", "small")} Show its events</button>
</form>`;
