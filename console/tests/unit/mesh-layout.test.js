import assert from "node:assert/strict";
import { test } from "node:test";

import { next } from "../../pages/mesh/keys.js";
import { curve, layout, shapeOf } from "../../pages/mesh/layout.js";
import { build } from "../../pages/mesh/model.js";

const NAMES = ["gateway", "orders", "catalog", "inventory", "payments", "shipping", "notifications", "lens"];
const services = NAMES.map((service) => ({ service, instance: "a:1", up: true, error: null, started_at: null, requests: null, messages: null }));
const facts = [
  { labels: { job: "payments", destination: "provider" }, value: 0 },
  ...["orders", "payments", "inventory"].map((job) => ({ labels: { job, of: "database" }, value: 1 })),
  ...["payments", "inventory", "shipments"].map((topic) => ({ labels: { job: "orders", topic: `${topic}.events`, group: "orders" }, value: 0 })),
  ...["orders", "payments", "inventory", "shipments"].map((topic) => ({ labels: { job: "notifications", topic: `${topic}.events`, group: "notifications" }, value: 0 })),
];
const mesh = build({ services, facts });
const placed = layout(mesh);
const box = (/** @type {string} */ id) => /** @type {import("../../pages/mesh/layout.js").Box} */ (placed.boxes.get(id));

test("an order goes from left to right", () => {
  const way = ["service:browser", "service:gateway", "service:orders", "topic:orders.events", "service:payments", "topic:payments.events", "service:notifications"].map((id) => box(id).x);
  assert.deepEqual(way, [...way].sort((a, b) => a - b));
});

test("live messages flow back between notifications and the gateway", () => {
  const subject = box("subject:live.orders.{customer}.{order}").x;
  assert.ok(box("service:gateway").x < subject && subject < box("service:notifications").x);
});

test("boxes do not overlap, and a database lies below its service", () => {
  const all = [...placed.boxes];
  assert.equal(all.length, mesh.nodes.size);
  for (const [id, a] of all) {
    for (const [other, b] of all) {
      if (id === other) continue;
      assert.ok(a.x + a.width <= b.x || b.x + b.width <= a.x || a.y + a.height <= b.y || b.y + b.height <= a.y, `${id} and ${other}`);
    }
  }
  assert.ok(box("database:orders").y >= box("service:orders").y + box("service:orders").height);
});

test("numbers move nothing: the shape of a mesh, and so its layout, depends on its nodes and edges only", () => {
  const busy = build({ services: services.map((one) => ({ ...one, up: false, requests: { rate: 99, errors_per_second: 9, p99_ms: 3 } })), facts: facts.map((one) => ({ ...one, value: 7 })) });
  assert.equal(shapeOf(busy), shapeOf(mesh));
  assert.notEqual(shapeOf(build({ services: [...services, { ...services[0], service: "reports" }], facts })), shapeOf(mesh));
  assert.deepEqual(layout(build({ services: [...services].reverse(), facts: [...facts].reverse() })), placed, "the order of answers is of no matter");
});

test("a path begins and ends at the sides of its boxes", () => {
  const path = placed.lines.get("service:gateway>service:orders>grpc") ?? "";
  const [x] = path.slice(1).split(" ").map(Number);
  assert.equal(x, box("service:gateway").x + box("service:gateway").width);
  assert.equal(curve({ x: 0, y: 0 }, [{ x: 0, y: 0 }, { x: 5, y: 5 }, { x: 10, y: 10 }], { x: 10, y: 10 }), "M0 0C5 0 5 10 10 10");
});

test("arrow keys walk along edges, and up and down a column", () => {
  assert.equal(next("ArrowRight", "service:browser", mesh, placed), "service:gateway");
  assert.equal(next("ArrowLeft", "service:orders", mesh, placed), "service:gateway");
  const below = next("ArrowDown", "service:orders", mesh, placed);
  assert.equal(below, "database:orders");
  assert.equal(next("ArrowUp", "database:orders", mesh, placed), "service:orders");
  assert.equal(next("ArrowLeft", "service:browser", mesh, placed), undefined);
  assert.equal(next("x", "service:orders", mesh, placed), undefined);
});

test("what comes later moves nothing: calls of the gateway to others are planned, and dead letters lie in the gap below their topic", () => {
  const edge = (/** @type {string} */ source, /** @type {string} */ target, /** @type {string} */ protocol) => ({ source, target, protocol, rate: 1, p99_ms: 1, calls: 1, errors: 0 });
  const edges = [edge("service:gateway", "service:catalog", "grpc"), edge("service:gateway", "service:inventory", "grpc"), edge("service:payments", "topic:orders.events.dlq", "kafka")];
  assert.deepEqual(layout(build({ services })).boxes.get("service:notifications"), box("service:notifications"), "before metrics are known");
  const later = layout(build({ services, facts, topology: { nodes: [], edges } }));
  for (const [id, place] of placed.boxes) assert.deepEqual(later.boxes.get(id), place, id);
  const [topic, dead] = ["topic:orders.events", "topic:orders.events.dlq"].map((id) => /** @type {import("../../pages/mesh/layout.js").Box} */ (later.boxes.get(id)));
  assert.ok(dead.y >= topic.y + topic.height);
  assert.equal(later.lines.size, placed.lines.size);
});
