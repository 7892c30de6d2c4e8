// Where traces come from: lens, or Jaeger where there is no lens.

import { ApiError, get } from "../../lib/api.js";
import { hasLoki, latest } from "../../lib/loki.js";
import { hasLens, jaeger, now } from "../../lib/mesh.js";
import { modelOf } from "./model.js";
import { summaryOf } from "./summary.js";

/** @typedef {import("./model.js").Trace} Trace */
/** @typedef {import("./summary.js").Summary} Summary */

/** @param {AbortSignal} signal @returns {Promise<string[]>} */
export const services = async (signal) => (await get(`${jaeger()}/services`, { signal })).data ?? [];

/** @param {string} service @param {AbortSignal} signal @returns {Promise<string[]>} */
export async function operations(service, signal) {
  if (!service) return [];
  return (await get(`${jaeger()}/services/${encodeURIComponent(service)}/operations`, { signal })).data ?? [];
}

/**
 * The traces that match, newest first.
 * @param {import("./query.js").Query} query
 * @param {{ from: number, to: number, limit: number }} range in milliseconds since the epoch
 * @param {AbortSignal} signal
 * @returns {Promise<Summary[]>}
 */
export async function search(query, { from, to, limit }, signal) {
  const { service, operation, min, max, error, order, attrs, probes } = query;
  const params = new URLSearchParams({ start: String(Math.round(from * 1_000)), end: String(Math.round(to * 1_000)), limit: String(limit) });
  const set = (/** @type {Record<string, string>} */ values) => Object.entries(values).forEach(([name, value]) => value && params.set(name, value));
  // The duration is that of the span which is described; without a description, that of the trace, which the list shows.
  const isOfSpan = service || operation || attrs.length || error;
  set(isOfSpan ? { minDuration: min, maxDuration: max } : { minTotal: min, maxTotal: max });
  set({ operation });
  const tags = /** @type {Record<string, string>} */ ({ ...Object.fromEntries(attrs), ...(order && { "order.id": order }), ...(error && { error: "true" }) });
  for (const [key, value] of Object.entries(tags)) params.append("tag", `${key}:${value}`);
  if (hasLens()) {
    set({ service, probes: probes ? "true" : "" });
    return (await get(`/lens/v1/traces?${params}`, { signal })).items;
  }
  // Jaeger searches one service, and for durations of spans.
  set({ service: service || "gateway", minDuration: min, maxDuration: max });
  const answer = await get(`/jaeger/api/traces?${params}`, { signal });
  return answer.data.map((/** @type {any} */ trace) => summaryOf(modelOf(trace))).sort((/** @type {Summary} */ a, /** @type {Summary} */ b) => b.start - a.start);
}

/** A trace in Jaeger's JSON; nothing if it is not there, or not yet. @param {string} id @param {AbortSignal} [signal] @returns {Promise<any | undefined>} */
export async function trace(id, signal) {
  // A trace that is missing is no error in this answer, and none in the browser's console.
  if (hasLens()) return (await get(`/lens/api/traces?traceID=${id}`, { signal })).data[0];
  try {
    return (await get(`/jaeger/api/traces/${id}`, { signal })).data?.[0];
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return undefined;
    throw error;
  }
}

/** @typedef {{ here: string, trace: string, span: string, service: string, name: string }} Linked a link between the span `here` and a span of another trace */
/** @typedef {{ from: Linked[], to: Linked[] }} Links */

/** The links of other traces to this one, and its links to others. Jaeger cannot answer the first. @param {string} id @param {AbortSignal} signal @returns {Promise<Links>} */
export const linked = async (id, signal) => (hasLens() ? get(`/lens/v1/traces/${id}/linked`, { signal }) : { from: [], to: [] });

const LINES = 1_000;

/** Our Loki keeps lines for three hours. */
const LOKI_SECONDS = 10_800;

/** The log lines of a trace, oldest first. @param {string} id @param {AbortSignal} signal @returns {Promise<any[]>} */
export async function logs(id, signal) {
  if (hasLens()) return (await get(`/lens/v1/logs?trace_id=${id}&limit=${LINES}`, { signal })).items;
  if (!(await hasLoki(signal))) return [];
  const to = now() / 1000;
  return (await latest(`{service_name=~".+"} | trace_id="${id}"`, { from: to - LOKI_SECONDS, to, limit: LINES, signal })).reverse();
}
