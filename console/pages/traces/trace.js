// A trace: its header, the strip of all of it, the waterfall, and the span that is chosen.

import { resource } from "../../lib/api.js";
import { hueClass } from "../../lib/color.js";
import { duration, operation, percent, short, time, utc } from "../../lib/format.js";
import { hasDoor, now } from "../../lib/mesh.js";
import { go, href, route, setParams } from "../../lib/route.js";
import { computed, effect, html, nothing, ref, signal, untracked } from "../../lib/view.js";
import { icon } from "../../parts/icon.js";
import { empty, failed, skeleton } from "../../parts/state.js";
import { copier } from "./copy.js";
import { criticalPath, shares } from "./critical.js";
import "./minimap.js";
import { modelOf } from "./model.js";
import { linesBySpan } from "./rows.js";
import { ticked } from "./search.js";
import { panel } from "./span.js";
import * as source from "./source.js";
import { crumbs, follow, placeOf, remember, searched, watch } from "./walk.js";
import "./waterfall.js";

/** @typedef {import("./model.js").Trace} Trace */
/** @typedef {import("./waterfall.js").Waterfall} Waterfall */

/** A trace whose last span is older than this is taken to be complete. */
const SETTLED_MS = 15_000;

/** A smaller share of the critical path is named only together with the others. */
const LEAST_SHARE = 0.01;

const NARROW = matchMedia("(max-width: 700px)");

/** The state of the view of one trace. */
class View {
  /** @param {string} id */
  constructor(id) {
    this.id = id;
    this.raw = resource(async (stop) => (await source.trace(id, stop)) ?? null, { every: 1_500 });
    this.linked = resource((stop) => source.linked(id, stop), { every: 10_000 });
    this.logs = resource((stop) => source.logs(id, stop));
    this.trace = signal(/** @type {Trace | undefined} */ (undefined));
    this.path = computed(() => this.trace.value && criticalPath(this.trace.value));
    this.selected = signal(route.peek().params.get("span") ?? "");
    this.isOpen = signal(this.selected.peek() !== "");
    this.range = signal(/** @type {[number, number] | undefined} */ (undefined));
    this.withLogs = signal(false);
    this.names = signal(Math.max(120, Math.min(800, Number(localStorage.getItem("traces.names")) || 380)));
    this.lines = computed(() => (this.withLogs.value && this.trace.value ? linesBySpan(this.logs.data.value ?? [], this.trace.value) : undefined));
    /** Links to and from other traces, by the span here. */
    this.links = computed(() => {
      const counts = /** @type {Map<string, number>} */ (new Map());
      const count = (/** @type {string} */ span) => counts.set(span, (counts.get(span) ?? 0) + 1);
      for (const span of this.trace.value?.spans ?? []) for (const link of span.links) if (link.trace !== id) count(span.id);
      for (const { here } of this.linked.data.value?.from ?? []) count(here);
      return counts;
    });
    /** @type {Waterfall | undefined} */
    this.waterfall = undefined;
    this.isPlaced = false;
    const ends = [watch(), effect(() => this.take()), effect(() => this.arrive()), effect(() => this.draw())];
    this.close = () => [...ends, this.raw.stop, this.linked.stop, this.logs.stop].forEach((end) => end());
  }

  /** Takes an answer; asks no more once the trace does not grow. */
  take() {
    const raw = this.raw.data.value;
    if (!raw) return;
    const known = this.trace.peek();
    const hasGrown = known?.spans.length !== raw.spans.length;
    if (hasGrown) {
      this.trace.value = modelOf(raw);
      if (known) void [this.linked, this.logs].map((one) => one.refresh());
      return;
    }
    if (known && now() - (known.start + known.duration) / 1_000 > SETTLED_MS) untracked(() => queueMicrotask(this.raw.stop));
  }

  /** Follows the address: the browser's Back button, and links within the trace. */
  arrive() {
    const { page, path, params } = route.value;
    const span = params.get("span") ?? "";
    if (page !== "traces" || path[0]?.toLowerCase().padStart(32, "0") !== this.id || span === this.selected.peek()) return;
    this.selected.value = span;
    if (span) this.isOpen.value = true;
    this.place();
  }

  /** Goes to where the reader was at this address, or to the span that is chosen. */
  place() {
    const known = placeOf(this.id, this.selected.peek());
    if (known) {
      this.range.value = known.range;
      this.waterfall?.update({ collapsed: known.collapsed });
      if (this.waterfall) this.waterfall.scrollTop = known.top;
    } else this.waterfall?.reveal(this.selected.peek());
  }

  draw() {
    const trace = this.trace.value;
    const { waterfall } = this;
    if (!trace) return;
    const changes = { trace, path: this.path.value?.times, range: this.shown(), lines: this.lines.value, selected: this.selected.value, linksOf: this.linksOf, };
    void this.links.value;
    waterfall?.update(changes);
    if (waterfall && !this.isPlaced) {
      this.isPlaced = true;
      // The rows have their height in the next frame.
      requestAnimationFrame(() => untracked(() => this.place()));
    }
  }

  linksOf = (/** @type {import("./model.js").Span} */ span) => this.links.peek().get(span.id) ?? 0;

  /** The time that is shown. @returns {[number, number]} */
  shown() {
    return this.range.value ?? [0, Math.max(1, this.trace.value?.duration ?? 1)];
  }

  remembers() {
    if (this.waterfall && this.isPlaced) remember(this.id, this.selected.peek(), { top: this.waterfall.scrollTop, collapsed: this.waterfall.collapsed, range: this.range.peek() });
  }

  /** @param {string} id @param {boolean} opens */
  choose(id, opens) {
    this.selected.value = id;
    if (opens) this.isOpen.value = true;
    setParams({ span: id });
    this.remembers();
  }

  /** Shows only the time of the span that is chosen, and some around it. */
  zoom() {
    const trace = this.trace.peek();
    const span = trace?.byId.get(this.selected.peek());
    if (!trace || !span) return;
    const around = Math.max(5, (span.end - span.start) * 0.05);
    this.range.value = [Math.max(0, span.start - around), Math.min(trace.duration, span.end + around)];
  }

  /** Folds all spans below the roots, or unfolds all. */
  fold() {
    const { waterfall } = this;
    const foldable = waterfall?.collapsed.size ? [] : (this.trace.peek()?.spans ?? []).filter((span) => span.depth > 0 && span.children.length);
    waterfall?.update({ collapsed: new Set(foldable.map(({ id }) => id)) });
    this.remembers();
  }

  label() {
    const span = this.trace.peek()?.byId.get(this.selected.peek()) ?? this.trace.peek()?.roots[0];
    return span ? `${span.service} ${span.name}` : short(this.id);
  }

  /** The waterfall's element, when lit has made it. @param {Element | undefined} element */
  holds = (element) => {
    if (element === this.waterfall) return;
    this.waterfall = /** @type {Waterfall | undefined} */ (element);
    this.isPlaced = false;
    if (element) queueMicrotask(() => untracked(() => this.draw()));
  };
}

/** @param {string} id @returns {import("../traces.js").Opened} */
export default function (id) {
  const view = new View(id);
  const step = (/** @type {number} */ by) => () => view.waterfall?.step(by);
  return {
    view: () => (view.trace.value ? page(view, view.trace.value) : waiting(view)),
    keys: {
      j: ["next row", step(1)],
      k: ["previous row", step(-1)],
      z: ["show only the time of the span", () => view.zoom()],
      0: ["show the whole trace", () => (view.range.value = undefined)],
      l: ["show log lines", () => (view.withLogs.value = !view.withLogs.peek())],
      c: ["fold or unfold all spans", () => view.fold()],
      Escape: ["back", () => (view.isOpen.peek() ? (view.isOpen.value = false) : crumbs.peek().length ? history.back() : go(searched.peek()))],
      "/": ["search", () => go(searched.peek())],
    },
    close: view.close,
  };
}

/** @param {View} view */
function waiting(view) {
  const error = view.raw.error.value;
  if (error) return failed(error, html`<button class="button" @click=${view.raw.refresh}>Try again</button>`);
  if (view.raw.data.value === undefined) return skeleton(12);
  return empty(
    "This trace is not here yet",
    html`<span class="mono">${view.id}</span><br>Spans arrive up to a few seconds after they end; the page goes on asking. If it is older, it may not have been sampled, or newer traces have taken its place.`,
    html`<a class="button" href=${href("traces")}>Search for traces</a>`,
  );
}

/** @param {View} view @param {Trace} trace */
function page(view, trace) {
  const span = trace.byId.get(view.selected.value);
  return html`<div class="traces trace">
    ${way(view)} ${header(view, trace)}
    ${trace.warnings.map((text) => html`<p class="notice" role="status">${icon("warning", "small")} ${text}</p>`)}
    ${view.raw.error.value && !isSettled(trace) ? html`<p class="notice" role="status">${icon("warning", "small")} ${view.raw.error.value.message}: shown is what had arrived</p>` : nothing}
    <div class="lower">
      <div class="picture" .style=${`--names:${NARROW.matches ? 132 : view.names.value}px`}>
        <div class="strip"><trace-minimap role="img" aria-label="The whole trace; drag to select a time" title="Drag to select a time, double-click for all of it"
          ${ref((element) => element && /** @type {import("./minimap.js").Minimap} */ (element).update(trace, view.shown()))}
          @range=${(/** @type {CustomEvent} */ event) => (view.range.value = isAll(event.detail, trace) ? undefined : event.detail)}></trace-minimap></div>
        ${axis(view)}
        <trace-waterfall role="treegrid" tabindex="0" aria-label="Spans; arrow keys move and fold, Enter opens" ${ref(view.holds)}
          @choose=${(/** @type {CustomEvent} */ event) => view.choose(event.detail.id, event.detail.opens)} @place=${() => view.remembers()}></trace-waterfall>
      </div>
      ${span && view.isOpen.value
        ? panel({ span, trace, path: view.path.value, linked: view.linked.data.value, logs: view.logs, close: () => (view.isOpen.value = false), follow: (link) => follow(link, view.label()), zoom: () => view.zoom() })
        : nothing}
    </div>
  </div>`;
}

/** @param {[number, number]} range @param {Trace} trace */
const isAll = ([from, to], trace) => from <= 0 && to >= trace.duration;

/** @param {Trace} trace */
const isSettled = (trace) => now() - (trace.start + trace.duration) / 1_000 > SETTLED_MS;

/** The way by which the reader came. @param {View} view */
function way(view) {
  const known = crumbs.value;
  if (!known.length) return nothing;
  return html`<nav class="crumbs row" aria-label="Way back">
    <button class="button plain" aria-label="Back" @click=${() => history.back()}>${icon("back", "small")}</button>
    ${known.map(({ to, label }, at) => html`<a class="cut" href=${to} @click=${(/** @type {Event} */ event) => {
      // As far back in the browser's history, too, so that its buttons agree.
      event.preventDefault();
      history.go(at - known.length);
    }}>${label}</a><span class="faint">›</span>`)}
    <span class="cut">${view.label()}</span>
  </nav>`;
}

/** @param {View} view @param {Trace} trace */
function header(view, trace) {
  const root = trace.roots[0];
  const fact = (/** @type {unknown} */ value, /** @type {unknown} */ what, name = "") => html`<span class="fact ${name}"><b>${value}</b> ${what}</span>`;
  const jaeger = hasDoor("/jaeger");
  return html`<header class="head">
    <div class="row wrap">
      <a class="button plain" title="Back to the search (Esc)" aria-label="Back to the search" href=${searched.value}>${icon("back", "small")}</a>
      <h2 class="cut"><span class="dot ${hueClass(root.service)}"></span> <span class="quiet">${root.service}</span> ${operation(root.name)}</h2>
      <span class="space"></span>
      <button class="button plain" aria-pressed=${view.withLogs.value} title="Log lines at their time (l)" @click=${() => (view.withLogs.value = !view.withLogs.value)}>${icon("events", "small")} Logs</button>
      ${similar(trace)}
      ${copier("Copy JSON", () => JSON.stringify({ data: [view.raw.data.peek()] }, null, 1))} ${copier("Copy link", () => location.href)}
      ${jaeger ? html`<a class="button plain" href="/jaeger/trace/${trace.id}" target="_blank" rel="noopener">${icon("open", "small")} Open in Jaeger</a>` : nothing}
    </div>
    <div class="row wrap facts-of">
      ${fact(duration(trace.duration / 1e6), "in all")}
      ${fact(trace.spans.length.toLocaleString("en-GB"), trace.spans.length === 1 ? "span" : "spans")} ${fact(trace.services.length, trace.services.length === 1 ? "service" : "services")}
      ${fact(trace.errors, trace.errors === 1 ? "error" : "errors", trace.errors ? "bad" : "")}
      <span class="fact" title=${utc(trace.start / 1_000)}>${time(trace.start / 1_000, { millis: true })}</span>
      ${trace.order ? html`<span class="fact">order <a class="mono" title="${trace.order}: its events" href=${href("events", [], { order: trace.order })}>${short(trace.order)}</a></span>` : nothing}
      <span class="fact">trace <span class="mono" title=${trace.id}>${short(trace.id)}</span></span>
      ${isSettled(trace) ? nothing : html`<span class="fact arriving" role="status"><span class="dot"></span> still arriving</span>`}
    </div>
    ${critical(view)}
  </header>`;
}

/** Where the time went that the end waited for. @param {View} view */
function critical(view) {
  const parts = view.path.value ? shares(view.path.value) : [];
  const named = parts.filter(({ share }) => share >= LEAST_SHARE);
  const rest = 1 - named.reduce((sum, { share }) => sum + share, 0);
  const name = (/** @type {typeof parts[0]} */ { service, kind }) => service || (kind === "hop" ? "over brokers" : "timers");
  return html`<div class="critical" aria-label="The critical path by service">
    <span class="faint">critical path</span>
    <span class="stack" aria-hidden="true">${parts.map((part) => html`<i class=${part.service ? hueClass(part.service) : part.kind} .style=${`width:${part.share * 100}%`}></i>`)}</span>
    <span class="row wrap">${named.map((part) => html`<span class="fact"><span class="dot ${part.service ? hueClass(part.service) : part.kind}"></span> ${name(part)} <b>${percent(part.share)}</b></span>`)}${named.length < parts.length ? html`<span class="fact">${parts.length - named.length} others <b>${percent(rest)}</b></span>` : nothing}</span>
  </div>`;
}

/** To the traces that begin in the same way, with this one ticked. @param {Trace} trace */
const similar = (trace) => html`<a class="button plain" title="Choose another trace that begins in the same way" href=${href("traces", [], { service: trace.roots[0].service, operation: trace.roots[0].name })}
  @click=${() => (ticked.value = [trace.id])}>${icon("flows", "small")} Compare</a>`;

/** @param {View} view */
function axis(view) {
  const [from, to] = view.shown();
  const ticks = [0, 0.25, 0.5, 0.75, 1];
  return html`<div class="axis">
    <div class="names"><span class="faint">Service and operation</span>${view.range.value ? html`<span class="space"></span><button class="chip" title="0" @click=${() => (view.range.value = undefined)}>whole trace ${icon("close", "small")}</button>` : nothing}</div>
    <div class="grip" role="separator" aria-orientation="vertical" aria-label="Width of the names" aria-valuenow=${view.names.value} aria-valuemin="120" aria-valuemax="800" tabindex="0"
      @pointerdown=${(/** @type {PointerEvent} */ event) => /** @type {Element} */ (event.target).setPointerCapture(event.pointerId)}
      @pointermove=${(/** @type {PointerEvent} */ event) => event.buttons && widen(view, view.names.peek() + event.movementX)}
      @keydown=${(/** @type {KeyboardEvent} */ event) => widen(view, view.names.peek() + ({ ArrowLeft: -16, ArrowRight: 16 }[event.key] ?? 0))}></div>
    <div class="ticks">${ticks.map((at) => html`<span .style=${`left:${at * 100}%`}>${duration((from + (to - from) * at) / 1e6)}</span>`)}</div>
  </div>`;
}

/** @param {View} view @param {number} width */
function widen(view, width) {
  view.names.value = Math.max(120, Math.min(800, width));
  localStorage.setItem("traces.names", String(view.names.value));
}
