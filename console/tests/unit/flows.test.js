import assert from "node:assert/strict";
import test from "node:test";

import { applied, bar, funnel, group, groups, histogram, lasted, merged, parts, passes, quantile, statusOf } from "../../pages/flows/model.js";

const START = Date.parse("2026-03-14T09:26:53Z");
const at = (ms) => new Date(START + ms).toISOString();
const TRACE = "4bf92f3577b34da6a3ce929d0e0e4736";

/** An order as `GET /api/orders` has it. */
const order = (id, changes, more = {}) => ({
  id,
  customer: "ada",
  items: [{ sku: "teapot", quantity: 1 }],
  total: { currency: "EUR", amount_minor: 3995 },
  history: changes.map(([status, ms]) => ({ status, at: at(ms) })),
  trace_id: TRACE,
  ...more,
});
const message = (id, status, ms, more = {}) => ({ seq: 1, order_id: id, customer: "ada", type: "x", at: at(ms), status, traceparent: `00-${TRACE}-00f067aa0ba902b7-01`, ...more });
const rows = (...orders) => merged(new Map(), orders, 100);

test("a live message is shown before the list has the order, and completed by it later", () => {
  const live = applied(new Map(), message("a", "placed", 0), 100);
  assert.deepEqual([live.get("a").total, live.get("a").trace], [undefined, TRACE]);
  const listed = merged(live, [order("a", [["placed", 0]])], 100);
  assert.equal(listed.get("a").total.amount_minor, 3995);
});

test("a list that is older than a live message does not turn the order back", () => {
  const live = applied(rows(order("a", [["placed", 0]])), message("a", "paid", 40), 100);
  const listed = merged(live, [order("a", [["placed", 0]])], 100);
  assert.equal(statusOf(listed.get("a")), "paid");
});

test("a message that comes twice changes nothing", () => {
  const once = applied(rows(order("a", [["placed", 0]])), message("a", "paid", 40), 100);
  assert.equal(applied(once, message("a", "paid", 40), 100), once);
  assert.equal(applied(once, message("a", undefined, 40), 100), once);
});

test("only the newest orders are kept", () => {
  const kept = merged(new Map(), [order("a", [["placed", 0]]), order("b", [["placed", 20]]), order("c", [["placed", 10]])], 2);
  assert.deepEqual([...kept.keys()].sort(), ["b", "c"]);
});

test("orders are grouped by what became of them and why", () => {
  const all = rows(order("a", [["placed", 0]]), order("b", [["placed", 0], ["cancelled", 30]], { reason: "payment_declined" }), order("c", [["placed", 0], ["paid", 10], ["dispatched", 20], ["completed", 300]]));
  assert.deepEqual([...groups(all.values())], [["on its way", 1], ["completed", 1], ["payment_declined", 1]]);
  assert.deepEqual(funnel(all.values()), { placed: 3, paid: 1, dispatched: 1, completed: 1, cancelled: 1 });
  assert.equal(group(all.get("b")), "payment_declined");
});

test("durations count finished orders only", () => {
  const all = rows(order("a", [["placed", 0]]), order("b", [["placed", 0], ["cancelled", 50]]), order("c", [["placed", 0], ["completed", 20_000]]));
  const bars = histogram(all.values());
  assert.deepEqual([bars[0], bars.at(-1), bars.reduce((sum, one) => sum + one)], [1, 1, 2]);
  assert.deepEqual([bar(50), bar(51), quantile(all.values(), 0.5), quantile(all.values(), 0.99)], [0, 1, 50, 20_000]);
  assert.equal(quantile([], 0.5), undefined);
});

test("the last part grows while the order is on its way", () => {
  const [row] = rows(order("a", [["placed", 0], ["paid", 40]])).values();
  assert.deepEqual(parts(row, START + 100), [{ status: "placed", ms: 40 }, { status: "paid", ms: 60 }]);
  assert.equal(lasted(row, START + 100), 100);
});

test("filters are joined", () => {
  const [row] = rows(order("abc", [["placed", 0], ["completed", 60]])).values();
  assert.ok(passes(row, { group: "completed", bar: 1, text: "ab" }) && passes(row, { text: "teapot" }));
  assert.ok(!passes(row, { group: "on its way" }) && !passes(row, { bar: 0 }) && !passes(row, { text: "x" }));
});
