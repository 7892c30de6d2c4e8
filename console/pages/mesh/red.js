// The queries of a drawer: rate, errors and durations of a node over the last minutes.

import { range } from "../../lib/prometheus.js";

export const RANGE_SECONDS = 300;
export const STEP_SECONDS = 5;

/** @typedef {{ label: string, query: string, color?: string }} Line */
/** @typedef {{ label: string, unit: string, lines: Line[], max?: number }} Chart */

const WORK = "http_server_request_duration_seconds|rpc_server_call_duration_seconds|messaging_process_duration_seconds";
const FAULTS = "UNKNOWN|DEADLINE_EXCEEDED|UNIMPLEMENTED|INTERNAL|UNAVAILABLE|DATA_LOSS";

/** A text as a value in a matcher. @param {string} text */
const quoted = (text) => JSON.stringify(text);

const suffixed = (/** @type {string} */ families, /** @type {string} */ end) => families.split("|").map((family) => `${family}_${end}`).join("|");

/** @param {string} families @param {string} labels @returns {Line[]} */
const quantiles = (families, labels) =>
  [["p50", "0.5", "--hue-0"], ["p99", "0.99", "--hue-1"]].map(([label, quantile, color]) => ({
    label,
    color,
    query: `histogram_quantile(${quantile}, sum by (le) (rate({__name__=~"${suffixed(families, "bucket")}", ${labels}}[30s])))`,
  }));

/** @param {string} families @param {string} labels */
const perSecond = (families, labels) => `sum(rate({__name__=~"${suffixed(families, "count")}", ${labels}}[30s]))`;

/** @param {string} name @returns {Chart[]} */
function service(name) {
  const job = `job=${quoted(name)}`;
  const failed = [
    `sum(rate(http_server_request_duration_seconds_count{${job}, http_response_status_code=~"5.."}[30s]))`,
    `sum(rate(rpc_server_call_duration_seconds_count{${job}, rpc_response_status_code=~"${FAULTS}"}[30s]))`,
    `sum(rate(messaging_process_duration_seconds_count{${job}, outcome="dead_lettered"}[30s]))`,
  ];
  return [
    { label: "Calls and events", unit: "reqps", max: 1, lines: [{ label: "handled", query: perSecond(WORK, job) }, { label: "failed", color: "--bad", query: failed.map((one) => `(${one} or vector(0))`).join(" + ") }] },
    { label: "Duration", unit: "s", lines: quantiles(WORK, job) },
    { label: "Memory", unit: "bytes", lines: [{ label: "resident", query: `sum(process_resident_memory_bytes{${job}})` }] },
    { label: "CPU", unit: "percentunit", max: 0.1, lines: [{ label: "of one core", query: `sum(rate(process_cpu_seconds_total{${job}}[30s]))` }] },
  ];
}

/** @param {string} name @returns {Chart[]} */
function topic(name) {
  const labels = `messaging_destination_name=${quoted(name)}`;
  return [
    { label: "Messages", unit: "reqps", max: 1, lines: [
      { label: "sent", query: `sum(rate(messaging_client_operation_duration_seconds_count{${labels}, messaging_operation_name="send"}[30s]))` },
      { label: "handled", query: `sum(rate(messaging_process_duration_seconds_count{${labels}, outcome!~"skipped|duplicate|abandoned"}[30s]))` },
    ] },
    { label: "Lag", unit: "short", max: 10, lines: [{ label: "waiting", query: `sum(mesh_consumer_lag{topic=${quoted(name)}})` }] },
    { label: "Dead letters", unit: "short", max: 1, lines: [{ label: "in 5 minutes", color: "--bad", query: `sum(increase(mesh_dead_letters_total{topic=${quoted(name)}}[5m])) or vector(0)` }] },
  ];
}

/** The charts of a node. @param {import("./model.js").Node} node @returns {Chart[]} */
export function chartsOf({ kind, name, owner }) {
  if (kind === "service") return service(name);
  if (kind === "topic") return topic(name);
  if (kind === "browser") {
    const labels = 'job="gateway"';
    return [{ label: "Requests to the gateway", unit: "reqps", max: 1, lines: [{ label: "requests", query: perSecond("http_server_request_duration_seconds", labels) }] }, { label: "Duration", unit: "s", lines: quantiles("http_server_request_duration_seconds", labels) }];
  }
  if (kind === "external") {
    const labels = `server_address=${quoted(name)}`;
    const count = (/** @type {string} */ more) => `sum(rate(http_client_request_duration_seconds_count{${labels}${more}}[30s]))`;
    return [{ label: "Calls", unit: "reqps", max: 1, lines: [{ label: "calls", query: count("") }, { label: "failed", color: "--bad", query: `${count(', error_type!=""')} or vector(0)` }] }, { label: "Duration", unit: "s", lines: quantiles("http_client_request_duration_seconds", labels) }];
  }
  if (kind === "database" && owner) {
    const labels = `job=${quoted(owner.replace(/^service:/, ""))}`;
    return [{ label: "Queries", unit: "reqps", max: 1, lines: [{ label: "queries", query: perSecond("db_client_operation_duration_seconds", labels) }] }, { label: "Duration", unit: "s", lines: quantiles("db_client_operation_duration_seconds", labels) }];
  }
  return [];
}

/** @param {Chart[]} charts @param {{ start: number, end: number, step: number, signal: AbortSignal }} span */
export const ask = (charts, span) =>
  Promise.all(charts.map(async ({ label, unit, lines, max }) => ({
    label,
    unit,
    max,
    height: 64,
    step: span.step,
    group: "node",
    range: { from: span.start, to: span.end },
    lines: await Promise.all(lines.map(async ({ label: line, query, color }) => ({ label: line, color, points: (await range(query, span))[0]?.points ?? [] }))),
  })));
