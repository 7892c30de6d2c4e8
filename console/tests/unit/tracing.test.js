import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import test, { afterEach, beforeEach, mock } from "node:test";

// A page without a browser: what the tracer uses of one, before it is loaded.
const page = { hidden: false, listeners: {} };
globalThis.document = {
  get hidden() {
    return page.hidden;
  },
  addEventListener: (name, listener) => (page.listeners[name] = [...(page.listeners[name] ?? []), listener]),
};
globalThis.addEventListener = (name, listener) => (page.listeners[name] = [listener]);
globalThis.location = { href: "http://127.0.0.1:8080/#mesh" };
let frames = [];
globalThis.requestAnimationFrame = (callback) => frames.push(callback);
Object.defineProperty(globalThis, "navigator", { value: { language: "de", userAgent: "Test/1" }, configurable: true });

const { Span, click, fetch, painted, received } = await import("../../lib/tracing.js");
const { counts, event, flush } = await import("../../lib/otlp.js");
const { report, uncaught, violated, vital } = await import("../../lib/page-events.js");

/** The requests so far. */
let sent = [];
let answer = () => new Response("{}");
const ORDER = "6f0c9d9e-0d58-5e0c-9d54-1f5f0f6f2c11";
const REMOTE = "00f067aa0ba902b7";

beforeEach(() => {
  sent = [];
  frames = [];
  page.hidden = false;
  answer = () => new Response("{}");
  Object.assign(counts, { sent: 0, dropped: 0, skipped: 0, reason: "" });
  mock.method(globalThis, "fetch", async (url, init) => {
    sent.push({ url, init, body: init?.body instanceof Blob ? JSON.parse(await init.body.text()) : undefined });
    return answer(url);
  });
});
afterEach(async () => {
  await flush();
  mock.restoreAll();
});

const frame = () => frames.splice(0).forEach((callback) => callback(0));
const message = (traceparent, more = {}) => ({ seq: 7, order_id: ORDER, customer: "guest", type: "mesh.orders.v1.OrderCompleted", status: "completed", traceparent, ...more });

/** Sends what waits; returns the spans or log records. */
async function exported(signal = "traces") {
  await flush();
  const bodies = sent.filter(({ url }) => url === `/api/otlp/v1/${signal}`).map(({ body }) => body);
  return bodies.flatMap(({ resourceSpans, resourceLogs }) => (resourceSpans ?? resourceLogs)[0]).flatMap(({ scopeSpans, scopeLogs }) => (scopeSpans ?? scopeLogs)[0]).flatMap(({ spans, logRecords }) => spans ?? logRecords);
}

const attributes = (record) => Object.fromEntries(record.attributes.map(({ key, value }) => [key, Object.values(value)[0]]));

/** Clicks, requests, and receives what came of it, as the pages do. */
async function placeAndWatch() {
  const accepted = await click("Place an order", { "app.payment": "tok_ok" }, async (span) => {
    answer = () => new Response("{}", { status: 202 });
    await fetch("/api/orders", { method: "POST", body: "{}" }, span);
    return span.record.traceId;
  });
  answer = () => new Response("{}");
  const update = message(`00-${accepted}-${REMOTE}-01`);
  received(update);
  painted(update);
  frame();
  frame();
  return accepted;
}

test("a request without a click is not traced; one that only reads says so to the services, too", async () => {
  await fetch("/api/orders");
  await fetch("/api/orders/1/cancel", { method: "POST" });
  const [read, changes] = sent.map(({ init }) => init.headers.get("traceparent"));
  assert.match(read, /^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/);
  assert.equal(changes, null);
  assert.deepEqual(await exported(), []);
});

test("a trace begins with the click and ends when its result is painted", async () => {
  const traceId = await placeAndWatch();
  const [request] = sent;
  const [post, clicked, receive, paint] = await exported();
  assert.deepEqual(
    [clicked, post, receive, paint].map(({ name, kind, traceId: trace, parentSpanId }) => [name, kind, trace === traceId, parentSpanId]),
    [
      ['click "Place an order"', 1, true, undefined],
      ["POST /api/orders", 3, true, clicked.spanId],
      ["receive live.orders", 5, true, REMOTE],
      ["paint order", 1, true, receive.spanId],
    ],
  );
  assert.equal(request.init.headers.get("traceparent"), `00-${traceId}-${post.spanId}-01`);
  assert.deepEqual(receive.links, [{ traceId, spanId: REMOTE }]);
  assert.deepEqual(attributes(post), { "http.request.method": "POST", "url.full": "http://127.0.0.1:8080/api/orders", "url.template": "/api/orders", "http.response.status_code": "202" });
  assert.deepEqual(attributes(paint), { "app.order.id": ORDER, "app.order.status": "completed" });
  for (const span of [clicked, post, receive, paint]) {
    assert.match(span.spanId, /^[0-9a-f]{16}$/);
    assert.ok(BigInt(span.startTimeUnixNano) <= BigInt(span.endTimeUnixNano));
    assert.ok(Math.abs(Number(BigInt(span.startTimeUnixNano) / 1_000_000n) - Date.now()) < 60_000, "nanoseconds since 1970");
  }
  assert.deepEqual([counts.sent, counts.dropped], [4, 0]);
});

test("the span of a paint ends with the second frame after the change", async () => {
  const traceId = await click("Place an order", {}, async (span) => span.record.traceId);
  const update = message(`00-${traceId}-${REMOTE}-01`);
  received(update);
  painted(update);
  painted(update);
  const names = async () => (await exported()).map(({ name }) => name);
  frame();
  assert.ok(!(await names()).includes("paint order"));
  frame();
  assert.equal((await names()).filter((name) => name === "paint order").length, 1, "a message that two lists show is painted once");
});

test("a hidden page paints nothing", async () => {
  const traceId = await click("Place an order", {}, async (span) => span.record.traceId);
  await exported();
  page.hidden = true;
  const beacons = [];
  navigator.sendBeacon = (url, body) => beacons.push([url, body]);
  const update = message(`00-${traceId}-${REMOTE}-01`);
  received(update);
  painted(update);
  assert.equal(frames.length, 0);
  await new Promise((done) => setImmediate(done));
  assert.deepEqual(beacons.map(([url]) => url), ["/api/otlp/v1/traces"]);
  assert.equal(counts.sent > 0, true);
});

test("of traces that began elsewhere, a few messages a second are followed and the others counted", async () => {
  mock.method(performance, "now", () => 500);
  for (let number = 0; number < 20; number++) received(message(`00-${"ab".repeat(15)}${String(number).padStart(2, "0")}-${REMOTE}-01`));
  assert.deepEqual([(await exported()).length, counts.skipped], [5, 15]);
  for (const strange of [undefined, "", "00-xyz-00f067aa0ba902b7-01", `00-${"a".repeat(32)}-${REMOTE}-00`]) received(message(strange));
  assert.equal(counts.skipped, 15);
});

test("a request that fails is an error of its span and of the click", async () => {
  answer = (url) => (url.startsWith("/api/otlp") ? new Response("{}") : new Response("", { status: 503 }));
  const refused = click("Cancel", {}, async (span) => {
    const { status } = await fetch(`/api/orders/${ORDER}/cancel`, { method: "POST" }, span);
    throw new TypeError(`status ${status}`);
  });
  await assert.rejects(refused, TypeError);
  answer = () => Promise.reject(new TypeError("no network"));
  await assert.rejects(click("Again", {}, (span) => fetch("/api/orders/42", {}, span)), /no network/);
  answer = () => new Response("{}");
  const spans = await exported();
  assert.deepEqual(
    spans.map(({ name, status }) => [name, status]),
    [
      ["POST /api/orders/{id}/cancel", { code: 2, message: "status 503" }],
      ['click "Cancel"', { code: 2, message: "TypeError: status 503" }],
      ["GET /api/orders/{id}", { code: 2, message: "TypeError: no network" }],
      ['click "Again"', { code: 2, message: "TypeError: no network" }],
    ],
  );
  assert.equal(attributes(spans[0])["error.type"], "503");
});

test("what does not fit is dropped and counted, and nothing is sent twice", async () => {
  for (let number = 0; number < 1_010; number++) new Span("click x", 1, {}).end();
  assert.deepEqual([counts.dropped, counts.reason], [10, "more than 1000 records wait"]);
  answer = () => new Response('{"title":"Too many requests","detail":"more than 20 requests a second"}', { status: 429 });
  const spans = await exported();
  assert.deepEqual([spans.length, counts.sent, counts.dropped, counts.reason], [1_000, 0, 1_010, "more than 20 requests a second"]);
  sent = [];
  assert.deepEqual(await exported(), []);
});

test("a request has at most 200 records and 60 KB, whatever the records hold", async () => {
  for (let number = 0; number < 300; number++) new Span("click x", 1, { "app.text": "ä".repeat(2_000) }).end();
  await flush();
  for (const { init, body } of sent) {
    assert.ok(init.body.size <= 60_000, `${init.body.size}`);
    assert.ok(body.resourceSpans[0].scopeSpans[0].spans.length <= 200);
  }
  assert.equal(counts.sent, 300);
});

test("what the gateway rejects counts as dropped, with its reason", async () => {
  new Span("click x", 1, {}).end();
  new Span("click y", 1, {}).end();
  answer = () => new Response('{"partialSuccess":{"rejectedSpans":"1","errorMessage":"kind 2"}}');
  await flush();
  assert.deepEqual(counts, { sent: 1, dropped: 1, skipped: 0, reason: "kind 2" });
  for (const bad of [() => new Response("<html>", { status: 502 }), () => Promise.reject(new TypeError("no network"))]) {
    answer = bad;
    new Span("click x", 1, {}).end();
    await flush();
  }
  assert.equal(counts.dropped, 3);
});

test("web vitals, errors and violations are events", async () => {
  vital({ name: "LCP", value: 812.4, delta: 812.4, id: "v5-1", rating: "good", navigationType: "navigate" });
  vital({ name: "CLS", value: 0.0312, delta: 0.0312, id: "v5-2", rating: "good", navigationType: "reload" });
  uncaught(new RangeError("out of cups"));
  uncaught("no error");
  violated({ effectiveDirective: "script-src-elem", blockedURI: "http://evil.example/x.js", sourceFile: "", lineNumber: 0 });
  const records = await exported("logs");
  assert.deepEqual(
    records.map(({ eventName, severityNumber, body }) => [eventName, severityNumber, body.stringValue]),
    [
      ["browser.web_vital", 9, "LCP 812 ms, good"],
      ["browser.web_vital", 9, "CLS 0.031, good"],
      ["browser.exception", 17, "RangeError: out of cups"],
      ["browser.exception", 17, "Error: no error"],
      ["browser.csp_violation", 17, "script-src-elem has blocked http://evil.example/x.js"],
    ],
  );
  assert.deepEqual(records[0].attributes[1], { key: "browser.web_vital.value", value: { doubleValue: 812.4 } });
  assert.equal(attributes(records[2])["exception.type"], "RangeError");
});

test("an endless series of errors is cut", async () => {
  report();
  for (let number = 0; number < 100; number++) page.listeners.error[0]({ error: new Error("again") });
  assert.ok((await exported("logs")).length <= 20);
  assert.ok(counts.dropped >= 80);
});

test("the resource says what browser it is, once", async () => {
  event("browser.web_vital", "x", {});
  await flush();
  const { attributes: pairs } = sent[0].body.resourceLogs[0].resource;
  assert.deepEqual(pairs.map(({ key }) => key), ["browser.language", "user_agent.original", "session.id"]);
});

// The stories of the mesh play the browser with these requests, so that `cargo test` needs no node; BLESS=1 writes them anew.
test("the recorded requests are what the tracer sends", async () => {
  let last = 0;
  mock.method(crypto, "getRandomValues", (bytes) => bytes.fill(++last));
  mock.method(performance, "now", () => 1_767_323_045_000 - performance.timeOrigin + last);
  await placeAndWatch();
  const file = new URL("../../../tests/stories/trace/browser.json", import.meta.url);
  await exported();
  const bodies = sent.filter(({ url }) => url.startsWith("/api/otlp/")).map(({ body }) => body);
  bodies[0].resourceSpans[0].resource.attributes[2].value.stringValue = "session";
  const text = `${JSON.stringify(bodies, undefined, 2)}\n`;
  if (process.env.BLESS) writeFileSync(file, text);
  assert.equal(text, readFileSync(file, "utf8"));
});
