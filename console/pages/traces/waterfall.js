// The waterfall: rows of fixed height, of which only those in sight exist. Scrolling reuses them.

import { hueClass } from "../../lib/color.js";
import { duration, operation } from "../../lib/format.js";
import { hopDelay, isHop, selfTimes } from "./model.js";
import { revealed, rowsOf, shownFor, windowOf } from "./rows.js";

/** @typedef {import("./model.js").Span} Span */
/** @typedef {import("./rows.js").Row} Row */
/** @typedef {[from: number, to: number]} Range */

export const ROW = 22;

/** The most connectors that are drawn at once; more are a black area. */
const MOST_HOPS = 100;
/** A connector of this many per cent of the width has room for its delay; beside a shorter one, the delay stands after the bar. */
const WIDE_HOP = 12;
const SVG = "http://www.w3.org/2000/svg";

/** @param {string} kind @param {string} className @param {Element} [parent] */
function make(kind, className, parent) {
  const element = document.createElement(kind);
  element.className = className;
  parent?.append(element);
  return element;
}

/** The row of one span or log line; it is filled again when another one scrolls into sight. */
class Line {
  /** @param {Waterfall} owner @param {number} slot */
  constructor(owner, slot) {
    this.owner = owner;
    this.index = -1;
    this.element = make("div", "span");
    this.element.id = `span-${slot}`;
    this.element.setAttribute("role", "row");
    const name = make("div", "name", this.element);
    name.setAttribute("role", "gridcell");
    this.twist = make("span", "twist", name);
    this.dot = make("i", "dot", name);
    this.service = make("span", "service", name);
    this.title = make("span", "title cut", name);
    this.links = make("span", "links-of", name);
    const line = make("div", "line", this.element);
    line.setAttribute("role", "gridcell");
    this.bar = make("i", "busy", line);
    this.path = make("i", "path", line);
    this.marks = make("span", "marks", line);
    this.time = make("span", "time", line);
    this.name = name;
  }

  /** @param {Row} row @param {number} index */
  fill(row, index) {
    const { span, line } = row;
    const { owner } = this;
    this.index = index;
    const isCollapsed = owner.collapsed.has(span.id);
    this.element.style.transform = `translateY(${index * ROW}px)`;
    this.element.className = `${line ? `span logged ${line.severity}` : "span"} ${hueClass(span.service)} ${span.error && !line ? "failed" : ""}`;
    this.element.setAttribute("aria-rowindex", String(index + 1));
    this.element.setAttribute("aria-level", String(span.depth + (line ? 2 : 1)));
    if (line || !span.children.length) this.element.removeAttribute("aria-expanded");
    else this.element.setAttribute("aria-expanded", String(!isCollapsed));
    this.mark();
    this.name.style.paddingLeft = `calc(4px + var(--indent) * ${Math.min(span.depth + (line ? 1 : 0), 24)})`;
    this.twist.textContent = line || !span.children.length ? "" : isCollapsed ? "▸" : "▾";
    this.service.textContent = line ? line.severity : span.service;
    this.title.title = line ? "" : span.name;
    this.title.textContent = line ? line.body : `${operation(span.name)}${isCollapsed ? ` (+${span.last - span.index})` : ""}`;
    const links = line ? 0 : (owner.linksOf?.(span) ?? 0);
    this.links.textContent = links ? `⇄ ${links}` : "";
    this.links.title = links ? "links to and from other traces" : "";
    if (line) this.drawTick(line.at);
    else this.draw(span);
  }

  mark() {
    const { span, line } = this.owner.rows[this.index];
    this.element.setAttribute("aria-selected", String(!line && span.id === this.owner.selected));
  }

  /** @param {Span} span */
  draw(span) {
    const [from, to] = this.owner.range;
    const at = (/** @type {number} */ time) => ((time - from) / (to - from)) * 100;
    const [start, end] = [Math.max(span.start, from), Math.min(span.end, to)];
    const isSeen = end >= from && start <= to;
    const left = at(start);
    const width = Math.max(0, at(end) - left);
    this.bar.hidden = this.path.hidden = !isSeen;
    this.marks.replaceChildren();
    const critical = this.owner.path?.get(span);
    if (isSeen) {
      const place = `left:${left}%;width:${width}%;`;
      this.bar.style.cssText = `${place}background:${stripes(selfTimes(span), [start, end], "var(--hue)", "var(--waits)")}`;
      this.path.hidden = !critical;
      if (critical) this.path.style.cssText = `${place}background:${stripes(critical, [start, end], "var(--text)", "transparent")}`;
      for (const event of span.events.slice(0, 20)) if (event.at >= from && event.at <= to) make("i", `event ${event.name === "exception" ? "bad" : ""}`, this.marks).style.left = `${at(event.at)}%`;
    }
    const isOnBar = isSeen && at(end) >= 84 && left <= 16;
    const hop = !isOnBar && isHop(span) && at(span.start) - at(/** @type {Span} */ (span.parent).start) < WIDE_HOP ? ` after ${duration(hopDelay(span) / 1e6)} on its way` : "";
    this.time.textContent = isSeen ? duration((span.end - span.start) / 1e6) + hop : span.end < from ? "‹" : "›";
    this.time.style.cssText = !isSeen ? (span.end < from ? "left:2px" : "right:2px") : isOnBar ? "right:6px" : at(end) < 84 ? `left:calc(${at(end)}% + 6px)` : `right:calc(${100 - left}% + 6px)`;
    this.time.classList.toggle("on-bar", isOnBar);
  }

  /** @param {number} time */
  drawTick(time) {
    const [from, to] = this.owner.range;
    this.bar.hidden = this.path.hidden = true;
    this.marks.replaceChildren();
    this.time.textContent = "";
    if (time >= from && time <= to) make("i", "tick", this.marks).style.left = `${((time - from) / (to - from)) * 100}%`;
  }
}

/** A gradient: `inside` at these times, `outside` else. @param {Range[]} times sorted either way @param {Range} within @param {string} inside @param {string} outside */
function stripes(times, [start, end], inside, outside) {
  const length = end - start;
  if (length <= 0) return inside;
  const stops = /** @type {string[]} */ ([]);
  let at = 0;
  const sorted = times.length > 1 && times[0][0] > times[1][0] ? [...times].reverse() : times;
  for (const [from, to] of sorted) {
    const [a, b] = [((Math.max(from, start) - start) / length) * 100, ((Math.min(to, end) - start) / length) * 100];
    // What is thinner than half a per cent of the bar cannot be seen, and a gradient of thousands of stops is slow.
    if (b <= at || (b - a < 0.5 && sorted.length > 100)) continue;
    stops.push(`${outside} ${at}% ${a}%`, `${inside} ${a}% ${b}%`);
    at = b;
  }
  return `linear-gradient(90deg,${[...stops, `${outside} ${at}% 100%`].join(",")})`;
}

/** `<trace-waterfall>`; its events are `choose` (detail: the span's id, and whether it was opened) and `place` (it has scrolled or collapsed). */
export class Waterfall extends HTMLElement {
  /** @type {Row[]} */
  rows = [];
  /** @type {import("./model.js").Trace | undefined} */
  trace;
  /** @type {Map<Span, Range[]> | undefined} */
  path;
  /** @type {Range} */
  range = [0, 1];
  /** @type {Set<string>} */
  collapsed = new Set();
  /** @type {Map<string, import("./rows.js").Line[]> | undefined} */
  lines;
  selected = "";
  /** How many links a span has to and from other traces. @type {((span: Span) => number) | undefined} */
  linksOf;
  /** @type {Line[]} */
  #pool = [];
  #frame = 0;
  /** @type {Map<Span, number>} */
  #places = new Map();
  /** @type {Span[]} */
  #hops = [];
  #height = 0;
  #resized = new ResizeObserver(() => {
    // On a phone the panel opens below: what is chosen stays in sight.
    if (this.#height > this.clientHeight) this.reveal(this.selected);
    this.#height = this.clientHeight;
    this.#soon();
  });

  connectedCallback() {
    if (!this.body) {
      this.body = make("div", "rows", this);
      this.body.setAttribute("role", "rowgroup");
      this.hops = document.createElementNS(SVG, "svg");
      this.hops.setAttribute("class", "hops");
      this.hops.setAttribute("aria-hidden", "true");
      this.append(this.hops);
    }
    this.addEventListener("scroll", this.#onScroll, { passive: true });
    this.addEventListener("click", this.#onClick);
    this.addEventListener("keydown", this.#onKey);
    this.#resized.observe(this);
  }

  disconnectedCallback() {
    this.#resized.disconnect();
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
  }

  /** Takes what has changed. @param {Partial<Pick<Waterfall, "trace" | "path" | "range" | "lines" | "selected" | "collapsed" | "linksOf">>} changes */
  update(changes) {
    const isStructure = ["trace", "lines", "collapsed"].some((name) => name in changes && changes[/** @type {"trace"} */ (name)] !== this[/** @type {"trace"} */ (name)]);
    Object.assign(this, changes);
    if (isStructure) this.#arrange();
    this.#all();
  }

  #arrange() {
    this.rows = rowsOf(this.trace?.spans ?? [], this.collapsed, this.lines);
    this.#places = new Map(this.rows.map(({ span, line }, index) => /** @type {[Span, number]} */ ([span, line ? -1 : index])).filter(([, index]) => index >= 0));
    this.#hops = this.rows.filter(({ span, line }) => !line && isHop(span)).map(({ span }) => span);
    this.setAttribute("aria-rowcount", String(this.rows.length));
    if (this.body) this.body.style.height = `${this.rows.length * ROW}px`;
  }

  /** Fills all rows again. */
  #all() {
    for (const line of this.#pool) line.index = -1;
    this.#soon();
  }

  #soon() {
    this.#frame ||= requestAnimationFrame(() => this.#draw());
  }

  #draw() {
    this.#frame = 0;
    if (!this.body || !this.isConnected) return;
    const [first, end] = windowOf({ top: this.scrollTop, height: this.clientHeight, row: ROW, count: this.rows.length });
    while (this.#pool.length < end - first) {
      const line = new Line(this, this.#pool.length);
      this.#pool.push(line);
      this.body.append(line.element);
    }
    const size = this.#pool.length;
    this.#pool.forEach((line, slot) => {
      const index = first + ((((slot - first) % size) + size) % size);
      const isSeen = index < end;
      line.element.hidden = !isSeen;
      if (isSeen && line.index !== index) line.fill(this.rows[index], index);
    });
    this.#drawHops(first, end);
    this.#markSelected();
  }

  #markSelected() {
    const place = this.rowOf(this.selected);
    const line = this.#pool.find((one) => one.index === place && !one.element.hidden);
    if (line) this.setAttribute("aria-activedescendant", line.element.id);
    else this.removeAttribute("aria-activedescendant");
  }

  /** A dashed line from the begin of `send` to the begin of `process`, with the delay. @param {number} first @param {number} end */
  #drawHops(first, end) {
    const [from, to] = this.range;
    const at = (/** @type {number} */ time) => ((time - from) / (to - from)) * 100;
    const drawn = [];
    for (const span of this.#hops) {
      const [above, below] = [this.#places.get(/** @type {Span} */ (span.parent)), this.#places.get(span)];
      if (above === undefined || below === undefined || below < first || above >= end || drawn.length >= MOST_HOPS) continue;
      const [x1, x2] = [at(/** @type {Span} */ (span.parent).start), at(span.start)];
      if ((x1 < 0 && x2 < 0) || (x1 > 100 && x2 > 100)) continue;
      const [top, bottom] = [Math.max(above, first) - first, Math.min(below, end) - first];
      drawn.push(lineOf(x1, (top + 0.75) * ROW, x1, (bottom + 0.5) * ROW), ...(below < end ? arrowOf(x1, x2, (bottom + 0.5) * ROW, hopDelay(span)) : []));
    }
    const hops = /** @type {SVGElement} */ (this.hops);
    hops.style.cssText = `transform:translateY(${first * ROW}px);height:${(end - first) * ROW}px`;
    hops.replaceChildren(...drawn);
  }

  /** The row of a span; -1 if it is not to be seen. @param {string} id */
  rowOf(id) {
    const span = this.trace?.byId.get(id);
    return (span && this.#places.get(span)) ?? -1;
  }

  /** Brings a span into sight. @param {string} id */
  reveal(id) {
    const span = this.trace?.byId.get(id);
    if (!span) return;
    if (shownFor(span, this.collapsed) !== span) {
      const collapsed = new Set(this.collapsed);
      for (let parent = span.parent; parent; parent = parent.parent) collapsed.delete(parent.id);
      this.update({ collapsed });
    }
    this.scrollTop = revealed({ top: this.scrollTop, height: this.clientHeight, row: ROW, index: this.rowOf(id) });
  }

  /** @param {string} id @param {boolean} opens */
  #choose(id, opens) {
    this.dispatchEvent(new CustomEvent("choose", { detail: { id, opens } }));
    this.reveal(id);
  }

  /** Chooses the span some rows further; log lines are passed over. @param {number} by */
  step(by) {
    if (!this.rows.length) return;
    let index = this.rowOf(this.selected);
    for (let left = Math.abs(by), next = index; left > 0; ) {
      next += Math.sign(by);
      const row = this.rows[next];
      if (!row) break;
      if (!row.line) [index, left] = [next, left - 1];
    }
    const row = this.rows[Math.max(0, index)];
    this.#choose(row.span.id, false);
  }

  /** @param {Span} span @param {boolean} [to] collapsed or not; the other one by default */
  toggle(span, to = !this.collapsed.has(span.id)) {
    if (!span.children.length) return;
    const collapsed = new Set(this.collapsed);
    if (to) collapsed.add(span.id);
    else collapsed.delete(span.id);
    this.update({ collapsed });
    this.dispatchEvent(new Event("place"));
  }

  #onScroll = () => {
    this.#soon();
    this.dispatchEvent(new Event("place"));
  };

  /** @param {MouseEvent} event */
  #onClick = (event) => {
    const target = /** @type {Element} */ (event.target);
    const line = this.#pool.find((one) => one.element.contains(target));
    const row = line && this.rows[line.index];
    if (!row) return;
    if (target.classList.contains("twist") && target.textContent) this.toggle(row.span);
    else this.#choose(row.span.id, true);
  };

  /** @param {KeyboardEvent} event */
  #onKey = (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const span = this.trace?.byId.get(this.selected);
    const page = Math.max(1, Math.floor(this.clientHeight / ROW) - 1);
    const acts = /** @type {Record<string, () => void>} */ ({
      ArrowDown: () => this.step(1),
      ArrowUp: () => this.step(-1),
      j: () => this.step(1),
      k: () => this.step(-1),
      PageDown: () => this.step(page),
      PageUp: () => this.step(-page),
      Home: () => this.rows.length && this.#choose(this.rows[0].span.id, false),
      End: () => this.rows.length && this.#choose(/** @type {Row} */ (this.rows.at(-1)).span.id, false),
      ArrowLeft: () => span && (span.children.length && !this.collapsed.has(span.id) ? this.toggle(span, true) : span.parent && this.#choose(span.parent.id, false)),
      ArrowRight: () => span && (this.collapsed.has(span.id) ? this.toggle(span, false) : span.children[0] && this.#choose(span.children[0].id, false)),
      Enter: () => span && this.#choose(span.id, true),
    });
    if (!acts[event.key]) return;
    event.preventDefault();
    event.stopPropagation();
    acts[event.key]();
  };
}

/** @param {number} x1 in per cent @param {number} y1 @param {number} x2 @param {number} y2 */
function lineOf(x1, y1, x2, y2) {
  const line = document.createElementNS(SVG, "line");
  for (const [name, value] of Object.entries({ x1: `${x1}%`, y1, x2: `${x2}%`, y2 })) line.setAttribute(name, String(value));
  return line;
}

/** @param {number} x1 in per cent @param {number} x2 @param {number} y @param {number} delay in microseconds */
function arrowOf(x1, x2, y, delay) {
  const text = document.createElementNS(SVG, "text");
  text.setAttribute("x", `${(x1 + x2) / 2}%`);
  text.setAttribute("y", String(y - 3));
  text.setAttribute("text-anchor", "middle");
  text.textContent = x2 - x1 < WIDE_HOP ? "" : duration(delay / 1e6);
  // Nested, since the points of a path have no per cent.
  const end = document.createElementNS(SVG, "svg");
  for (const [name, value] of Object.entries({ x: `${x2}%`, y, overflow: "visible" })) end.setAttribute(name, String(value));
  end.appendChild(document.createElementNS(SVG, "path")).setAttribute("d", "M-6-3.5 0 0-6 3.5z");
  return [lineOf(x1, y, x2, y), end, text];
}

customElements.define("trace-waterfall", Waterfall);
