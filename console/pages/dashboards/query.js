// Queries: variables and macros put in, the step of a range, legends.

/** @typedef {import("./definition.js").Variable} Variable */
/** @typedef {{ from: number, to: number, step: number }} Span seconds since the epoch */
/** @typedef {Record<string, string[]>} Values the chosen values of the variables; empty for all */

/** The interval between two scrapes, of lens and of our Prometheus. */
const SCRAPE = 5;

/** As many points as a chart can show; more cost the server and are not seen. */
const POINTS = 180;

const STEPS = [5, 10, 15, 30, 60, 120, 300, 600, 1_800, 3_600];

/** A span of whole steps, so that points stay where they are at the next refresh. @param {number} from @param {number} to @returns {Span} */
export function span(from, to) {
  const wanted = (to - from) / POINTS;
  const step = STEPS.find((one) => one >= wanted) ?? Math.ceil(wanted);
  return { from: Math.floor(from / step) * step, to: Math.floor(to / step) * step, step };
}

/** @param {string} text */
const escaped = (text) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\\\$&");

/** A variable's values as PromQL's regular expression. @param {Variable} variable @param {string[]} chosen */
export function valueOf(variable, chosen) {
  if (!chosen.length) return variable.includeAll ? (variable.allValue ?? ".*") : "";
  if (!variable.multi) return chosen[0];
  return chosen.length === 1 ? escaped(chosen[0]) : `(${chosen.map(escaped).join("|")})`;
}

/** A query with everything put in. @param {string} text @param {Span} span @param {Variable[]} variables @param {Values} values */
export function fill(text, { from, to, step }, variables, values) {
  const macros = /** @type {Record<string, string>} */ ({
    __rate_interval: `${Math.max(step + SCRAPE, 4 * SCRAPE)}s`,
    __interval: `${step}s`,
    __range: `${Math.max(step, Math.round(to - from))}s`,
  });
  for (const variable of variables) macros[variable.name] = valueOf(variable, values[variable.name] ?? []);
  return text.replace(/\$(?:\{(\w+)(?::\w+)?\}|(\w+))/g, (all, braced, bare) => macros[braced ?? bare] ?? all);
}

/** The name of a series: the legend's template, or its labels. @param {string | undefined} format @param {Record<string, string>} labels */
export function legend(format, labels) {
  if (format) return format.replace(/\{\{\s*([^}\s]+)\s*\}\}/g, (_, name) => labels[name] ?? "").trim();
  const { __name__: metric = "", ...rest } = labels;
  const inner = Object.entries(rest).map(([name, value]) => `${name}="${value}"`).join(", ");
  return inner ? `${metric}{${inner}}` : metric || "value";
}

const WORDS = /^(by|without|on|ignoring|group_left|group_right|offset|bool|and|or|unless|inf|nan|start|end|atan2)$/i;

/** The names of the metrics that a query reads. @param {string} query */
export function metricsOf(query) {
  const bare = query
    .replace(/"(?:[^"\\]|\\.)*"/g, '""')
    .replace(/\b(by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)/g, " ")
    .replace(/\{[^}]*\}/g, " ")
    .replace(/\[[^\]]*\]/g, " ");
  const names = [...bare.matchAll(/[a-zA-Z_:][\w:]*(?!\s*\(|[\w:])/g)].map(([name]) => name).filter((name) => !WORDS.test(name) && !/^\d/.test(name));
  return [...new Set(names)];
}

/** A selector of Loki as lens' parameters: the service's and the severity's matchers. @param {string} query */
export function logQuery(query) {
  const matcher = (/** @type {string} */ name) => new RegExp(`\\b${name}\\s*=~?\\s*"([^"]*)"`).exec(query)?.[1];
  const service = matcher("service_name");
  return { service: service && !/^\.[+*]$/.test(service) ? service : undefined, severity: matcher("detected_level"), rest: query.replace(/^\{[^}]*\}/, "").trim() };
}
