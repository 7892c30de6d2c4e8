#!/usr/bin/env node
// Sends one trace with many spans to lens, to see how the waterfall scrolls: node large-trace.mjs [http://127.0.0.1:4318] [10000]
// Prints the trace's id. The module's `largeTrace` and `sendLargeTrace` are for the browser lane.

import { randomBytes } from "node:crypto";
import { pathToFileURL } from "node:url";

const SERVICES = ["gateway", "orders", "catalog", "inventory", "payments", "shipping", "notifications"];

/** Spans of one request: fewer than lens takes at once. */
const BATCH = 1_000;

/** @param {number} id */
const hex = (id) => id.toString(16).padStart(16, "0");

/**
 * The requests of OTLP/JSON for one trace: a batch job whose orders each go through services and over a topic, with attributes,
 * events and failures.
 * @param {{ spans?: number, trace?: string, start?: number }} [options] `start` in milliseconds since the epoch
 */
export function largeTrace({ spans = 10_000, trace = randomBytes(16).toString("hex"), start = Date.now() - 10_000 } = {}) {
  const made = Array.from({ length: spans }, (_, at) => spanOf(at, spans, trace, start));
  const requests = [];
  for (let first = 0; first < made.length; first += BATCH) requests.push(requestOf(made.slice(first, first + BATCH)));
  return { trace, requests };
}

/** A chain of ten below each tenth span; each chain begins after the one before it. @param {number} at @param {number} all @param {string} trace @param {number} start */
function spanOf(at, all, trace, start) {
  const place = at === 0 ? 0 : ((at - 1) % 10) + 1;
  const chain = Math.floor((at - 1) / 10);
  const width = 8_000 / Math.ceil(all / 10);
  const from = at === 0 ? 0 : chain * width + place * 0.2 * width;
  const length = at === 0 ? 8_000 + 5 * width : place === 5 ? 0.1 * width : (12 - place) * 0.3 * width;
  const nanos = (/** @type {number} */ ms) => String(BigInt(Math.round((start + ms) * 1_000)) * 1_000n);
  const attribute = (/** @type {string} */ key, /** @type {string} */ value) => ({ key, value: { stringValue: value } });
  const isFailed = at % 500 === 499;
  return {
    service: SERVICES[at === 0 ? 0 : place % SERVICES.length],
    span: {
      traceId: trace,
      spanId: hex(at + 1),
      parentSpanId: at === 0 ? "" : place === 1 ? hex(1) : hex(at),
      name: at === 0 ? "import orders" : place === 5 ? "send orders.events" : place === 6 ? "process orders.events" : `step ${place}`,
      kind: place === 5 ? 4 : place === 6 ? 5 : 1,
      startTimeUnixNano: nanos(from),
      endTimeUnixNano: nanos(from + length),
      attributes: [attribute("batch.chain", String(chain)), attribute("messaging.destination.name", "orders.events")],
      events: at % 50 === 0 ? [{ timeUnixNano: nanos(from + length / 2), name: "progress", attributes: [] }] : [],
      status: isFailed ? { code: 2, message: "the row is invalid" } : {},
    },
  };
}

/** @param {ReturnType<typeof spanOf>[]} made */
function requestOf(made) {
  const ofService = (/** @type {string} */ service) => made.filter((one) => one.service === service).map(({ span }) => span);
  return {
    resourceSpans: SERVICES.map((service) => ({
      resource: { attributes: [{ key: "service.name", value: { stringValue: service } }] },
      scopeSpans: [{ scope: { name: "large-trace" }, spans: ofService(service) }],
    })),
  };
}

/** @param {string} lens its address for OTLP over HTTP @param {Parameters<typeof largeTrace>[0]} [options] @returns {Promise<string>} the trace's id */
export async function sendLargeTrace(lens, options) {
  const { trace, requests } = largeTrace(options);
  for (const request of requests) {
    const answer = await fetch(`${lens}/v1/traces`, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(request), signal: AbortSignal.timeout(30_000) });
    if (!answer.ok) throw new Error(`lens answers ${answer.status}: ${(await answer.text()).slice(0, 200)}`);
    const { partialSuccess } = await answer.json();
    if (partialSuccess) throw new Error(`lens has not taken all spans: ${JSON.stringify(partialSuccess)}`);
  }
  return trace;
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const [lens = "http://127.0.0.1:4318", spans = "10000"] = process.argv.slice(2);
  const count = Number(spans);
  if (!Number.isInteger(count) || count < 1 || count > 100_000) {
    console.error(`the number of spans is ${JSON.stringify(spans)}; expected a whole number from 1 to 100000`);
    process.exitCode = 2;
  } else {
    console.log(await sendLargeTrace(lens, { spans: count }));
  }
}
