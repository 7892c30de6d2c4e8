// Sends spans and events to the gateway as OTLP's JSON: <https://opentelemetry.io/docs/specs/otlp/#otlphttp>
//
// What cannot be sent is dropped and counted, and nothing is sent twice: telemetry must not disturb what it is about.

import { ahead, now } from "./clock.js";

/** @typedef {Record<string, string | number | boolean | string[] | undefined>} Attributes */
/** @typedef {{ traceId: string, spanId: string }} Context */
/** @typedef {Context & { parentSpanId?: string, name: string, kind: number, attributes: Attributes, links: Context[], start: number, end?: number, error?: string }} SpanRecord */
/** @typedef {{ name: string, body: string, severity: number, attributes: Attributes, at: number }} EventRecord */

const BATCH_MS = 1_000;
/** More than a burst of orders makes in a second. */
const MOST_WAITING = 1_000;
/** The gateway takes 64 KiB, which is also the most that a page may send while it closes, and 256 records. */
const MOST_BYTES = 60_000;
const MOST_RECORDS = 200;
/** The gateway takes texts of 2,048 bytes; a character has up to four of them. */
const LONGEST_TEXT = 512;

/** What became of this page's spans and events; `skipped` are live messages of traces that began elsewhere. */
export const counts = { sent: 0, dropped: 0, skipped: 0, reason: "" };

/** @type {SpanRecord[]} */
let spans = [];
/** @type {EventRecord[]} */
let events = [];
/** @type {ReturnType<typeof setTimeout> | undefined} */
let timer;

/** @param {SpanRecord} span one that has ended */
export const keepSpan = (span) => keep(spans, span);

/** Records that something happened. @param {string} name @param {string} body @param {Attributes} attributes @param {number} [severity] 9 is info, 13 warning, 17 error */
export const event = (name, body, attributes, severity = 9) => keep(events, { name, body, severity, attributes, at: now() });

/** @template T @param {T[]} list @param {T} record */
function keep(list, record) {
  if (list.length >= MOST_WAITING) return drop(1, `more than ${MOST_WAITING} records wait`);
  list.push(record);
  // A hidden page may end without a word: web vitals are final, and reported, when it hides.
  if (globalThis.document?.hidden) queueMicrotask(() => flush(true));
  else timer ??= setTimeout(flush, BATCH_MS);
}

/** @param {number} count @param {string} reason */
function drop(count, reason) {
  counts.dropped += count;
  counts.reason = reason;
}

/** Sends what waits now. @param {boolean} [isLast] whether the page may end before there is an answer */
export function flush(isLast = false) {
  clearTimeout(timer);
  timer = undefined;
  const [ended, happened] = [spans, events];
  [spans, events] = [[], []];
  const traces = (/** @type {SpanRecord[]} */ some) => ({ resourceSpans: [{ resource, scopeSpans: [{ spans: some.map(spanJson) }] }] });
  const logs = (/** @type {EventRecord[]} */ some) => ({ resourceLogs: [{ resource, scopeLogs: [{ logRecords: some.map(eventJson) }] }] });
  return Promise.all([post("/api/otlp/v1/traces", ended, traces, isLast), post("/api/otlp/v1/logs", happened, logs, isLast)]);
}

/** @template T @param {string} path @param {T[]} records @param {(some: T[]) => unknown} json @param {boolean} isLast @returns {Promise<unknown>} */
async function post(path, records, json, isLast) {
  if (!records.length) return;
  const body = new Blob([JSON.stringify(json(records))], { type: "application/json" });
  if (records.length > MOST_RECORDS || (body.size > MOST_BYTES && records.length > 1)) {
    const middle = records.length >> 1;
    return Promise.all([records.slice(0, middle), records.slice(middle)].map((half) => post(path, half, json, isLast)));
  }
  if (isLast) {
    if (navigator.sendBeacon(path, body)) counts.sent += records.length;
    else drop(records.length, "the page was closed");
    return;
  }
  try {
    const answer = await fetch(path, { method: "POST", body });
    const { partialSuccess, detail } = await answer.json();
    const { rejectedSpans, rejectedLogRecords, errorMessage } = partialSuccess ?? {};
    const rejected = answer.ok ? Number(rejectedSpans ?? rejectedLogRecords ?? 0) : records.length;
    counts.sent += records.length - rejected;
    if (rejected || errorMessage) drop(rejected, errorMessage ?? detail);
  } catch (error) {
    drop(records.length, String(error));
  }
}

/** @param {string | number | boolean | string[]} value @returns {object} */
function any(value) {
  if (Array.isArray(value)) return { arrayValue: { values: value.map(any) } };
  if (typeof value === "boolean") return { boolValue: value };
  if (typeof value === "string") return { stringValue: value.slice(0, LONGEST_TEXT) };
  return Number.isSafeInteger(value) ? { intValue: String(value) } : { doubleValue: value };
}

/** @param {Attributes} attributes */
const pairs = (attributes) => Object.entries(attributes).flatMap(([key, value]) => (value === undefined ? [] : [{ key, value: any(value) }]));

/** Nanoseconds of the server's clock; a number has too few digits for them. @param {number} local in milliseconds */
const nanos = (local) => `${Math.round((local + ahead()) * 1_000)}000`;

/** @param {SpanRecord} span */
const spanJson = ({ start, end = start, attributes, error, ...rest }) => ({
  ...rest,
  startTimeUnixNano: nanos(start),
  endTimeUnixNano: nanos(end),
  attributes: pairs(attributes),
  status: error === undefined ? undefined : { code: 2, message: error.slice(0, LONGEST_TEXT) },
});

/** @param {EventRecord} event */
const eventJson = ({ name, body, severity, attributes, at }) => ({ timeUnixNano: nanos(at), eventName: name, severityNumber: severity, body: any(body), attributes: pairs(attributes) });

/** Chromium says more about itself than others. @type {{ brands: { brand: string, version: string }[], mobile: boolean, platform: string } | undefined} */
const agent = /** @type {any} */ (globalThis.navigator)?.userAgentData;

/** The gateway adds the name of the service. <https://opentelemetry.io/docs/specs/semconv/resource/browser/> */
const resource = {
  attributes: pairs({
    "browser.brands": agent?.brands.map(({ brand, version }) => `${brand} ${version}`),
    "browser.mobile": agent?.mobile,
    "browser.platform": agent?.platform,
    "browser.language": globalThis.navigator?.language,
    "user_agent.original": globalThis.navigator?.userAgent,
    "session.id": crypto.randomUUID(),
  }),
};

globalThis.document?.addEventListener("visibilitychange", () => {
  if (document.hidden) flush(true);
});
