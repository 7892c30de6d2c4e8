// Log lines of Loki: its answers become the lines that lens sends, and a Loki that fails says why.

import assert from "node:assert/strict";
import { afterEach, test } from "node:test";

import "../dom.mjs";

const { latest, newestFirst } = await import("../../lib/loki.js");
const { answer, whyEmpty } = await import("../../pages/dashboards/ask.js");

const TRACE = "0af7651916cd43dd8448eb211c80319c";

/** As Loki stores a line that came over OTLP: the service is a label; the rest is structured metadata, with underscores. */
const SETTLED = {
  stream: {
    service_name: "orders", service_version: "0.1.0", service_instance_id: "orders-1", telemetry_sdk_language: "rust", scope_name: "orders", severity_number: "9", severity_text: "INFO",
    detected_level: "info", observed_timestamp: "1767323045123456789", flags: "1", trace_id: TRACE, span_id: "00f067aa0ba902b7", order_id: "o-1", order_status: "completed", target: "orders::saga",
  },
  values: [["1767323045123456789", "order settled status=completed order=o-1"], ["1767323045000000001", "order settled status=completed order=o-1"]],
};
const FAILED = { stream: { service_name: "payments", detected_level: "error" }, values: [["1767323045123456790", "payment failed"]] };

/** @type {URL[]} */
let asked = [];
const { fetch } = globalThis;
afterEach(() => void ([globalThis.fetch, asked] = [fetch, []]));

/** A gateway that answers each path with a status and a body. @param {Record<string, [status: number, body: unknown]>} answers */
function gateway(answers) {
  globalThis.fetch = /** @type {any} */ (async (/** @type {string} */ path) => {
    const url = new URL(path, "http://gateway");
    asked.push(url);
    const [status, body] = answers[url.pathname] ?? [404, { title: "Not found", detail: url.pathname }];
    return new Response(typeof body === "string" ? body : JSON.stringify(body), { status });
  });
}

const streams = (/** @type {unknown[]} */ ...result) => ({ status: "success", data: { resultType: "streams", result } });

const PANEL = /** @type {any} */ ({ type: "logs", title: "Log", targets: [{ refId: "A", queryType: "range", datasource: { type: "loki" }, expr: '{service_name=~"$service"} | line_format "{{__line__}}"' }] });
const ASKED = /** @type {any} */ ({ span: { from: 1_767_323_000, to: 1_767_323_100, step: 5 }, variables: [{ name: "service", type: "query", query: { query: "" } }], values: { service: ["orders"] } });
const never = () => new AbortController().signal;

test("lines of several streams are in one order, the newest first, with what their processes have in common left out", () => {
  const lines = newestFirst([/** @type {any} */ (SETTLED), /** @type {any} */ (FAILED)]);
  assert.deepEqual(lines[0], { at: "2026-01-02T03:04:05.123Z", severity: "error", service: "payments", body: "payment failed", trace_id: undefined, span_id: undefined, attributes: {} });
  assert.deepEqual(lines.map(({ service }) => service), ["payments", "orders", "orders"]);
  const { severity, trace_id, span_id, attributes } = lines[1];
  assert.deepEqual({ severity, trace_id, span_id }, { severity: "info", trace_id: TRACE, span_id: "00f067aa0ba902b7" });
  assert.deepEqual(attributes, { target: "orders::saga" }, "the format of the query has put the order into the line");
});

test("a log panel asks Loki with the query of its definition", async () => {
  gateway({ "/console.json": [200, { loki: true, doors: [] }], "/loki/api/v1/query_range": [200, streams(SETTLED)] });
  const { logs } = await answer(PANEL, ASKED, never());
  assert.equal(logs?.length, 2);
  const { query, start, end, limit, direction } = Object.fromEntries(asked[1].searchParams);
  assert.deepEqual({ query, start, end, limit, direction }, { query: '{service_name=~"orders"} | line_format "{{__line__}}"', start: "1767323000000000000", end: "1767323105000000000", limit: "200", direction: "backward" });
});

test("without a Loki, a log panel asks lens", async () => {
  gateway({ "/console.json": [200, { loki: false, doors: [] }], "/lens/v1/logs": [200, { items: [{ at: "2026-01-02T03:04:05.000002Z", service: "orders", severity: "info", body: "here", attributes: {} }] }] });
  const { logs } = await answer(PANEL, ASKED, never());
  assert.deepEqual([logs?.length, asked[1].searchParams.get("service")], [1, "orders"]);
});

test("a Loki that fails says why, and lens is not asked in its place", async () => {
  gateway({ "/console.json": [200, { loki: true, doors: [] }], "/loki/api/v1/query_range": [502, { title: "Bad gateway", detail: "http://loki:3100 cannot be reached" }] });
  await assert.rejects(answer(PANEL, ASKED, never()), /Bad gateway: http:\/\/loki:3100 cannot be reached/);
  assert.equal(asked.length, 2);
  gateway({ "/loki/api/v1/query_range": [400, "parse error at line 1, col 3"] });
  await assert.rejects(latest("{", { from: 1, to: 2, limit: 1 }), /parse error at line 1, col 3/);
  gateway({ "/loki/api/v1/query_range": [200, { data: { resultType: "matrix", result: [] } }] });
  await assert.rejects(latest("rate({a=\"b\"}[1m])", { from: 1, to: 2, limit: 1 }), /a matrix instead of log lines/);
});

test("a log panel without lines asks for no metric", async () => {
  assert.match(await whyEmpty(PANEL, ASKED, never()), /No such line was written/);
});
