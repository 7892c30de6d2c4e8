// A trace as the page works with it: a tree of spans, made from Jaeger's JSON.

/** @typedef {{ trace: string, span: string }} Link */
/** @typedef {[key: string, value: string | number | boolean]} Tag */

/**
 * @typedef {object} Span
 * @property {string} id
 * @property {string} name
 * @property {string} service
 * @property {string} kind
 * @property {number} start in microseconds since the trace began
 * @property {number} end
 * @property {boolean} error
 * @property {Tag[]} tags
 * @property {Tag[]} resource
 * @property {{ at: number, name: string, tags: Tag[] }[]} events
 * @property {Link[]} links
 * @property {Span | undefined} parent what caused it: the parent, or the linked span of this trace if it names no parent
 * @property {Span[]} children by start
 * @property {number} depth
 * @property {number} index its place in the tree's order
 * @property {number} last the index of its last descendant
 * @property {string} missing the id of a parent that the trace does not have
 * @property {boolean} isLinked its parent is a linked span
 */

/**
 * @typedef {object} Trace
 * @property {string} id
 * @property {number} start in microseconds since the epoch
 * @property {number} duration in microseconds
 * @property {Span[]} spans in the tree's order
 * @property {Span[]} roots
 * @property {Map<string, Span>} byId
 * @property {{ service: string, spans: number, errors: number }[]} services in the order they took part
 * @property {number} errors
 * @property {string} order the order's id, if a span has one
 * @property {string[]} warnings
 */

/** The attribute with an order's id. */
export const ORDER = "order.id";

/** @param {any} trace a trace in Jaeger's JSON @returns {Trace} */
export function modelOf(trace) {
  const start = trace.spans.reduce((/** @type {number} */ least, /** @type {any} */ span) => Math.min(least, span.startTime), Infinity);
  const byId = new Map();
  for (const raw of trace.spans) if (!byId.has(raw.spanID)) byId.set(raw.spanID, spanOf(raw, trace, start));
  const roots = joined(byId, trace);
  const spans = ordered(roots);
  const services = new Map();
  for (const { service, error } of [...spans].sort((a, b) => a.start - b.start)) {
    const counts = services.get(service) ?? { service, spans: 0, errors: 0 };
    counts.spans += 1;
    counts.errors += Number(error);
    services.set(service, counts);
  }
  return {
    id: trace.traceID,
    start: spans.length ? start : 0,
    duration: spans.reduce((most, span) => Math.max(most, span.end), 0),
    spans,
    roots,
    byId,
    services: [...services.values()],
    errors: spans.filter((span) => span.error).length,
    order: String(spans.flatMap((span) => span.tags).find(([key]) => key === ORDER)?.[1] ?? ""),
    warnings: [...(trace.warnings ?? []), ...doubts(spans)],
  };
}

/** @param {any[] | undefined} tags @returns {Tag[]} */
const tagsOf = (tags) => (tags ?? []).map((tag) => [tag.key, tag.value]);

/** @param {any} raw @param {any} trace @param {number} start @returns {Span} */
function spanOf(raw, trace, start) {
  const process = trace.processes[raw.processID] ?? { serviceName: "unknown", tags: [] };
  const tags = tagsOf(raw.tags);
  const isParent = (/** @type {any} */ one) => one.refType === "CHILD_OF";
  return {
    id: raw.spanID,
    name: raw.operationName,
    service: process.serviceName,
    kind: String(tags.find(([key]) => key === "span.kind")?.[1] ?? ""),
    start: raw.startTime - start,
    end: raw.startTime - start + raw.duration,
    error: tags.some(([key, value]) => key === "error" && String(value) === "true"),
    tags: tags.filter(([key]) => key !== "span.kind" && key !== "error"),
    resource: tagsOf(process.tags),
    events: (raw.logs ?? []).map((/** @type {any} */ log) => {
      const fields = tagsOf(log.fields);
      const named = fields.findIndex(([key]) => key === "event");
      const name = named < 0 ? "event" : String(fields.splice(named, 1)[0][1]);
      return { at: log.timestamp - start, name, tags: fields };
    }),
    links: (raw.references ?? []).filter((/** @type {any} */ one) => !isParent(one)).map((/** @type {any} */ one) => ({ trace: one.traceID, span: one.spanID })),
    parent: undefined,
    children: [],
    depth: 0,
    index: 0,
    last: 0,
    missing: (raw.references ?? []).find(isParent)?.spanID ?? "",
    isLinked: false,
  };
}

/** Joins spans with their parents; returns those without one. @param {Map<string, Span>} byId @param {any} trace */
function joined(byId, trace) {
  for (const span of byId.values()) {
    const parent = byId.get(span.missing);
    const cause = parent ?? span.links.filter((link) => link.trace === trace.traceID).map((link) => byId.get(link.span)).find((one) => one && one !== span);
    if (parent) span.missing = "";
    span.isLinked = !parent && cause !== undefined;
    span.parent = cause;
  }
  cutCycles(byId.values());
  const roots = /** @type {Span[]} */ ([]);
  for (const span of byId.values()) (span.parent ? span.parent.children : roots).push(span);
  const byStart = (/** @type {Span} */ a, /** @type {Span} */ b) => a.start - b.start || b.end - a.end;
  for (const span of byId.values()) span.children.sort(byStart);
  return roots.sort(byStart);
}

/** A cycle of parents, which only a broken exporter makes, becomes a root and what is below. @param {Iterable<Span>} spans */
function cutCycles(spans) {
  const done = new Set();
  for (const first of spans) {
    const path = new Set();
    for (let span = /** @type {Span | undefined} */ (first); span && !done.has(span); span = span.parent) {
      path.add(span);
      if (span.parent && path.has(span.parent)) {
        span.parent = undefined;
        span.isLinked = false;
      }
    }
    for (const span of path) done.add(span);
  }
}

/** All spans, each before its children. @param {Span[]} roots */
function ordered(roots) {
  const spans = /** @type {Span[]} */ ([]);
  const open = [...roots].reverse();
  while (open.length) {
    const span = /** @type {Span} */ (open.pop());
    span.depth = span.parent ? span.parent.depth + 1 : 0;
    span.index = span.last = spans.length;
    spans.push(span);
    for (let child = span.children.length - 1; child >= 0; child -= 1) open.push(span.children[child]);
  }
  for (let index = spans.length - 1; index >= 0; index -= 1) {
    const { parent, last } = spans[index];
    if (parent) parent.last = Math.max(parent.last, last);
  }
  return spans;
}

/** What makes the picture incomplete or doubtful. @param {Span[]} spans */
function doubts(spans) {
  const found = [];
  const orphans = spans.filter((span) => span.missing).length;
  if (orphans) found.push(`${orphans} ${orphans === 1 ? "span names a parent that is" : "spans name parents that are"} not here: not sampled, dropped, or still to come`);
  const early = spans.filter((span) => span.parent && span.parent.service !== span.service && span.start < span.parent.start);
  for (const service of new Set(early.map((span) => span.service))) {
    const most = Math.max(...early.filter((span) => span.service === service).map((span) => /** @type {Span} */ (span.parent).start - span.start));
    found.push(`the clock of ${service} is at least ${(most / 1_000).toFixed(1)} ms behind its caller's: its spans begin before what caused them`);
  }
  return found;
}

/** Whether a message went from the parent to this span over a broker. @param {Span} span */
export const isHop = (span) => span.parent !== undefined && (span.isLinked || (span.kind === "consumer" && span.parent.kind === "producer"));

/** From the begin of `send` to the begin of `process`: a consumer may begin before the broker's answer has ended `send`. @param {Span} span */
export const hopDelay = (span) => span.start - /** @type {Span} */ (span.parent).start;

/** The times in which none of a span's children ran: what it did itself. @param {Span} span @returns {[from: number, to: number][]} */
export function selfTimes(span) {
  const times = /** @type {[number, number][]} */ ([]);
  let at = span.start;
  for (const child of span.children) {
    if (child.start >= span.end) break;
    if (child.start > at) times.push([at, child.start]);
    at = Math.max(at, Math.min(child.end, span.end));
  }
  if (at < span.end) times.push([at, span.end]);
  return times;
}

/** @param {Span} span in microseconds */
export const selfTime = (span) => selfTimes(span).reduce((sum, [from, to]) => sum + to - from, 0);
