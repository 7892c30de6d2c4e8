// Which rows of a trace are to be seen: what is collapsed is left out, log lines may be laid in, and only a window of them is drawn.

/** @typedef {import("./model.js").Span} Span */
/** @typedef {{ at: number, severity: string, service: string, body: string, span: string, attributes: Record<string, unknown> }} Line a log line, at microseconds since the trace began */
/** @typedef {{ span: Span, line?: Line }} Row */

/** @param {Span[]} spans in the tree's order @param {Set<string>} collapsed ids @param {Map<string, Line[]>} [lines] by the span's id @returns {Row[]} */
export function rowsOf(spans, collapsed, lines) {
  const rows = /** @type {Row[]} */ ([]);
  for (let index = 0; index < spans.length; index += 1) {
    const span = spans[index];
    rows.push({ span });
    for (const line of lines?.get(span.id) ?? []) rows.push({ span, line });
    if (collapsed.has(span.id)) index = span.last;
  }
  return rows;
}

/** The rows to draw: those in sight and some around them. @param {{ top: number, height: number, row: number, count: number, around?: number }} view @returns {[first: number, end: number]} */
export function windowOf({ top, height, row, count, around = 10 }) {
  const first = Math.min(Math.max(0, Math.floor(top / row) - around), count);
  const end = Math.max(first, Math.min(count, Math.ceil((top + height) / row) + around));
  return [first, end];
}

/** The scroll position that brings a row into sight with the least movement. @param {{ top: number, height: number, row: number, index: number }} view */
export function revealed({ top, height, row, index }) {
  const margin = Math.max(0, Math.min(row, (height - row) / 2));
  if (index * row < top + margin) return Math.max(0, index * row - margin);
  if ((index + 1) * row > top + height - margin) return (index + 1) * row - height + margin;
  return top;
}

/** The nearest span that is to be seen: itself, or the outermost one that is collapsed over it. @param {Span} span @param {Set<string>} collapsed */
export function shownFor(span, collapsed) {
  let shown = span;
  for (let parent = span.parent; parent; parent = parent.parent) if (collapsed.has(parent.id)) shown = parent;
  return shown;
}

/** Log lines by their span, each at its time; those of no span of the trace are left out. @param {any[]} items as lens answers @param {import("./model.js").Trace} trace @returns {Map<string, Line[]>} */
export function linesBySpan(items, trace) {
  const lines = new Map();
  for (const item of items) {
    if (!trace.byId.has(item.span_id)) continue;
    const line = lineOf(item, trace);
    lines.set(item.span_id, [...(lines.get(item.span_id) ?? []), line]);
  }
  return lines;
}

/** @param {any} item @param {import("./model.js").Trace} trace @returns {Line} */
export function lineOf(item, trace) {
  // `Date` drops the microseconds.
  const micros = Number(/\.\d{3}(\d{3})/.exec(item.at)?.[1] ?? 0);
  const at = Date.parse(item.at) * 1_000 + micros - trace.start;
  return { at, severity: item.severity, service: item.service, body: item.body, span: item.span_id ?? "", attributes: item.attributes };
}
