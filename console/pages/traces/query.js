// A search as one line of text, as fields, and as parameters of an address: `service=orders min=100ms error http.route=/api/orders`.

/**
 * @typedef {object} Query
 * @property {string} service
 * @property {string} operation
 * @property {string} min a duration: `100ms`
 * @property {string} max
 * @property {boolean} error only traces in which a span failed
 * @property {string} order the id of an order
 * @property {[key: string, value: string][]} attrs
 * @property {boolean} probes also traces of probes and background work
 */

/** @returns {Query} */
export const everything = () => ({ service: "", operation: "", min: "", max: "", error: false, order: "", attrs: [], probes: false });

const DURATION = /^\d+(\.\d+)?(ns|us|µs|ms|s|m|h)$/;
const TRACE = /^[0-9a-f]{32}$/i;
const ORDER = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const FIELDS = /** @type {const} */ (["service", "operation", "min", "max", "order"]);
const SWITCHES = /** @type {const} */ (["error", "probes"]);

/** The longest text and the most attributes: a link must not make a search that no server answers. */
const LONGEST = 2_000;
const MOST_ATTRS = 8;

/** Cuts a text at spaces that are not in quotes. @param {string} text */
const words = (text) => [...text.matchAll(/(?:[^\s"]|"(?:[^"\\]|\\.)*"?)+/g)].map(([word]) => word);

/** @param {string} text */
const unquoted = (text) => text.replace(/"((?:[^"\\]|\\.)*)"?/g, (_, inner) => inner.replace(/\\(.)/g, "$1"));

/** @param {string} value */
const quoted = (value) => (/^[^\s"\\]+$/.test(value) ? value : `"${value.replace(/["\\]/g, "\\$&")}"`);

/** @param {string} text @returns {{ query: Query, trace: string, problem: string }} `trace` is the id of a trace if that is all of the text */
export function parse(text) {
  const query = everything();
  if (text.length > LONGEST) return { query, trace: "", problem: `the search has ${text.length} characters; at most ${LONGEST} are read: leave out some conditions` };
  if (TRACE.test(text.trim())) return { query, trace: text.trim().toLowerCase(), problem: "" };
  let problem = "";
  for (const word of words(text)) problem ||= put(query, word);
  return { query, trace: "", problem: problem || mistake(query) };
}

/** Adds a condition to a query; returns what is wrong with it. @param {Query} query @param {string} word */
function put(query, word) {
  const at = word.search(/=/);
  const key = at < 0 ? unquoted(word) : unquoted(word.slice(0, at));
  const value = at < 0 ? "" : unquoted(word.slice(at + 1));
  const toggle = SWITCHES.find((name) => name === key);
  if (toggle && (at < 0 || ["true", "1"].includes(value))) query[toggle] = true;
  else if (at < 0 && ORDER.test(key)) query.order = key;
  else if (at < 0) return `“${key}” is no condition: write key=value, for example service=orders or http.route=/api/orders`;
  else if (!key || !value) return `“${word}” has no ${key ? "value" : "key"}: write key=value`;
  else if (toggle && ["false", "0"].includes(value)) query[toggle] = false;
  else {
    const field = FIELDS.find((name) => name === key);
    if (field) query[field] = value;
    else query.attrs.push([key, value]);
  }
  return "";
}

/** What is wrong with a query, or nothing. @param {Query} query */
export function mistake(query) {
  for (const name of /** @type {const} */ (["min", "max"])) {
    if (query[name] && !DURATION.test(query[name])) return `${name} is “${query[name]}”: write a number with its unit, for example 100ms or 1.5s`;
  }
  if (query.min && query.max && seconds(query.max) < seconds(query.min)) return `max is less than min: no trace is longer than ${query.min} and shorter than ${query.max}`;
  if (query.attrs.length > MOST_ATTRS) return `${query.attrs.length} attributes; at most ${MOST_ATTRS} are searched for: leave out some`;
  return "";
}

/** @param {string} duration */
function seconds(duration) {
  const unit = duration.replace(/^[\d.]+/, "");
  return Number.parseFloat(duration) * { ns: 1e-9, us: 1e-6, µs: 1e-6, ms: 1e-3, s: 1, m: 60, h: 3_600 }[/** @type {"s"} */ (unit)];
}

/** The text of a query; `parse` reads it again. @param {Query} query */
export function format(query) {
  const fields = FIELDS.filter((name) => query[name]).map((name) => `${name}=${quoted(query[name])}`);
  const switches = SWITCHES.filter((name) => query[name]);
  const isReserved = (/** @type {string} */ key) => [...FIELDS, ...SWITCHES].some((name) => name === key);
  return [...fields, ...switches, ...query.attrs.filter(([key]) => !isReserved(key)).map(([key, value]) => `${quoted(key)}=${quoted(value)}`)].join(" ");
}

/** The query of an address: fields, `attr=key=value` any number of times, and `q`, a text. @param {URLSearchParams} params @returns {{ query: Query, problem: string }} */
export function ofParams(params) {
  const { query, problem } = parse(params.get("q") ?? "");
  for (const name of FIELDS) query[name] = params.get(name) ?? query[name];
  for (const name of SWITCHES) if (params.has(name)) query[name] = !["", "0", "false"].includes(params.get(name) ?? "");
  const wrong = params.getAll("attr").map((attr) => {
    const [key, ...value] = attr.split("=");
    if (key && value.join("=")) query.attrs.push([key, value.join("=")]);
    return key && value.join("=") ? "" : `“${attr}” is no attribute: write attr=key=value`;
  });
  return { query, problem: problem || wrong.find(Boolean) || mistake(query) };
}

/** The parameters of an address; `ofParams` reads them again. @param {Query} query @returns {URLSearchParams} */
export function toParams(query) {
  const params = new URLSearchParams();
  for (const name of FIELDS) if (query[name]) params.set(name, query[name]);
  for (const name of SWITCHES) if (query[name]) params.set(name, "1");
  for (const [key, value] of query.attrs) params.append("attr", `${key}=${value}`);
  return params;
}
