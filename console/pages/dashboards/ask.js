// Asks what a panel shows. A few queries at a time: lens evaluates two at once, and the others wait there.

import { get } from "../../lib/api.js";
import { hasLoki, latest } from "../../lib/loki.js";
import { jaeger, now } from "../../lib/mesh.js";
import * as prometheus from "../../lib/prometheus.js";
import { fill, logQuery, legend, metricsOf } from "./query.js";

/** @typedef {import("./definition.js").Panel} Panel */
/** @typedef {import("./definition.js").Target} Target */
/** @typedef {import("./query.js").Span} Span */
/** @typedef {{ span: Span, variables: import("./definition.js").Variable[], values: import("./query.js").Values }} Asked */
/** @typedef {{ name: string, labels: Record<string, string>, points: [number, number][] }} Named */
/** @typedef {{ at: number, value: number, href: string }} Exemplar */
/**
 * @typedef {object} Answer what the queries of a panel said
 * @property {Named[]} [series]
 * @property {Exemplar[]} [exemplars]
 * @property {{ refId: string, samples: prometheus.Sample[] }[]} [tables]
 * @property {any[]} [traces]
 * @property {any[]} [calls]
 * @property {any[]} [logs]
 * @property {string} [note] where the answer differs from what the definition asks
 */

const AT_ONCE = 2;
let running = 0;
/** @type {(() => void)[]} */
const waiting = [];

/** Runs when it is its turn; what nobody wants any more does not run. @template T @param {AbortSignal} signal @param {() => Promise<T>} run @returns {Promise<T>} */
export async function inTurn(signal, run) {
  if (running >= AT_ONCE) await new Promise((/** @type {(value?: unknown) => void} */ turn) => waiting.push(() => turn()));
  running += 1;
  try {
    signal.throwIfAborted();
    return await run();
  } finally {
    running -= 1;
    waiting.shift()?.();
  }
}

/** Whether a panel shows the present only, so that one value is enough. @param {Panel} panel @param {Target} target */
const isInstant = (panel, target) => Boolean(target.instant) || (panel.type === "stat" && panel.options?.graphMode !== "area");

/** The panel's answer. @param {Panel} panel @param {Asked} asked @param {AbortSignal} signal @returns {Promise<Answer>} */
export async function answer(panel, asked, signal) {
  const targets = panel.targets ?? [];
  const type = targets[0]?.datasource?.type ?? "prometheus";
  if (type === "jaeger") return targets[0].queryType === "search" ? traces(targets[0], asked, signal) : calls(signal);
  if (type === "loki") return logs(targets[0], asked, signal);
  const parts = await Promise.all(targets.map((target) => metrics(panel, target, asked, signal)));
  return { series: parts.flatMap((part) => part.series ?? []), tables: parts.flatMap((part) => part.tables ?? []), exemplars: parts.flatMap((part) => part.exemplars ?? []) };
}

/** @param {Panel} panel @param {Target} target @param {Asked} asked @param {AbortSignal} signal @returns {Promise<Answer>} */
async function metrics(panel, target, { span, variables, values }, signal) {
  const query = fill(target.expr, span, variables, values);
  if (isInstant(panel, target)) {
    const samples = await inTurn(signal, () => prometheus.instant(query, { time: span.to, signal }));
    const series = samples.map(({ labels, value }) => ({ name: legend(target.legendFormat, labels), labels, points: /** @type {[number, number][]} */ ([[span.to, value]]) }));
    return { series, tables: [{ refId: target.refId, samples }] };
  }
  const { from: start, to: end, step } = span;
  const found = await inTurn(signal, () => prometheus.range(query, { start, end, step, signal }));
  const series = found.map(({ labels, points }) => ({ name: legend(target.legendFormat, labels), labels, points }));
  return { series, exemplars: target.exemplar ? await exemplars(query, span, signal) : [] };
}

/** Exemplars are an addition: the chart is shown without them, too. @param {string} query @param {Span} span @param {AbortSignal} signal @returns {Promise<Exemplar[]>} */
async function exemplars(query, { from: start, to: end }, signal) {
  try {
    const found = await inTurn(signal, () => prometheus.exemplars(query, { start, end, signal }));
    return found.flatMap((one) => one.exemplars).map(({ labels, value, timestamp }) => ({ at: timestamp, value: Number(value), href: `#/traces/${labels.trace_id}` }));
  } catch (error) {
    if (signal.aborted) throw error;
    return [];
  }
}

/** @param {Target} target @param {Asked} asked @param {AbortSignal} signal @returns {Promise<Answer>} */
async function traces({ service = "", operation, minDuration, limit = 20 }, { span, variables, values }, signal) {
  const params = new URLSearchParams({ service: fill(service, span, variables, values), limit: String(limit), start: String(span.from * 1e6), end: String((span.to + span.step) * 1e6) });
  if (operation) params.set("operation", operation);
  if (minDuration) params.set("minDuration", minDuration);
  const found = await inTurn(signal, () => get(`${jaeger()}/traces?${params}`, { signal }));
  return { traces: found.data ?? [] };
}

/** @param {AbortSignal} signal @returns {Promise<Answer>} */
async function calls(signal) {
  const found = await inTurn(signal, () => get("/lens/v1/topology?window=60s", { signal }));
  const name = (/** @type {string} */ id) => found.nodes.find((/** @type {any} */ node) => node.id === id)?.name ?? id;
  return {
    calls: found.edges.map((/** @type {any} */ edge) => ({ ...edge, from: name(edge.source), to: name(edge.target) })),
    note: "The last minute, as lens counts it from spans.",
  };
}

/** As many log lines as a panel shows. */
const LINES = 200;

/** @param {Target} target @param {Asked} asked @param {AbortSignal} signal @returns {Promise<Answer>} */
async function logs({ expr }, { span, variables, values }, signal) {
  const query = fill(expr, span, variables, values);
  const { from, to, step } = span;
  if (await hasLoki(signal)) return { logs: await inTurn(signal, () => latest(query, { from, to: to + step, limit: LINES, signal })), note: `From Loki: the latest lines, at most ${LINES}.` };
  const { service, severity } = logQuery(query);
  const params = new URLSearchParams({ since: `${Math.max(1, Math.ceil(now() / 1000 - from))}s`, limit: String(LINES) });
  if (service) params.set("service", service);
  if (severity) params.set("severity", severity);
  const found = await inTurn(signal, () => get(`/lens/v1/logs?${params}`, { signal }));
  const end = (to + step) * 1000;
  const items = found.items.filter((/** @type {any} */ line) => Date.parse(line.at) <= end);
  return { logs: items.reverse(), note: `From lens, which keeps the latest lines in memory: at most ${LINES} of them, with their attributes in place of the format that the definition gives Loki.` };
}

/** Metrics that exist only in some places, and where. */
const ONLY = /** @type {[RegExp, string][]} */ ([
  [/^prometheus_/, "Prometheus reports it of itself; where lens answers in its place, nothing does. Compose and Kubernetes have a Prometheus."],
  [/^(mesh_memory_limit|mesh_memory_used|mesh_memory_oom)/, "Only a process with a memory limit has it: in Compose and Kubernetes."],
  [/^(kube_|container_)/, "Only Kubernetes has it."],
  [/^(otelcol_|loki_|jaeger_)/, "Only that part reports it; Compose and Kubernetes have it."],
]);

/** Why a query found nothing, and how there would be something. @param {Panel} panel @param {Asked} asked @param {AbortSignal} signal @returns {Promise<string>} */
export async function whyEmpty(panel, { span, variables, values }, signal) {
  const [{ datasource } = /** @type {Partial<Target>} */ ({})] = panel.targets ?? [];
  if (datasource?.type === "loki") return "No such line was written in this time.";
  if (datasource?.type === "jaeger") return "No such trace began in this time: place some orders, or choose another time.";
  const metrics = [...new Set((panel.targets ?? []).flatMap(({ expr }) => (expr ? metricsOf(fill(expr, span, variables, values)) : [])))];
  const known = new Set(await inTurn(signal, () => prometheus.labelValues("__name__", { signal })));
  const missing = metrics.filter((name) => !known.has(name));
  if (!missing.length) return "The query has no result in this time: what it counts has not happened.";
  const only = ONLY.find(([pattern]) => missing.some((name) => pattern.test(name)));
  return `There is no ${missing.join(", ")}. ${only?.[1] ?? "It appears with the first event that it counts: place some orders, or choose another time."}`;
}
