// Prometheus' HTTP API: the real one where it is, lens otherwise; the path is the same.

import { get } from "./api.js";

const BASE = "/prometheus/api/v1";

/** @typedef {{ labels: Record<string, string>, value: number }} Sample */
/** @typedef {{ labels: Record<string, string>, points: [seconds: number, value: number][] }} Series */

/** @param {string} path @param {Record<string, string | number | undefined>} params @param {AbortSignal} [signal] @param {number} [timeout] */
async function ask(path, params, signal, timeout) {
  const given = Object.entries(params).filter(([, value]) => value !== undefined);
  const query = new URLSearchParams(given.map(([name, value]) => [name, String(value)]));
  const answer = await get(`${BASE}/${path}?${query}`, { signal, timeout });
  return answer.data;
}

/** An instant query; a scalar is one sample without labels. @param {string} query @param {{ time?: number, signal?: AbortSignal, timeout?: number }} [options] @returns {Promise<Sample[]>} */
export async function instant(query, { time, signal, timeout } = {}) {
  const data = await ask("query", { query, time }, signal, timeout);
  if (data.resultType === "scalar") return [{ labels: {}, value: Number(data.result[1]) }];
  return data.result.map((/** @type {any} */ one) => ({ labels: one.metric, value: Number(one.value[1]) }));
}

/** A range query; times and step in seconds. @param {string} query @param {{ start: number, end: number, step: number, signal?: AbortSignal }} range @returns {Promise<Series[]>} */
export async function range(query, { start, end, step, signal }) {
  const data = await ask("query_range", { query, start, end, step }, signal);
  return data.result.map((/** @type {any} */ one) => ({
    labels: one.metric,
    points: one.values.map((/** @type {[number, string]} */ [at, value]) => [at, Number(value)]),
  }));
}

/** @param {string} query @param {{ start: number, end: number, signal?: AbortSignal }} range @returns {Promise<{ seriesLabels: Record<string, string>, exemplars: { labels: Record<string, string>, value: string, timestamp: number }[] }[]>} */
export const exemplars = (query, { start, end, signal }) => ask("query_exemplars", { query, start, end }, signal);

/** The groups of rules. @param {AbortSignal} [signal] @returns {Promise<{ groups: any[] }>} */
export const rules = (signal) => ask("rules", {}, signal);

/** Pending and firing alerts. @param {AbortSignal} [signal] @returns {Promise<{ alerts: { labels: Record<string, string>, annotations: Record<string, string>, state: string, activeAt: string, value: string }[] }>} */
export const alerts = (signal) => ask("alerts", {}, signal);

/** The values of a label. @param {string} name @param {{ match?: string, signal?: AbortSignal }} [options] @returns {Promise<string[]>} */
export const labelValues = (name, { match, signal } = {}) => ask(`label/${name}/values`, { "match[]": match }, signal);
