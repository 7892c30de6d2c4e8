// The tree of a trace, self times, and the critical path.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { criticalPath, shares } from "../../pages/traces/critical.js";
import { hopDelay, isHop, modelOf, selfTime, selfTimes } from "../../pages/traces/model.js";
import { summaryOf } from "../../pages/traces/summary.js";
import { TRACE, span, traceOf } from "./traces.js";

const order = modelOf(JSON.parse(readFileSync(new URL("./fixtures/order.json", import.meta.url), "utf8")));
const named = (/** @type {import("../../pages/traces/model.js").Trace} */ trace, /** @type {string} */ id) => /** @type {import("../../pages/traces/model.js").Span} */ (trace.byId.get(id));
const pathOf = (/** @type {any} */ raw) => criticalPath(modelOf(raw)).parts.map(({ span, from, to, kind }) => `${kind} ${span.id} ${from}-${to}`);

test("an order over Kafka is one tree with its services in order of time", () => {
  assert.equal(order.spans.length, 64);
  assert.equal(order.roots.length, 1);
  assert.equal(order.roots[0].name, "POST /api/orders");
  assert.deepEqual(order.services.map(({ service }) => service), ["gateway", "orders", "catalog", "inventory", "payments", "notifications", "shipping"]);
  assert.equal(order.order, "25ba4a71-c85e-568a-8598-3f9871365ede");
  assert.deepEqual(order.warnings, []);
  order.spans.forEach((one, index) => assert.equal(one.index, index));
  assert.equal(order.roots[0].last, 63);
});

test("every consumed message of an order is a hop with its delay", () => {
  const hops = order.spans.filter(isHop);
  assert.equal(hops.length, 14);
  assert.ok(hops.every((hop) => hop.name.startsWith("process ") && hop.parent?.name === hop.name.replace("process", "send") && hopDelay(hop) > 0));
});

test("the critical path of an order goes back from its last span over brokers and timers to the click, without a gap", () => {
  const { parts } = criticalPath(order);
  assert.equal(parts[0].to, order.duration);
  assert.equal(parts.at(-1)?.from, 0);
  parts.slice(1).forEach((part, at) => assert.equal(part.to, parts[at].from));
  const hops = new Set(parts.filter(({ kind }) => kind === "hop").map(({ span }) => `${span.service} ${span.name}`));
  assert.deepEqual([...hops], ["orders process shipments.events", "shipping process orders.events", "payments process orders.events"]);
  assert.equal(Math.round(shares(criticalPath(order)).reduce((sum, { share }) => sum + share, 0) * 1e9), 1e9);
  assert.equal(shares(criticalPath(order))[0].kind, "wait", "shipping waits for its timers most of the time");
});

test("a caller waits for the call that ended last, and before that for the one before it", () => {
  const raw = traceOf([span("a", "", 0, 100), span("b", "a", 10, 30), span("c", "a", 20, 60), span("d", "a", 70, 90)]);
  assert.deepEqual(pathOf(raw), ["work a 90-100", "work d 70-90", "work a 60-70", "work c 20-60", "work a 0-20"]);
});

test("a click that lasts until the result is painted waits for what happened beyond the broker", () => {
  const raw = traceOf([
    span("click", "", 0, 100),
    span("post", "click", 1, 20),
    span("send", "post", 5, 10, { kind: "producer" }),
    span("process", "send", 40, 60, { kind: "consumer", service: "b" }),
    span("paint", "process", 80, 95, { service: "browser" }),
  ]);
  assert.deepEqual(pathOf(raw), ["work click 95-100", "work paint 80-95", "wait paint 60-80", "work process 40-60", "hop process 10-40", "work send 5-10", "work post 1-5", "work click 0-1"]);
});

test("a request that took long does not wait for what its answer set in motion", () => {
  const raw = traceOf([
    span("click", "", 0, 100),
    span("post", "click", 1, 90, { kind: "client" }),
    span("serve", "post", 5, 10, { kind: "server" }),
    span("send", "serve", 6, 8, { kind: "producer" }),
    span("process", "send", 20, 60, { kind: "consumer" }),
  ]);
  assert.deepEqual(pathOf(raw), ["work click 90-100", "work post 10-90", "work serve 8-10", "work send 6-8", "work serve 5-6", "work post 1-5", "work click 0-1"]);
});

test("a consumer that names no parent continues the span that it links to", () => {
  const raw = traceOf([span("send", "", 0, 10, { kind: "producer" }), span("batch", "", 30, 50, { kind: "consumer", links: [["ff", "x"], [TRACE, "send"]] })]);
  const trace = modelOf(raw);
  assert.equal(named(trace, "batch").parent?.id, "send");
  assert.ok(named(trace, "batch").isLinked && isHop(named(trace, "batch")));
  assert.deepEqual(named(trace, "batch").links, [{ trace: "ff", span: "x" }, { trace: TRACE, span: "send" }]);
  assert.deepEqual(pathOf(raw), ["work batch 30-50", "hop batch 10-30", "work send 0-10"]);
});

test("self time is what no child covers, also where children overlap, last longer or begin later", () => {
  const trace = modelOf(traceOf([span("a", "", 10, 100), span("b", "a", 20, 50), span("c", "a", 40, 60), span("d", "a", 90, 150), span("e", "a", 120, 130), span("f", "c", 0, 200)]));
  assert.deepEqual(selfTimes(named(trace, "a")), [[10, 20], [60, 90]]);
  assert.equal(selfTime(named(trace, "a")), 40);
  assert.deepEqual(selfTimes(named(trace, "c")), [], "a child that began before it covers all of it");
});

test("a span whose parent is missing is a root, and the trace says so", () => {
  const trace = modelOf(traceOf([span("a", "", 0, 10), span("b", "gone", 5, 8), span("c", "b", 6, 7)]));
  assert.deepEqual(trace.roots.map(({ id }) => id), ["a", "b"]);
  assert.equal(named(trace, "c").depth, 1);
  assert.match(trace.warnings[0], /1 span names a parent that is not here/);
});

test("parents in a cycle are cut, and every span is there once", () => {
  for (const raw of [traceOf([span("a", "a", 0, 10)]), traceOf([span("a", "b", 0, 10), span("b", "c", 1, 9), span("c", "a", 2, 8), span("d", "c", 3, 4)])]) {
    const trace = modelOf(raw);
    assert.equal(trace.spans.length, raw.spans.length);
    assert.equal(trace.roots.length, 1);
    assert.ok(criticalPath(trace).parts.length > 0);
  }
});

test("a clock that is behind is named, bars stay where they are, and the path still ends", () => {
  const raw = traceOf([span("call", "", 50_000, 60_000, { kind: "client" }), span("serve", "call", 42_000, 47_000, { service: "b", kind: "server" })]);
  const trace = modelOf(raw);
  assert.match(trace.warnings[0], /clock of b is at least 8\.0 ms behind/);
  assert.deepEqual([named(trace, "serve").start, named(trace, "call").start], [0, 8_000]);
  assert.ok(criticalPath(trace).parts.length > 0);
});

test("a span that was sent twice is there once; events and errors are read", () => {
  const failing = span("a", "", 0, 10, { error: true, logs: [{ timestamp: 1_000_004, fields: [{ key: "event", value: "exception" }, { key: "exception.message", value: "down" }] }] });
  const trace = modelOf(traceOf([failing, failing]));
  assert.equal(trace.spans.length, 1);
  assert.equal(trace.errors, 1);
  assert.deepEqual(trace.spans[0].events, [{ at: 4, name: "exception", tags: [["exception.message", "down"]] }]);
});

test("a trace without spans, with no length or of one span has a path and a summary", () => {
  assert.deepEqual(criticalPath(modelOf(traceOf([]))).parts, []);
  assert.deepEqual(shares(criticalPath(modelOf(traceOf([span("a", "", 5, 5)])))), []);
  assert.equal(summaryOf(modelOf(traceOf([span("a", "", 5, 5)]))).duration, 0);
});

test("ten thousand spans, wide or deep, are a tree with a path", () => {
  const wide = Array.from({ length: 10_000 }, (_, at) => span(`s${at}`, at ? "s0" : "", at, at ? at + 1 : 20_000));
  const deep = Array.from({ length: 10_000 }, (_, at) => span(`s${at}`, at ? `s${at - 1}` : "", at, 30_000 - at));
  const hops = Array.from({ length: 10_000 }, (_, at) => span(`s${at}`, at ? `s${at - 1}` : "", at * 10, at * 10 + 5, { kind: at % 2 ? "consumer" : "producer" }));
  for (const spans of [wide, deep, hops]) {
    const trace = modelOf(traceOf(spans));
    const { parts } = criticalPath(trace);
    assert.equal(trace.spans.length, 10_000);
    assert.equal(parts.reduce((sum, { from, to }) => sum + to - from, 0), trace.duration);
  }
});

test("a summary has the times in which each service worked", () => {
  const raw = traceOf([span("a", "", 0, 1_000), span("b", "a", 100, 200, { service: "b" }), span("c", "a", 205, 300, { service: "b" }), span("d", "a", 800, 900, { service: "b", error: true })]);
  assert.deepEqual(summaryOf(modelOf(raw)).services, [
    { service: "svc", spans: 1, errors: 0, times: [[0, 1_000]] },
    { service: "b", spans: 3, errors: 1, times: [[100, 300], [800, 900]] },
  ]);
});
