// The panel of one span: attributes, events, links, log lines, and the process that it ran in.

import { hueClass } from "../../lib/color.js";
import { duration, percent, short, time, utc } from "../../lib/format.js";
import { href } from "../../lib/route.js";
import { html, nothing, signal } from "../../lib/view.js";
import { drawer } from "../../parts/drawer.js";
import { icon } from "../../parts/icon.js";
import { hopDelay, isHop, selfTime } from "./model.js";
import { lineOf } from "./rows.js";

/** @typedef {import("./model.js").Span} Span */
/** @typedef {import("./model.js").Tag} Tag */
/** @typedef {import("./model.js").Link} Link */
/** @typedef {{ span: Span, trace: import("./model.js").Trace, path: import("./critical.js").Path | undefined, linked: import("./source.js").Links | undefined, logs: import("../../lib/api.js").Resource<any[]>, close: () => void, follow: (link: Link) => void, zoom: () => void }} Options */

/** What is searched for in the attributes; it stays from span to span. */
const filter = signal("");

/** @param {Options} options */
export const panel = (options) => {
  const { span, close } = options;
  return drawer({
    label: `${span.service} ${span.name}`,
    close,
    title: html`<h2 class="cut stripe ${hueClass(span.service)}"><span class="quiet">${span.service}</span> ${span.name}</h2>`,
    body: html`${failure(span)} ${times(options)} ${links(options)} ${attributes(span)} ${events(span)} ${lines(options)} ${elsewhere(options)} ${resource(span)}`,
  });
};

/** @param {Span} span @param {string} key */
const tag = (span, key) => span.tags.find(([name]) => name === key)?.[1];

/** @param {Span} span */
function failure(span) {
  if (!span.error) return nothing;
  const exception = span.events.find((event) => event.name === "exception")?.tags.find(([key]) => key === "exception.message")?.[1];
  return html`<p class="notice bad">${icon("bad", "small")} <span>${tag(span, "otel.status_description") ?? exception ?? tag(span, "error.type") ?? "the span failed; it does not say why"}</span></p>`;
}

/** @param {Options} options */
function times({ span, trace, path, zoom }) {
  const whole = span.end - span.start;
  const own = selfTime(span);
  const critical = (path?.times.get(span) ?? []).reduce((sum, [from, to]) => sum + to - from, 0);
  const at = (trace.start + span.start) / 1_000;
  return html`<dl class="facts">
    <dt>Duration</dt><dd><b>${duration(whole / 1e6)}</b>, from <span title=${utc(at)}>+${duration(span.start / 1e6)}</span> (${time(at, { millis: true })}) <button class="button plain" title="z" @click=${zoom}>${icon("search", "small")} zoom</button></dd>
    <dt>Itself</dt><dd>${duration(own / 1e6)}${whole ? html` <span class="faint">${percent(own / whole)}</span>` : nothing}</dd>
    <dt>Critical path</dt><dd>${critical ? html`${duration(critical / 1e6)} <span class="faint">of the trace's ${duration(trace.duration / 1e6)}</span>` : "not on it"}</dd>
    ${isHop(span) ? html`<dt>On its way</dt><dd>${duration(hopDelay(span) / 1e6)} <span class="faint">since ${/** @type {Span} */ (span.parent).name} began</span></dd>` : nothing}
    <dt>Kind</dt><dd>${span.kind || "not given"}</dd>
  </dl>`;
}

/** What this span was caused by, and what continues it, here and in other traces. @param {Options} options */
function links({ span, trace, linked, follow }) {
  const chip = (/** @type {string} */ verb, /** @type {Link} */ to, /** @type {Span | { service: string, name: string } | undefined} */ known) => html`<button class="chip to" @click=${() => follow(to)}>
    ${verb} ${known ? html`<span class="dot ${hueClass(known.service)}"></span> ${known.service} ${known.name}` : html`span <span class="mono">${short(to.span)}</span>`}${to.trace === trace.id ? nothing : html` <span class="mono faint">trace ${short(to.trace)}</span>`} ${icon("forward", "small")}</button>`;
  const causes = span.links.map((link) => chip("caused by", link, link.trace === trace.id ? trace.byId.get(link.span) : linked?.to.find((one) => one.trace === link.trace && one.span === link.span)));
  const here = trace.spans.filter((other) => other.links.some((link) => link.trace === trace.id && link.span === span.id));
  const next = here.map((other) => chip("continues in", { trace: trace.id, span: other.id }, other));
  const beyond = (linked?.from ?? []).filter((one) => one.here === span.id).map((one) => chip("continues in", one, one));
  const all = [...causes, ...next, ...beyond];
  return all.length ? html`<section><h3>Links <span class="faint">${all.length}</span></h3><div class="row wrap">${all.slice(0, 60)}</div></section>` : nothing;
}

/** @param {Tag[]} tags @returns {[group: string, tags: Tag[]][]} by the first part of the key */
export function grouped(tags) {
  const groups = new Map();
  for (const tag of [...tags].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const group = tag[0].includes(".") ? tag[0].split(".")[0] : "other";
    groups.set(group, [...(groups.get(group) ?? []), tag]);
  }
  return [...groups];
}

/** @param {Tag[]} tags @param {boolean} [searchable] */
const list = (tags, searchable = true) => html`<dl class="tags">${tags.map(([key, value]) => html`<dt class="mono" title=${key}>${key}</dt><dd class="mono"><span>${value}</span>${searchable ? html`<a class="find" title="Search for traces with this" aria-label="Search for traces with ${key} ${value}" href=${href("traces", [], { attr: `${key}=${value}` })}>${icon("search", "small")}</a>` : nothing}</dd>`)}</dl>`;

/** @param {Span} span */
function attributes(span) {
  const wanted = filter.value.toLowerCase();
  const shown = span.tags.filter(([key, value]) => `${key}=${value}`.toLowerCase().includes(wanted));
  return html`<section>
    <div class="row"><h3>Attributes <span class="faint">${shown.length === span.tags.length ? span.tags.length : `${shown.length} of ${span.tags.length}`}</span></h3><span class="space"></span>
      <input class="input" type="search" aria-label="Filter the attributes" placeholder="filter" .value=${filter.value} @input=${(/** @type {Event} */ event) => (filter.value = /** @type {HTMLInputElement} */ (event.target).value)}></div>
    ${grouped(shown).map(([group, tags]) => html`<h4 class="faint">${group}</h4>${list(tags)}`)}
    ${shown.length ? nothing : html`<p class="faint">${span.tags.length ? "No attribute has this text." : "The span has no attributes."}</p>`}
  </section>`;
}

/** @param {Span} span */
const events = (span) =>
  span.events.length
    ? html`<section><h3>Events <span class="faint">${span.events.length}</span></h3>${span.events.map((event) => html`<div class="happened"><span class=${event.name === "exception" ? "bad" : ""}>${event.name}</span> <span class="faint">+${duration((event.at - span.start) / 1e6)}</span>${list(event.tags)}</div>`)}</section>`
    : nothing;

/** @param {Options} options */
function lines({ span, trace, logs }) {
  const all = logs.data.value;
  if (!all) return logs.error.value ? html`<section><h3>Log lines</h3><p class="faint">${logs.error.value.message}</p></section>` : nothing;
  const own = all.filter((item) => item.span_id === span.id).map((item) => lineOf(item, trace));
  const others = all.length - own.length;
  return html`<section><h3>Log lines <span class="faint">${own.length}</span></h3>
    ${own.map((line) => html`<div class="happened"><span class="badge ${{ error: "bad", fatal: "bad", warn: "warning" }[line.severity] ?? ""}">${line.severity}</span> ${line.body} <span class="faint">+${duration((line.at - span.start) / 1e6)}</span>${list(Object.entries(/** @type {Record<string, any>} */ (line.attributes)), false)}</div>`)}
    ${own.length ? nothing : html`<p class="faint">${others ? html`None in this span; the trace has ${others}: <kbd>l</kbd> lays them into the waterfall.` : "The trace has no log lines."}</p>`}
  </section>`;
}

/** The metrics of the service at that time. @param {Options} options */
function elsewhere({ span, trace }) {
  const at = Math.round((trace.start + span.start) / 1e6);
  return html`<section><h3>At that time</h3><div class="row wrap">
    <a class="button" href=${href("dashboards", ["mesh-service"], { service: span.service, from: at - 150, to: at + 150 })}>${icon("dashboards", "small")} Metrics of ${span.service}</a>
    <a class="button" href=${href("traces", [], { service: span.service, operation: span.name })}>${icon("traces", "small")} Traces with this operation</a>
  </div></section>`;
}

/** @param {Span} span */
const resource = (span) => html`<details><summary>Process <span class="faint">${span.resource.length}</span></summary>${list(span.resource)}<dl class="tags"><dt class="mono">span id</dt><dd class="mono">${span.id}</dd></dl></details>`;
