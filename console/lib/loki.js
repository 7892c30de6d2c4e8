// Loki's queries, which the front door passes on where there is a Loki; elsewhere log lines are those of lens.

import { get } from "./api.js";
import { about } from "./mesh.js";

/** @typedef {{ at: string, severity: string, service: string, body: string, trace_id?: string, span_id?: string, attributes: Record<string, unknown> }} Line */

/** Whether there is a Loki. @param {AbortSignal} [signal] @returns {Promise<boolean>} */
export const hasLoki = async (signal) => Boolean((about.data.peek() ?? (await get("/console.json", { signal }))).loki);

/** What Loki adds to the attributes of a line: the process that wrote it, fields of OTLP, and its own. */
const ADDED = /^(trace_id|span_id|flags|observed_timestamp|detected_level|(severity|scope|service|process|telemetry|host|os|k8s|deployment)_\w+|__\w+__)$/;

/** @param {{ stream: Record<string, string>, values: [nanoseconds: string, line: string][] }} stream @returns {[nanoseconds: string, line: Line][]} */
function linesOf({ stream, values }) {
  const { trace_id, span_id, severity_text, detected_level = "", service_name: service = "" } = stream;
  const severity = (severity_text || detected_level).toLowerCase();
  return values.map(([at, body]) => {
    // What the format of the query has put into the line is not repeated.
    const attributes = Object.fromEntries(Object.entries(stream).filter(([name, value]) => !ADDED.test(name) && !body.includes(`=${value}`)));
    return [at, { at: new Date(Number(at.slice(0, -6))).toISOString(), severity, service, body, trace_id, span_id, attributes }];
  });
}

/** The streams of an answer as lines, newest first. @param {Parameters<typeof linesOf>[0][]} streams */
export const newestFirst = (streams) => streams.flatMap(linesOf).sort(([a], [b]) => (a < b ? 1 : a > b ? -1 : 0)).map(([, line]) => line);

/** The latest lines that match, newest first; times in seconds. @param {string} query @param {{ from: number, to: number, limit: number, signal?: AbortSignal }} options @returns {Promise<Line[]>} */
export async function latest(query, { from, to, limit, signal }) {
  const nanoseconds = (/** @type {number} */ seconds) => `${Math.round(seconds * 1e3)}000000`;
  const params = new URLSearchParams({ query, start: nanoseconds(from), end: nanoseconds(to), limit: String(limit), direction: "backward" });
  const { data } = await get(`/loki/api/v1/query_range?${params}`, { signal });
  if (data.resultType !== "streams") throw new Error(`Loki answers with a ${data.resultType} instead of log lines: the query counts them.`);
  return newestFirst(data.result);
}
