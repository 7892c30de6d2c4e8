import assert from "node:assert/strict";
import test from "node:test";

import { brief, condition, consequence, gaps, lettersWith, rowsOf, sender } from "../../pages/events/model.js";

const topic = (name, more = {}) => ({ topic: name, dead_letters: name.endsWith(".dlq"), partitions: [{ partition: 0, low: 0, high: 3, retained: 3, oldest: null }], retained: 3, oldest: null, rate: 1, ...more });
const group = (more = {}) => ({ group: "payments", topic: "orders.events", state: "Stable", members: [{ client: "payments", host: "127.0.0.1" }], lag: 0, measured: true, oldest_age_seconds: 0, partitions: [], ...more });

test("topics follow the story of an order, each with its groups and its dead letters", () => {
  const topics = ["inventory.events", "zebra.events", "orders.events.dlq", "orders.events", "payments.events"].map((name) => topic(name));
  const rows = rowsOf({ topics: [...topics, topic("shipments.events", { partitions: [] })], groups: [group(), group({ group: "orders", topic: "payments.events" })] });
  assert.deepEqual(rows.map(({ key }) => key), ["orders.events", "orders.events payments", "payments.events", "payments.events orders", "inventory.events", "zebra.events"]);
  assert.equal(rows[0].dead?.topic, "orders.events.dlq");
});

test("a group without members is bad, and one whose oldest event waits for long is late", () => {
  assert.deepEqual(condition(group()), { level: "", word: "" });
  assert.equal(condition(group({ members: [], state: "Empty" })).level, "bad");
  assert.equal(condition(group({ members: [], measured: false, state: null })).level, "bad");
  assert.equal(condition(group({ lag: 5, oldest_age_seconds: 60 })).level, "warning");
  assert.equal(condition(group({ lag: 5, oldest_age_seconds: 1 })).level, "");
  assert.equal(condition(group({ state: "PreparingRebalance" })).word, "rebalancing");
});

test("types and senders are short, whatever a record says", () => {
  assert.deepEqual([brief("mesh.orders.v1.OrderPlaced"), brief("")], ["OrderPlaced", "no type"]);
  assert.deepEqual([sender("/mesh/orders"), sender("")], ["orders", ""]);
});

test("what is missing of an order's events is said", () => {
  const part = (more) => ({ topic: "orders.events", partition: 0, complete: true, forgotten: false, error: null, ...more });
  const topics = [part({}), part({ complete: false }), part({ forgotten: true }), part({ error: "no answer", complete: false }), part({ partition: null })];
  const all = gaps({ order: "o-1", records: [], topics });
  assert.equal(all.length, 4);
  assert.match(all[2], /no answer/);
});

test("the consequence names the topic and the group", () => {
  const letter = { id: "orders.events.dlq/0/3", topic: "orders.events", group: "payments" };
  assert.match(consequence(letter, "replay"), /sent to orders\.events again, for payments alone/);
  assert.match(consequence(letter, "discard"), /payments will never handle this event.*orders\.events\.dlq/);
});

test("dead letters are found by what is shown of them, and by their key", () => {
  const letter = (more) => ({ id: "orders.events.dlq/0/1", reason: "undecodable", error: "", group: "payments", event_type: "", event_id: "", key: "", ...more });
  const letters = [letter({}), letter({ id: "orders.events.dlq/0/2", reason: "retries_exhausted", error: "the provider\nis away", key: "6f0c9d9e" })];
  const found = (text) => lettersWith(letters, text).map(({ id }) => id.at(-1)).join("");
  assert.deepEqual([found(""), found("retries ex"), found(" PROVIDER "), found("6f0c"), found("payments"), found("nothing")], ["12", "2", "2", "2", "12", ""]);
});
