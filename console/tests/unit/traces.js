// Small traces in Jaeger's JSON.

export const TRACE = "0af7651916cd43dd8448eb211c80319c";

/** When these traces begin, in microseconds since the epoch. */
const EPOCH = 1_000_000;

/**
 * @param {string} id @param {string} parent empty for a root @param {number} start in microseconds @param {number} end
 * @param {{ service?: string, name?: string, kind?: string, error?: boolean, links?: [trace: string, span: string][], logs?: unknown[] }} [options]
 */
export const span = (id, parent, start, end, { service = "svc", name = id, kind = "internal", error = false, links = [], logs = [] } = {}) => ({
  spanID: id,
  operationName: name,
  processID: service,
  startTime: EPOCH + start,
  duration: end - start,
  references: [...(parent ? [{ refType: "CHILD_OF", traceID: TRACE, spanID: parent }] : []), ...links.map(([traceID, spanID]) => ({ refType: "FOLLOWS_FROM", traceID, spanID }))],
  tags: [{ key: "span.kind", value: kind }, ...(error ? [{ key: "error", value: true }] : [])],
  logs,
});

/** @param {ReturnType<typeof span>[]} spans */
export const traceOf = (spans) => ({
  traceID: TRACE,
  spans,
  processes: Object.fromEntries(spans.map(({ processID }) => [processID, { serviceName: processID, tags: [] }])),
  warnings: null,
});
