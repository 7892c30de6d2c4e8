import assert from "node:assert/strict";
import test from "node:test";

import { condition, endedOf, filtered, grouped } from "../../pages/services/model.js";
import { brief, condensed, crateOf, decode, every, heaviest, matching, trunk } from "../../pages/services/pprof.js";

const varint = (value) => (value < 128 ? [value] : [(value & 127) | 128, ...varint(Math.floor(value / 128))]);
const number = (field, value) => [...varint(field * 8), ...varint(value)];
const bytes = (field, content) => [...varint(field * 8 + 2), ...varint(content.length), ...content];
const text = (field, value) => bytes(field, [...new TextEncoder().encode(value)]);

/** A profile of functions that are numbered from 1 and named; each stack has its innermost function first. */
function profile(names, stacks, thread = "main", comment = "") {
  const strings = ["", ...names, "thread", thread, comment];
  const samples = stacks.map(([stack, count]) => bytes(2, [...bytes(1, stack.flatMap(varint)), ...bytes(2, [...varint(count), ...varint(count * 1_000)]), ...bytes(3, [...number(1, names.length + 1), ...number(2, names.length + 2)])]));
  const locations = names.flatMap((_, index) => bytes(4, [...number(1, index + 1), ...number(3, 0x7f0000000000 + index), ...bytes(4, number(1, index + 1))]));
  const functions = names.flatMap((_, index) => bytes(5, [...number(1, index + 1), ...number(2, index + 1)]));
  return new Uint8Array([...samples.flat(), ...locations, ...functions, ...strings.flatMap((one) => text(6, one)), ...number(13, strings.length - 1)]);
}

test("samples are added up along their stacks, the heaviest first", () => {
  const { root, comment } = decode(profile(["main", "read", "parse"], [[[2, 1], 3], [[3, 1], 300], [[1], 7]], "worker", "2 samples had no room"));
  assert.equal(root.total, 310);
  const worker = root.children[0];
  assert.deepEqual([worker.name, worker.children[0].name, worker.children[0].self], ["worker", "main", 7]);
  assert.deepEqual(worker.children[0].children.map(({ name, total, start }) => [name, total, start]), [["parse", 300, 0], ["read", 3, 300]]);
  assert.equal(comment, "2 samples had no room");
  assert.equal([...every(root)].length, 5);
});

test("a function that calls itself counts once in a search", () => {
  const { root } = decode(profile(["main", "walk"], [[[2, 2, 2, 1], 6], [[1], 5]]));
  assert.equal(matching(root, "walk"), 6);
  assert.equal(matching(root, "nothing"), 0);
  assert.deepEqual(heaviest(root, 1), [["walk", 6]]);
});

test("a profile that is cut off, or is none, is an error and no loop", () => {
  const whole = profile(["main"], [[[1], 5]]);
  assert.throws(() => decode(whole.subarray(0, 20)), /ends in the middle/);
  assert.throws(() => decode(new Uint8Array([0x83])), /middle of a number/);
  assert.throws(() => decode(new Uint8Array([0x0d, 1, 2, 3, 4])), /type 5/);
  assert.equal(decode(new Uint8Array()).root.total, 0);
  assert.equal(decode(profile(["main"], [[[9], 1]])).root.children[0].children[0].name, "[unknown]");
});

test("a deep recursion is drawn to a limit, and no sample is lost", () => {
  const { root } = decode(profile(["f"], [[Array(5_000).fill(1), 4]]));
  assert.equal(root.total, 4);
  assert.equal([...every(root)].length, 201);
});

test("frames that only pass the call on are left out, and those of this repository stay", () => {
  const names = ["main", "tokio::run", "tokio::poll", "orders::place", "core::call", "sqlite"];
  const { root } = decode(profile(names, [[[6, 5, 4, 3, 2, 1], 8], [[6, 5, 4, 3, 2, 1, 1], 1], [[4, 3, 2, 1], 91]]));
  const drawn = condensed(root, ({ name, depth }) => depth < 2 || crateOf(name) === "orders");
  assert.deepEqual([...every(drawn)].map(({ name, total, depth }) => [name, total, depth]), [
    ["all threads", 100, 0],
    ["main", 100, 1],
    ["main", 100, 2],
    ["orders::place", 99, 3],
    ["sqlite", 8, 4],
    ["orders::place", 1, 3],
    ["sqlite", 1, 4],
  ]);
  assert.equal(trunk(drawn).name, "orders::place");
});

test("a name is shown without its type parameters and hash", () => {
  assert.equal(brief("tokio::runtime::Runtime<core::option::Option<T>>::block_on"), "tokio::runtime::Runtime::block_on");
  assert.equal(brief("alloc::vec::Vec<u8>::push::h0123456789abcdef"), "alloc::vec::Vec::push");
  assert.equal(brief("malloc"), "malloc");
  assert.equal(brief("<chassis::server::Port as tower::Service<R>>::call"), "chassis::server::Port::call");
  assert.equal(crateOf("<chassis::server::Port as tower::Service<R>>::call"), "chassis");
  assert.equal(crateOf("<&mut payments::Payments as X>::y"), "payments");
  assert.equal(crateOf("malloc"), "");
});

const replica = (more) => ({ service: "orders", name: "orders", instance: "127.0.0.1:1", up: true, ready: true, degraded: [], error: null, ...more });

test("replicas stand below their service", () => {
  const groups = grouped([replica({}), replica({ name: "catalog" }), replica({ instance: "127.0.0.1:2" })]);
  assert.deepEqual(groups.map(([name, all]) => [name, all.length]), [["catalog", 1], ["orders", 2]]);
});

test("a replica that is down, waits or lacks a part says so", () => {
  assert.deepEqual(condition(replica({ up: false, ready: false, error: "refused" })), { level: "bad", word: "down", why: "refused" });
  assert.equal(condition(replica({ ready: false })).word, "not ready");
  assert.deepEqual(condition(replica({ degraded: ["kafka"] })), { level: "warning", word: "degraded", why: "kafka" });
  assert.equal(condition(replica({ ready: null })).word, "answers");
  assert.equal(condition(replica({})).level, "");
});

test("settings are found by key, value and source", () => {
  const settings = [
    { key: "kafka.brokers", value: "127.0.0.1:9092", source: "environment variable MESH_KAFKA__BROKERS" },
    { key: "log.filter", value: "info", source: "default" },
    { key: "redis.url", value: "", source: "default" },
  ];
  const keys = (text, changed = false) => filtered(settings, { text, changed }).map(({ key }) => key);
  assert.deepEqual(keys(""), ["kafka.brokers", "log.filter", "redis.url"]);
  assert.deepEqual(keys("", true), ["kafka.brokers"]);
  assert.deepEqual(keys("INFO"), ["log.filter"]);
  assert.deepEqual(keys("MESH_"), ["kafka.brokers"]);
  assert.deepEqual(keys("(empty)"), ["redis.url"]);
});

test("processes that have ended are counted once for all replicas of a target", () => {
  const replicas = [["orders", 3], ["orders", 3], ["orders-canary", 1]].map(([service, ended]) => ({ service, ended }));
  assert.equal(endedOf(/** @type {any} */ (replicas)), 4);
});
