import assert from "node:assert/strict";
import { test } from "node:test";

import { expected } from "../../lib/replicas.js";
import { judge, sentences } from "../../pages/mesh/health.js";
import { build, BROWSER } from "../../pages/mesh/model.js";

/** @param {string} service @param {object} [more] */
const running = (service, more = {}) => ({ service, instance: "127.0.0.1:1", up: true, error: null, started_at: "2026-01-01T00:00:00Z", requests: null, messages: null, ...more });
const fact = (/** @type {number} */ value, /** @type {Record<string, string>} */ labels) => ({ value, labels });

/** @param {Parameters<typeof build>[0] & { firing?: any[], latches?: Record<string, string[]>, now?: number }} known */
function texts(known) {
  const mesh = build(known);
  judge(mesh, { now: Date.parse("2026-01-01T01:00:00Z"), ...known });
  return sentences(mesh).map(({ id, level, text }) => `${id} ${level}: ${text}`);
}

test("services without calls, and what metrics know of, are in the graph before the first trace", () => {
  const facts = [
    fact(0, { job: "payments", topic: "orders.events", group: "payments" }),
    fact(0, { job: "payments", destination: "provider" }),
    fact(1, { job: "payments", of: "database" }),
  ];
  const { nodes, edges } = build({ services: [running("gateway"), running("orders"), running("payments"), running("reports")], facts });
  assert.deepEqual([...nodes.keys()].sort(), [BROWSER, "service:gateway", "service:orders", "service:payments", "service:reports", "topic:inventory.events", "topic:orders.events", "topic:payments.events", "topic:shipments.events", "external:provider", "database:payments", "subject:live.orders.{customer}.{order}"].sort());
  assert.ok(edges.has("topic:orders.events>service:payments>kafka"));
  assert.equal(nodes.get("database:payments")?.owner, "service:payments");
  assert.equal(edges.get("service:gateway>service:orders>grpc")?.seen, false);
});

test("what was called and is not scraped is in the graph, too", () => {
  const topology = { nodes: [{ id: "service:new", rate: 2, p99_ms: 5, calls: 20, errors: 5 }], edges: [{ source: "service:new", target: "topic:x", protocol: "kafka", rate: 2, p99_ms: null, calls: 20, errors: 0 }] };
  const { nodes, edges } = build({ topology });
  assert.deepEqual([nodes.get("service:new")?.p99, nodes.get("service:new")?.errors], [0.005, 0.25]);
  assert.equal(edges.get("service:new>topic:x>kafka")?.seen, true);
});

test("what calls the gateway without spans counts as the browser; live messages go the other way", () => {
  const push = { source: "service:gateway", target: BROWSER, protocol: "websocket", rate: 1, p99_ms: null, calls: 9, errors: 0 };
  const { edges } = build({ topology: { nodes: [{ id: "service:gateway", rate: 30, p99_ms: 4, calls: 300, errors: 0 }], edges: [push] }, services: [running("gateway")] });
  assert.deepEqual([edges.get(`service:gateway>${BROWSER}>websocket`)?.rate, edges.get(`${BROWSER}>service:gateway>http`)?.rate], [1, 30]);
});

test("live messages that the gateway passes on are no calls of the browser, and not what the gateway handles", () => {
  const live = { source: "subject:live", target: "service:gateway", protocol: "nats", rate: 79, p99_ms: 0.1, calls: 790, errors: 0 };
  const services = [running("gateway", { requests: { rate: 9, errors_per_second: 0, p99_ms: 40 } })];
  const { edges, nodes } = build({ topology: { nodes: [{ id: "service:gateway", rate: 89, p99_ms: 1, calls: 890, errors: 89 }], edges: [live] }, services });
  const call = edges.get(`${BROWSER}>service:gateway>http`);
  for (const one of [call, nodes.get("service:gateway")]) assert.deepEqual([one?.rate, one?.errors, one?.p99], [10, 0.89, 0.04]);
});

test("replicas are one node, with the sum of their rates", () => {
  const red = (/** @type {number} */ rate, /** @type {number} */ failed) => ({ rate, errors_per_second: failed, p99_ms: rate });
  const { nodes } = build({ services: [running("orders_1", { requests: red(30, 0) }), running("orders_2", { requests: red(10, 4), up: false })] });
  const orders = nodes.get("service:orders");
  assert.deepEqual([orders?.rate, orders?.errors, orders?.p99, orders?.replicas.map(({ up }) => up)], [40, 0.1, 0.03, [true, false]]);
});

test("numbers are those of traces while everything is traced, and of metrics otherwise", () => {
  const node = { id: "service:orders", rate: 5, p99_ms: 20, calls: 50, errors: 5 };
  const services = [running("orders", { requests: { rate: 40, errors_per_second: 0, p99_ms: 7 } })];
  const shown = (/** @type {boolean} */ sampled) => {
    const orders = build({ topology: { sampled, coverage: sampled ? 0.1 : 1, nodes: [node], edges: [] }, services }).nodes.get("service:orders");
    return [orders?.rate, orders?.p99, orders?.errors];
  };
  assert.deepEqual(shown(false), [5, 0.02, 0.1]);
  assert.deepEqual(shown(true), [40, 0.007, 0]);
});

test("a database of two services is a node of its own", () => {
  const sql = (/** @type {string} */ source) => ({ source, target: "database:shared", protocol: "sql", rate: 1, p99_ms: 1, calls: 1, errors: 0 });
  assert.equal(build({ topology: { nodes: [], edges: [sql("service:a")] } }).nodes.get("database:shared")?.owner, "service:a");
  assert.equal(build({ topology: { nodes: [], edges: [sql("service:a"), sql("service:b")] } }).nodes.get("database:shared")?.owner, undefined);
});

test("a healthy mesh has no sentence", () => {
  const facts = [fact(0, { job: "payments", destination: "provider" }), fact(1, { job: "payments", of: "database" }), fact(3, { job: "payments", topic: "orders.events", group: "payments" })];
  assert.deepEqual(texts({ services: [running("payments")], facts, firing: [{ labels: { alertname: "Watchdog", severity: "none" }, annotations: {} }] }), []);
});

test("each thing that is wrong has a sentence, the worst first", () => {
  const facts = [
    fact(412, { job: "payments", topic: "orders.events", group: "payments" }),
    fact(8.2, { job: "payments", topic: "orders.events", group: "payments", of: "age" }),
    fact(2, { job: "payments", destination: "provider" }),
    fact(0, { job: "shipping", of: "database" }),
    fact(1, { job: "orders", condition: "outbox_stuck" }),
  ];
  const services = [running("orders"), running("payments"), running("shipping"), running("gateway", { up: false, error: "tcp connect error: Connection refused" })];
  const alert = (/** @type {string} */ severity, /** @type {string} */ summary, labels = {}) => ({ labels: { alertname: "A", severity, ...labels }, annotations: { summary } });
  const firing = [alert("ticket", "orders cannot send its events", { service: "orders" }), alert("page", "orders are slow in 1h"), alert("ticket", "orders are slow in 1d")];
  assert.deepEqual(texts({ services, facts, firing }), [
    "service:gateway bad: does not answer: connection refused",
    "service:payments bad: its breaker to provider is open",
    "service:shipping bad: its database does not answer",
    "service:gateway bad: orders are slow in 1h",
    "service:orders warning: degraded: outbox stuck",
    "topic:orders.events warning: payments: lag 412, 8 s old",
    "service:orders warning: cannot send its events",
  ]);
});

test("one of several replicas is away", () => {
  assert.deepEqual(texts({ services: [running("orders_1"), running("orders_2", { up: false, error: "no answer" })] }), ["service:orders bad: 1 of 2 replicas do not answer"]);
});

test("a service that is not ready says what it waits for", () => {
  const services = [running("orders", { ready: false }), running("payments", { ready: true }), running("shipping", { ready: false })];
  assert.deepEqual(texts({ services, latches: { orders: ["database", "kafka_consumer"] } }), ["service:orders bad: not ready: database, kafka consumer", "service:shipping bad: not ready"]);
});

test("a process that has started again is worth a word for a while", () => {
  const services = [running("orders", { restarts: 0, started_at: "2026-01-01T00:59:50Z" }), running("payments", { restarts: 1, started_at: "2026-01-01T00:59:50Z" })];
  assert.deepEqual(texts({ services }), ["service:payments warning: restarted just now"]);
  assert.deepEqual(texts({ services, now: Date.parse("2026-01-01T01:05:00Z") }), []);
});

test("a replica that came while lens watched its service is worth a word, the first one is not", () => {
  const started = { restarts: 0, started_at: "2026-01-01T00:59:50Z" };
  const services = [running("orders", { ...started, known_since: "2026-01-01T00:59:52Z" }), running("payments", { ...started, known_since: "2026-01-01T00:10:00Z" })];
  assert.deepEqual(texts({ services }), ["service:payments warning: has a new replica"]);
});

test("what drains while another replica goes on is not expected to be ready, and what drains alone is", () => {
  const one = { service: "orders", instance: "1", draining: true };
  const other = { service: "orders", instance: "2", draining: false };
  const alone = { service: "payments", instance: "3", draining: true };
  assert.deepEqual(expected([one, other, alone]), [other, alone]);
});

test("an alert about a part that is not drawn names that part", () => {
  const firing = [
    { labels: { alertname: "MeshPartAbsent", part: "loki", severity: "ticket" }, annotations: { summary: "loki is absent" } },
    { labels: { alertname: "MeshCollectorLosing", job: "otel-collector", severity: "ticket" }, annotations: { summary: "otel-collector loses log records" } },
    { labels: { alertname: "MeshOrdersSlow", slo: "order-latency", severity: "page" }, annotations: { summary: "orders are slow" } },
  ];
  const mesh = build({ services: [running("gateway")] });
  judge(mesh, { firing, now: 0 });
  assert.deepEqual(sentences(mesh).map(({ id, name, text }) => [id, name, text]), [["service:gateway", "gateway", "orders are slow"], [undefined, "loki", "is absent"], [undefined, "otel-collector", "loses log records"]]);
});
