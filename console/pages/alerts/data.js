// The rules with their alerts, and the objectives.

import { get, resource } from "../../lib/api.js";
import { alerts, hasDoor } from "../../lib/mesh.js";
import * as prometheus from "../../lib/prometheus.js";
import { computed } from "../../lib/view.js";

/** @typedef {{ labels: Record<string, string>, annotations: Record<string, string>, state: string, activeAt: string, value: string }} Alert */
/** @typedef {{ name: string, query: string, duration: number, labels: Record<string, string>, annotations: Record<string, string>, health: string, lastError?: string, type: string }} Rule */
/** @typedef {{ key: string, rule: Rule, severity: string, found: Alert[], state: "firing" | "pending" | "inactive", since: number }} Entry */
/** @typedef {{ slo: string, promise: string, objective?: number, left?: number, burn5m?: number, burn1h?: number, window?: number }} Objective */

const SEVERITIES = ["page", "ticket", "none"];
const STATES = ["firing", "pending", "inactive"];

/** @param {string} severity */
const rank = (severity) => (SEVERITIES.indexOf(severity) + 1 || SEVERITIES.length) - 1;

/** Each rule with its alerts: what fires first, pages before tickets, the oldest first. @param {Rule[]} rules @param {Alert[]} found @returns {Entry[]} */
export function entries(rules, found) {
  const all = rules.map((rule) => {
    const severity = rule.labels.severity ?? "none";
    const own = found.filter(({ labels }) => labels.alertname === rule.name && (labels.severity ?? "none") === severity).sort((a, b) => Date.parse(a.activeAt) - Date.parse(b.activeAt));
    const state = /** @type {Entry["state"]} */ (STATES.find((one) => own.some((alert) => alert.state === one)) ?? "inactive");
    return { key: `${rule.name} ${severity}`, rule, severity, found: own, state, since: Math.min(...own.filter((alert) => alert.state === state).map(({ activeAt }) => Date.parse(activeAt))) };
  });
  const age = (/** @type {Entry} */ { since }) => (Number.isFinite(since) ? since : 0);
  return all.sort((a, b) => STATES.indexOf(a.state) - STATES.indexOf(b.state) || rank(a.severity) - rank(b.severity) || age(a) - age(b) || a.rule.name.localeCompare(b.rule.name));
}

/** What an objective promises, in the words of its alerts. @param {Rule[]} rules @param {string} slo */
export function promiseOf(rules, slo) {
  const rule = rules.find(({ query }) => query.includes(`slo="${slo}"`));
  return /Promised: (.+?)\.(?:\s|$)/s.exec(rule?.annotations.description ?? "")?.[1] ?? "";
}

const NAMES = /** @type {Record<string, keyof Objective>} */ ({
  "slo:objective:ratio": "objective",
  "slo:budget_remaining:ratio": "left",
  "slo:bad:ratio_rate5m": "burn5m",
  "slo:bad:ratio_rate1h": "burn1h",
  "slo:window:seconds": "window",
});

/** The objectives; burn rates are multiples of what a budget of the whole period allows. @param {prometheus.Sample[]} samples @param {Rule[]} rules @returns {Objective[]} */
export function objectives(samples, rules) {
  /** @type {Map<string, Objective>} */
  const found = new Map();
  for (const { labels, value } of samples) {
    const one = found.get(labels.slo) ?? { slo: labels.slo, promise: promiseOf(rules, labels.slo) };
    found.set(labels.slo, { ...one, [NAMES[labels.__name__]]: value });
  }
  const burn = (/** @type {number | undefined} */ bad, /** @type {number | undefined} */ objective) => (bad === undefined || objective === undefined ? undefined : bad / (1 - objective));
  return [...found.values()].map((one) => ({ ...one, burn5m: burn(one.burn5m, one.objective), burn1h: burn(one.burn1h, one.objective) }));
}

/** Everything that the page asks; `close` ends it. */
export function data() {
  const rules = resource(async (signal) => {
    const { data: answer } = await get("/prometheus/api/v1/rules?type=alert", { signal });
    return /** @type {Rule[]} */ (answer.groups.flatMap((/** @type {any} */ group) => group.rules).filter((/** @type {Rule} */ { type }) => type === "alerting"));
  }, { every: 60_000 });
  const samples = resource((signal) => prometheus.instant(`{__name__=~"${Object.keys(NAMES).join("|")}"}`, { signal }), { every: 10_000 });
  const silences = resource((signal) => (hasDoor("/alertmanager") ? get("/alertmanager/api/v2/silences", { signal }) : Promise.resolve([])), { every: 60_000 });
  return {
    rules,
    samples,
    silences,
    entries: computed(() => entries(rules.data.value ?? [], alerts.data.value?.alerts ?? [])),
    close: () => [rules, samples, silences].forEach(({ stop }) => stop()),
  };
}

/** The silences that hold an alert back. @param {any[]} silences of Alertmanager @param {Record<string, string>} labels */
export function silencesOf(silences, labels) {
  const takes = (/** @type {{ name: string, value: string, isRegex: boolean, isEqual?: boolean }} */ { name, value, isRegex, isEqual = true }) => {
    const has = isRegex ? new RegExp(`^(?:${value})$`).test(labels[name] ?? "") : (labels[name] ?? "") === value;
    return has === isEqual;
  };
  return silences.filter(({ status, matchers }) => status?.state === "active" && matchers.every(takes));
}
