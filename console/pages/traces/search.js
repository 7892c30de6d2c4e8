// The search: fields, the text that they are, and what it finds.

import { resource } from "../../lib/api.js";
import { hueClass } from "../../lib/color.js";
import { duration, number, operation, short, time, utc } from "../../lib/format.js";
import { hasLens, now } from "../../lib/mesh.js";
import { go, href, route } from "../../lib/route.js";
import { computed, effect, html, nothing, repeat, signal } from "../../lib/view.js";
import { icon } from "../../parts/icon.js";
import { empty, stateOf } from "../../parts/state.js";
import { format, ofParams, parse, toParams } from "./query.js";
import * as source from "./source.js";
import { watch } from "./walk.js";

/** @typedef {import("./query.js").Query} Query */
/** @typedef {import("./summary.js").Summary} Summary */

const RANGES = { "5m": 5, "15m": 15, "30m": 30, "1h": 60, "6h": 360 };
const LIMIT = 60;

const range = () => /** @type {keyof typeof RANGES} */ (Object.keys(RANGES).find((name) => name === route.value.params.get("range")) ?? "15m");
const sorted = () => (route.value.params.get("order_by") === "duration" ? "duration" : "time");

/** Traces that are ticked to be compared. */
export const ticked = signal(/** @type {string[]} */ ([]));

/** The list as it was when the pointer or the focus came to it: rows must not move away from under a hand. */
const held = signal(/** @type {Summary[] | undefined} */ (undefined));

/** @param {Query} query @param {Record<string, string>} [others] */
function show(query, others = {}) {
  const params = toParams(query);
  for (const [name, value] of Object.entries({ range: range(), order_by: sorted(), ...others })) if (value !== "15m" && value !== "time") params.set(name, value);
  go(href("traces", [], params));
}

/** @returns {import("../traces.js").Opened} */
export default function () {
  const asked = computed(() => ofParams(route.value.params));
  const text = signal("");
  const stopText = effect(() => void (text.value = (asked.value.problem && route.value.params.get("q")) || format(asked.value.query)));
  const problem = signal("");
  const services = resource(source.services, { every: 30_000 });
  const service = computed(() => asked.value.query.service);
  const operations = resource((stop) => source.operations(service.value, stop));
  const key = computed(() => JSON.stringify([asked.value, range(), hasLens()]));
  const found = resource(
    async (stop) => {
      const { query, problem } = JSON.parse(key.value)[0];
      if (problem) return [];
      const to = now();
      return source.search(query, { from: to - RANGES[range()] * 60_000, to, limit: LIMIT }, stop);
    },
    { every: 5_000 },
  );
  const { hold, release } = holding(found);
  const stopWay = watch();
  const stopHold = effect(() => {
    void key.value;
    held.value = undefined;
  });
  /** @param {Event} event */
  const submit = (event) => {
    event.preventDefault();
    const read = parse(text.value);
    problem.value = read.problem;
    if (read.trace) go(href("traces", [read.trace]));
    else if (!read.problem) show(read.query);
  };
  return {
    view: () => html`<div class="traces search">
      ${form({ query: asked.value.query, services, operations, text, submit, problem: problem.value || asked.value.problem })}
      ${above(found)}
      <div class="found" @pointerenter=${hold} @focusin=${hold} @pointerleave=${release} @focusout=${release}>${stateOf(found, (list) => results(held.value ?? list), { lines: 12, isEmpty: (list) => list.length === 0, teach: () => (asked.value.problem ? nothing : nothingFound(asked.value.query)) })}</div>
    </div>`,
    keys: {
      "/": ["search", () => document.getElementById("trace-query")?.focus()],
      j: ["next row", () => step(1)],
      k: ["previous row", () => step(-1)],
    },
    close: () => {
      stopText();
      stopHold();
      stopWay();
      held.value = undefined;
      for (const one of [services, operations, found]) one.stop();
    },
  };
}

/** Holds the list while the pointer or the focus is on it. @param {import("../../lib/api.js").Resource<Summary[]>} found */
function holding(found) {
  const hold = () => (held.value ??= found.data.peek());
  const release = (/** @type {Event} */ event) => {
    const list = /** @type {Element} */ (event.currentTarget);
    const next = event instanceof FocusEvent && event.relatedTarget;
    if (!list.matches(":hover") && !(next instanceof Node && list.contains(next))) held.value = undefined;
  };
  return { hold, release };
}

/** @param {number} by */
function step(by) {
  const rows = /** @type {HTMLElement[]} */ ([...document.querySelectorAll(".traces .result > a")]);
  const at = rows.findIndex((row) => row === document.activeElement);
  rows[Math.max(0, Math.min(rows.length - 1, at + by))]?.focus();
}

/** @param {{ query: Query, services: import("../../lib/api.js").Resource<string[]>, operations: import("../../lib/api.js").Resource<string[]>, text: import("../../vendor/signals-core/dist/signals-core.js").Signal<string>, submit: (event: Event) => void, problem: string }} options */
function form({ query, services, operations, text, submit, problem }) {
  const change = (/** @type {Partial<Query>} */ changes) => show({ ...query, ...changes });
  const input = (/** @type {"min" | "order"} */ name, /** @type {string} */ title, /** @type {string} */ hint) => html`<label class="field by-${name}" title=${name === "min" ? "Of the span, if a service, an operation, an attribute or errors are chosen; of the whole trace otherwise" : nothing}>${title}
    <input class="input" .value=${query[name]} placeholder=${hint} @change=${(/** @type {Event} */ event) => change({ [name]: /** @type {HTMLInputElement} */ (event.target).value.trim() })}></label>`;
  return html`<form class="query" @submit=${submit}>
    <div class="conditions">
      ${choice("Service", query.service, services.data.value ?? [], (service) => change({ service, operation: "" }))}
      ${choice("Operation", query.operation, operations.data.value ?? [], (operation) => change({ operation }), !query.service)}
      ${input("min", "At least", "100ms")} ${input("order", "Order", "id")}
      <label class="field by-attribute">Attribute
        <input class="input" placeholder="key=value" @change=${(/** @type {Event} */ event) => add(event, query)}></label>
      <span class="chips">
        <button type="button" class="chip" aria-pressed=${query.error} @click=${() => change({ error: !query.error })}>${icon("bad", "small")} errors</button>
        <button type="button" class="chip" aria-pressed=${query.probes} title="Health checks, scrapes and loads of this page are left out unless this is on" @click=${() => change({ probes: !query.probes })}>probes</button>
      </span>
    </div>
    <div class="row text">
      ${icon("search", "small")}
      <input class="input mono" id="trace-query" aria-label="The search as text, or the id of a trace" placeholder="service=orders min=100ms error http.route=/api/orders, or the id of a trace"
        spellcheck="false" autocomplete="off" .value=${text.value} @input=${(/** @type {Event} */ event) => (text.value = /** @type {HTMLInputElement} */ (event.target).value)}>
      ${text.value ? html`<button type="button" class="button plain" title="Clear" aria-label="Clear the search" @click=${() => go(href("traces"))}>${icon("close", "small")}</button>` : nothing}
      <button class="button">Search</button>
    </div>
    ${problem ? html`<p class="notice bad" role="alert">${icon("warning", "small")} ${problem}</p>` : nothing}
    ${query.attrs.length ? html`<div class="row wrap">${query.attrs.map((attr, at) => html`<button type="button" class="chip mono" aria-pressed="true" title="Remove" @click=${() => change({ attrs: query.attrs.filter((_, place) => place !== at) })}>${attr.join("=")} ${icon("close", "small")}</button>`)}</div>` : nothing}
  </form>`;
}

/** @param {string} title @param {string} value @param {string[]} options @param {(value: string) => void} change @param {boolean} [disabled] */
const choice = (title, value, options, change, disabled = false) => html`<label class="field by-${title.toLowerCase()}">${title}
  <select class="input" ?disabled=${disabled} @change=${(/** @type {Event} */ event) => change(/** @type {HTMLSelectElement} */ (event.target).value)}>
    <option value="" ?selected=${!value}>all</option>
    ${[...new Set([...options, ...(value ? [value] : [])])].map((option) => html`<option ?selected=${option === value}>${option}</option>`)}
  </select></label>`;

/** @param {Event} event @param {Query} query */
function add(event, query) {
  const input = /** @type {HTMLInputElement} */ (event.target);
  const [key, ...value] = input.value.trim().split("=");
  if (!key || !value.length) return input.setCustomValidity(input.value ? "key=value" : "");
  input.value = "";
  show({ ...query, attrs: [...query.attrs, [key, value.join("=")]] });
}

/** @param {import("../../lib/api.js").Resource<Summary[]>} found */
function above(found) {
  const known = new Set(held.value?.map(({ id }) => id));
  const newer = held.value && found.data.value ? found.data.value.filter(({ id }) => !known.has(id)).length : 0;
  const list = held.value ?? found.data.value;
  const failing = list?.filter((one) => one.errors).length ?? 0;
  const { query } = ofParams(route.value.params);
  const pick = (/** @type {string} */ name, /** @type {string} */ value, /** @type {string[]} */ values) => html`<span class="segmented">
    ${values.map((one) => html`<button aria-pressed=${one === value} @click=${() => show(query, { [name]: one })}>${one === "time" ? "newest" : one === "duration" ? "longest" : one}</button>`)}</span>`;
  const [a, b] = ticked.value;
  return html`<div class="row wrap above">
    <span class="quiet" role="status">${list ? html`${list.length}${list.length === LIMIT ? " newest" : ""} ${list.length === 1 ? "trace" : "traces"}${failing ? html`, <span class="bad">${failing} with errors</span>` : nothing}` : " "}</span>
    ${newer ? html`<button class="chip" title="The list waits while the pointer or the focus is on it" @click=${() => (held.value = undefined)}>${newer}${newer === LIMIT ? " or more" : ""} newer</button>` : nothing}
    ${b ? html`<a class="button primary" href=${href("traces", [a], { compare: b })}>Compare the two</a>` : a ? html`<span class="badge">Tick another one to compare it with ${short(a)}</span><button class="button plain" @click=${() => (ticked.value = [])}>Forget it</button>` : nothing}
    <span class="space"></span>
    ${pick("order_by", sorted(), ["time", "duration"])} ${pick("range", range(), Object.keys(RANGES))}
  </div>`;
}

/** @param {Summary[]} list */
function results(list) {
  const shown = sorted() === "duration" ? [...list].sort((a, b) => b.duration - a.duration) : list;
  const longest = Math.max(1, ...list.map((one) => one.duration));
  return html`<ol class="results" aria-label="Traces">
    ${repeat(shown, (one) => one.id, (one) => html`<li class="result ${one.errors ? "failed" : ""}">
      <input type="checkbox" aria-label="Compare ${short(one.id)}" .checked=${ticked.value.includes(one.id)} @change=${() => (ticked.value = ticked.value.includes(one.id) ? ticked.value.filter((id) => id !== one.id) : [...ticked.value, one.id].slice(-2))}>
      ${result(one, longest)}
    </li>`)}
  </ol>`;
}

/** @param {Summary} one @param {number} longest */
const result = (one, longest) => html`<a href=${href("traces", [one.id])}>
  <span class="when faint" title=${utc(one.start)}>${time(one.start)}</span>
  <span class="what"><span class="dot ${hueClass(one.service)}"></span><span class="cut"><span class="quiet">${one.service}</span> ${operation(one.name)}</span></span>
  ${tiny(one)}
  <span class="length"><span class="measure"><i .style=${`width:${Math.max(0.5, (one.duration / longest) * 100)}%`}></i></span><b>${duration(one.duration / 1e6)}</b></span>
  <span class="counts quiet">${number(one.spans)} ${one.spans === 1 ? "span" : "spans"} · ${one.services.length} ${one.services.length === 1 ? "service" : "services"}</span>
  <span class="mark">${one.errors ? html`<span class="badge bad">${icon("bad", "small")} ${one.errors} ${one.errors === 1 ? "error" : "errors"}</span>` : nothing}</span>
</a>`;

/** When each service worked: a line each. @param {Summary} one */
function tiny({ services, duration: all }) {
  const shown = services.slice(0, 8);
  const names = services.map(({ service, spans }) => `${service} ${spans}`).join(", ");
  return html`<span class="tiny" role="img" aria-label="spans: ${names}" title=${names}>${shown.map(({ service, times }) => html`<span class=${hueClass(service)}>${times.map(([from, to]) => html`<i .style=${`left:${(from / all) * 100}%;width:${((to - from) / all) * 100}%`}></i>`)}</span>`)}</span>`;
}

/** @param {Query} query */
function nothingFound(query) {
  if (!format(query)) return empty("No traces yet", "Each order leaves one, from the click to the last service. Place an order, and its trace is here a few seconds later.", html`<a class="button primary" href=${href("flows")}>Place an order</a>`);
  return empty(
    "No trace matches",
    html`No trace of the last ${RANGES[range()]} minutes has a span with all of <span class="mono">${format(query)}</span>.`,
    html`<span class="row"><button class="button" @click=${() => show(query, { range: "6h" })}>Search 6 hours</button><a class="button" href=${href("traces")}>Show all traces</a></span>`,
  );
}

