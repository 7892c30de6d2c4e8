// A trace in a few numbers, as the list of a search shows it.

/**
 * @typedef {object} Summary
 * @property {string} id
 * @property {string} service of the root
 * @property {string} name of the root
 * @property {number} start in milliseconds since the epoch
 * @property {number} duration in microseconds
 * @property {number} spans
 * @property {number} errors
 * @property {string} order
 * @property {{ service: string, spans: number, errors: number, times: [from: number, to: number][] }[]} services with the times in which they worked, in microseconds since the start
 */

/** Pauses shorter than this share of the trace cannot be seen in a list. */
const SHORTEST_PAUSE = 1 / 100;

/** @param {import("./model.js").Trace} trace @returns {Summary} */
export function summaryOf(trace) {
  const root = trace.roots[0];
  const services = trace.services.map((counts) => {
    const spans = trace.spans.filter((span) => span.service === counts.service);
    return { ...counts, times: together(spans, trace.duration * SHORTEST_PAUSE) };
  });
  return {
    id: trace.id,
    service: root?.service ?? "",
    name: root?.name ?? "",
    start: trace.start / 1_000,
    duration: trace.duration,
    spans: trace.spans.length,
    errors: trace.errors,
    order: trace.order,
    services,
  };
}

/** The times in which at least one of the spans ran. @param {{ start: number, end: number }[]} spans @param {number} pause shorter ones are not shown */
function together(spans, pause) {
  const times = /** @type {[number, number][]} */ ([]);
  for (const { start, end } of [...spans].sort((a, b) => a.start - b.start)) {
    const last = times.at(-1);
    if (last && start - last[1] <= pause) last[1] = Math.max(last[1], end);
    else times.push([start, end]);
  }
  return times;
}
