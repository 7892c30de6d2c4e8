import assert from "node:assert/strict";
import { test } from "node:test";

import { fromFlow, fromMessage, Slots } from "../../pages/mesh/slots.js";

const message = (/** @type {string} */ id, /** @type {string} */ type, more = {}) => fromMessage({ order_id: id, type: `mesh.x.v1.${type}`, at: "2026-01-01T00:00:01Z", traceparent: "00-abc-def-01", ...more });

/** @param {number} size */
function slots(size) {
  const all = new Slots();
  all.resize(size);
  return all;
}

test("segments fill as an order goes on, in whatever order messages come", () => {
  const all = slots(2);
  const stages = ["OrderPlaced", "PaymentAuthorized", "OrderPaid", "ShipmentDispatched", "OrderDispatched", "PaymentAuthorized", "ShipmentDelivered", "OrderCompleted"].map((type) => {
    all.see(message("a", type, { status: { OrderPlaced: "placed", OrderPaid: "paid", OrderDispatched: "dispatched", OrderCompleted: "completed" }[type] }), 1);
    return all.orders[0]?.stage;
  });
  assert.deepEqual(stages, [1, 2, 3, 4, 4, 4, 4, 5]);
  assert.deepEqual([all.orders[0]?.state, all.orders[0]?.trace], ["completed", "abc"]);
});

test("an order keeps its place until it has ended and another needs it", () => {
  const all = slots(2);
  all.see(message("a", "OrderPlaced"), 0);
  all.see(message("b", "OrderPlaced"), 0);
  assert.equal(all.see(message("c", "OrderPlaced"), 10), false, "both are under way");
  all.see(message("b", "OrderCompleted", { status: "completed" }), 20);
  assert.equal(all.see(message("c", "OrderPlaced"), 30), false, "it is to be seen for a moment");
  all.see(message("c", "OrderPlaced", { at: "2026-01-01T00:00:06Z" }), 5_000);
  assert.deepEqual(all.orders.map((order) => order?.id), ["a", "c"]);
});

test("an order that ended earlier takes no place of a later one", () => {
  const all = slots(1);
  const flow = (/** @type {string} */ id, /** @type {string} */ at) => fromFlow({ id, trace_id: id, state: "completed", started_at: at, duration_ms: 1 });
  all.see(flow("later", "2026-01-01T00:00:05Z"), 0);
  assert.equal(all.see(flow("earlier", "2026-01-01T00:00:01Z"), 60_000), false);
  assert.equal(all.see(flow("latest", "2026-01-01T00:00:09Z"), 60_000), true);
});

test("an order of this user is shown in any case", () => {
  const all = slots(1);
  all.see(message("a", "OrderPlaced"), 0);
  all.see({ id: "mine", stage: 1, at: 0, isOwn: true }, 1);
  assert.deepEqual(all.orders.map((order) => [order?.id, order?.isOwn]), [["mine", true]]);
});

test("a cancelled order keeps what it has reached, and its reason", () => {
  const all = slots(1);
  all.see(message("a", "OrderPlaced"), 0);
  all.see(message("a", "OrderCancelled", { reason: "payment_declined" }), 1);
  all.see(message("a", "OrderPaid", { status: "paid" }), 2);
  const order = all.orders[0];
  assert.deepEqual([order?.state, order?.reason, order?.ended], ["cancelled", "payment_declined", 1]);
});

test("flows of lens begin what live messages go on with", () => {
  const all = slots(1);
  all.see(fromFlow({ id: "a", trace_id: "t", state: "paid", started_at: "2026-01-01T00:00:00Z", duration_ms: null }), 0);
  assert.deepEqual([all.orders[0]?.stage, all.orders[0]?.state, all.orders[0]?.trace], [3, "paid", "t"]);
  assert.equal(all.see(fromFlow({ id: "a", trace_id: "t", state: "paid", started_at: "2026-01-01T00:00:00Z", duration_ms: null }), 5), false, "no news");
  all.see(fromFlow({ id: "a", trace_id: "t", state: "completed", started_at: "2026-01-01T00:00:00Z", duration_ms: 1_040 }), 9);
  assert.equal(all.orders[0]?.took, 1.04);
});

test("an order that began before the page opened has no duration, because its begin is unknown", () => {
  const slots = new Slots();
  slots.resize(1);
  slots.see(fromMessage({ order_id: "a", type: "mesh.orders.v1.OrderDispatched", at: new Date(1_000).toISOString(), status: "dispatched" }), 1_000);
  slots.see(fromMessage({ order_id: "a", type: "mesh.orders.v1.OrderCompleted", at: new Date(1_500).toISOString(), status: "completed" }), 1_500);
  assert.deepEqual([slots.orders[0]?.state, slots.orders[0]?.took], ["completed", undefined]);
});
