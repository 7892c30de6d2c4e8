// The critical path: what the end of a trace waited for, followed backwards from what ended last, over calls and brokers.

import { isHop } from "./model.js";

/** @typedef {import("./model.js").Span} Span */
/** @typedef {{ span: Span, from: number, to: number, kind: "work" | "hop" | "wait" }} Part a time on the path; a hop is the way of a message to `span`, a wait what passed before `span` was begun by a timer or from a queue */

/** Whether the parent waited for it: it ran within the parent's time. @param {Span} span @param {Span} parent */
const isCall = (span, parent) => !isHop(span) && span.start >= parent.start && span.end <= parent.end;

/**
 * @typedef {object} Path
 * @property {Part[]} parts latest first
 * @property {Map<Span, [from: number, to: number][]>} times of work by span, latest first
 */

/** @param {import("./model.js").Trace} trace @returns {Path} */
export function criticalPath(trace) {
  const path = new Backwards(trace);
  path.walk();
  const times = new Map();
  for (const { span, from, to, kind } of path.parts) {
    if (kind !== "work") continue;
    if (!times.has(span)) times.set(span, []);
    times.get(span).push([from, to]);
  }
  return { parts: path.parts, times };
}

class Backwards {
  /** @param {import("./model.js").Trace} trace */
  constructor(trace) {
    /** @type {Part[]} */
    this.parts = [];
    this.spans = trace.spans;
    this.byEnd = [...trace.spans].filter((span) => !span.parent || !isCall(span, span.parent)).sort((a, b) => b.end - a.end);
    /** Spans that were followed: none is twice on the path, so the walk ends. @type {Set<Span>} */
    this.seen = new Set();
    /** @type {Map<Span, { calls: Span[], next: number }>} */
    this.calls = new Map();
  }

  walk() {
    const last = this.byEnd[0];
    if (!last) return;
    /** Spans from the outermost in; each was followed back to `at`. @type {{ span: Span, at: number, top: Span | undefined }[]} */
    const open = [];
    this.follow(open, last, last.end, undefined);
    while (open.length) {
      const { span, at, top } = open[open.length - 1];
      const waited = this.waitedFor(span, at);
      if (waited) {
        this.add(span, waited.end, at);
        open[open.length - 1].at = waited.end;
        this.follow(open, waited, waited.end, span);
        continue;
      }
      this.add(span, span.start, at);
      open.pop();
      const { parent } = span;
      const outer = open[open.length - 1];
      if (!parent || parent === top || this.seen.has(parent)) {
        if (outer) outer.at = Math.min(outer.at, span.start);
        continue;
      }
      if (parent.end < span.start) this.parts.push({ span, from: parent.end, to: span.start, kind: isHop(span) ? "hop" : "wait" });
      this.follow(open, parent, Math.min(parent.end, span.start), top);
    }
  }

  /** @param {{ span: Span, at: number, top: Span | undefined }[]} open @param {Span} span @param {number} at @param {Span | undefined} top */
  follow(open, span, at, top) {
    this.seen.add(span);
    open.push({ span, at, top });
  }

  /** What ended last before `at` of all that the span caused: a call; for a root, which may last until the result is painted, also work beyond a broker. @param {Span} span @param {number} at */
  waitedFor(span, at) {
    const call = this.lastCall(span, at);
    if (span.parent) return call;
    const least = call ? call.end : span.start;
    for (let index = this.firstEndedBy(Math.min(at, span.end)); index < this.byEnd.length && this.byEnd[index].end > least; index += 1) {
      const other = this.byEnd[index];
      if (other.index > span.index && other.index <= span.last && !this.seen.has(other)) return other;
    }
    return call;
  }

  /** @param {Span} span @param {number} at */
  lastCall(span, at) {
    let known = this.calls.get(span);
    if (!known) {
      known = { calls: span.children.filter((child) => isCall(child, span)).sort((a, b) => b.end - a.end), next: 0 };
      this.calls.set(span, known);
    }
    while (known.next < known.calls.length && (known.calls[known.next].end > at || this.seen.has(known.calls[known.next]))) known.next += 1;
    return known.calls[known.next];
  }

  /** @param {number} at */
  firstEndedBy(at) {
    let [low, high] = [0, this.byEnd.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.byEnd[middle].end > at) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** @param {Span} span @param {number} from @param {number} to */
  add(span, from, to) {
    if (to > from) this.parts.push({ span, from, to, kind: "work" });
  }
}

/** How the path's time is shared: by service, on the way over brokers, and waiting for timers. @param {Path} path @returns {{ service: string, kind: Part["kind"], time: number, share: number }[]} largest first; the service is empty for hops and waits */
export function shares(path) {
  const times = new Map();
  let all = 0;
  for (const { span, from, to, kind } of path.parts) {
    const service = kind === "work" ? span.service : "";
    const known = times.get(service + kind) ?? { service, kind, time: 0 };
    known.time += to - from;
    times.set(service + kind, known);
    all += to - from;
  }
  return [...times.values()].map((one) => ({ ...one, share: one.time / all })).sort((a, b) => b.time - a.time);
}
