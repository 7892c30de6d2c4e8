// Rules: what they compare is found in every expression of grafana/rules that has a comparison at its top.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import "../dom.mjs";

const { belongs, nearness, partOf, split, worst } = await import("../../pages/alerts/rule.js");
const { unitOfQuery } = await import("../../lib/units.js");
const { entries, objectives, promiseOf, silencesOf } = await import("../../pages/alerts/data.js");
const { isQuery } = await import("../../parts/runnable.js");
const { parse } = await import("../../parts/markdown.js");

/** The alerts of the rules' file: name and expression, without a library for YAML. */
function rules() {
  const text = readFileSync(new URL("../../../grafana/rules/alerts.yaml", import.meta.url), "utf8");
  return text.split(/^ +- alert: /m).slice(1).map((rule) => {
    const block = /^( +)expr: [|>]-?\n((?:\1 +.*\n|\s*\n)+)/m.exec(rule)?.[2] ?? /^ +expr: (.*)$/m.exec(rule)?.[1] ?? "";
    return { name: rule.split("\n")[0].trim(), query: block.trim().replace(/^'(.*)'$/s, "$1") };
  });
}

test("every rule is split, or is one of those that have no comparison to split", () => {
  const all = rules();
  assert.ok(all.length > 35, `${all.length} rules`);
  const unsplit = new Set(all.filter(({ query }) => !split(query).length).map(({ name }) => name));
  assert.deepEqual([...unsplit].sort(), ["MeshCollectorLosing", "MeshCollectorRefusing", "MeshPartAbsent", "Watchdog"]);
  for (const { name, query } of all) for (const { left, right } of split(query)) assert.ok(left && right && !/[<>]/.test(left), `${name}: ${left} … ${right}`);
});

test("conditions, alternatives with their labels, and operators in texts and brackets", () => {
  const query = 'label_replace(\n  slo:bad:ratio_rate1h{slo="a"} > 14.4 * (1 - slo:objective:ratio)\n  and slo:bad:increase1h >= 5,\n  "window", "1h", "", ""\n)\nor on (slo) label_replace(b < 6, "window", "6h", "", "")';
  assert.deepEqual(split(query), [
    { left: 'slo:bad:ratio_rate1h{slo="a"}', op: ">", right: "14.4 * (1 - slo:objective:ratio)", labels: { window: "1h" }, conditions: ["and slo:bad:increase1h >= 5"] },
    { left: "b", op: "<", right: "6", labels: { window: "6h" }, conditions: [] },
  ]);
  assert.equal(partOf(split(query), { window: "6h" }).left, "b");
  assert.deepEqual(split('up{job="a > b"} == 0').map(({ left, op, right }) => [left, op, right]), [['up{job="a > b"}', "==", "0"]]);
  assert.deepEqual(split("sum(a > 0)"), []);
  assert.deepEqual(split("(a) + (b) > 1").map(({ left }) => left), ["(a) + (b)"]);
  assert.deepEqual(split("vector(1)"), []);
  assert.deepEqual(split('a > "'), [{ left: "a", op: ">", right: '"', labels: {}, conditions: [] }]);
});

test("how near a value is to firing", () => {
  assert.equal(nearness(">", 5, 10), 0.5);
  assert.equal(nearness(">", 11, 10), 1);
  assert.equal(nearness(">", 0, 0), 0);
  assert.equal(nearness("<", 100, 50), 0.5);
  assert.equal(nearness("==", 1, 0), 0);
  assert.equal(nearness("==", 0, 0), 1);
  assert.equal(worst("==", [1, 0]), 0);
  assert.equal(worst(">", [1, 5]), 5);
});

test("units by names", () => {
  for (const [left, unit] of [["max(mesh_orders_oldest_open_age_seconds)", "s"], ["mesh_memory_used_bytes / mesh_memory_limit_bytes", "percentunit"], ["max by (service) (mesh_database_file_bytes)", "bytes"], ["changes(process_start_time_seconds[2m])", "short"], ["slo:bad:ratio_rate1h", "percentunit"], ['process_open_fds{service!=""} / process_max_fds', "percentunit"]]) assert.equal(unitOfQuery(left), unit, left);
});

test("series of an alert, and silences that hold it back", () => {
  assert.ok(belongs({ service: "a", instance: "x" }, { service: "a", alertname: "n" }));
  assert.ok(!belongs({ service: "a" }, { service: "b" }));
  const silence = (/** @type {any[]} */ matchers) => [{ status: { state: "active" }, matchers }];
  assert.equal(silencesOf(silence([{ name: "service", value: "a|b", isRegex: true }]), { service: "b" }).length, 1);
  assert.equal(silencesOf(silence([{ name: "service", value: "a", isRegex: false, isEqual: false }]), { service: "a" }).length, 0);
  assert.equal(silencesOf([{ status: { state: "expired" }, matchers: [] }], {}).length, 0);
});

const rule = (/** @type {string} */ name, /** @type {string} */ severity) => ({ name, labels: { severity }, query: "", duration: 0, annotations: {}, health: "ok", type: "alerting" });
const alert = (/** @type {string} */ alertname, /** @type {string} */ severity, /** @type {string} */ activeAt, state = "firing") => ({ labels: { alertname, severity }, annotations: {}, state, activeAt, value: "1" });

test("firing pages come first, then tickets, then pending; the oldest first", () => {
  const found = entries(
    [rule("quiet", "page"), rule("late", "page"), rule("early", "page"), rule("ticket", "ticket"), rule("coming", "page")],
    [alert("ticket", "ticket", "2026-01-01T00:00:00Z"), alert("late", "page", "2026-01-01T00:02:00Z"), alert("early", "page", "2026-01-01T00:01:00Z"), alert("coming", "page", "2026-01-01T00:00:00Z", "pending")],
  );
  assert.deepEqual(found.map(({ rule: { name } }) => name), ["early", "late", "ticket", "coming", "quiet"]);
});

test("objectives: burn rates are multiples of what the budget allows; the promise is in the alert's words", () => {
  const sample = (/** @type {string} */ name, /** @type {number} */ value) => ({ labels: { __name__: name, slo: "a" }, value });
  const promising = { ...rule("x", "page"), query: 'slo:bad{slo="a"} > 1', annotations: { description: "… Promised: 99.9 % of orders placed are good. At this rate …" } };
  const [one] = objectives([sample("slo:objective:ratio", 0.99), sample("slo:bad:ratio_rate5m", 0.02), sample("slo:budget_remaining:ratio", -2)], [promising]);
  assert.equal(Math.round(Number(one.burn5m) * 10) / 10, 2);
  assert.equal(one.burn1h, undefined);
  assert.equal(one.left, -2);
  assert.equal(promiseOf([promising], "a"), "99.9 % of orders placed are good");
});

test("every alert has a runbook, whose queries can be run; commands cannot", () => {
  const text = readFileSync(new URL("../../../grafana/runbooks.md", import.meta.url), "utf8");
  const sections = new Map(text.split(/^## /m).slice(1).map((section) => [section.split("\n")[0].trim(), section]));
  for (const { name } of rules()) assert.ok(sections.has(name), name);
  const spans = [...text.matchAll(/`([^`]+)`/g)].map(([, code]) => code);
  assert.ok(spans.filter(isQuery).length > 80, `${spans.filter(isQuery).length} queries`);
  for (const code of spans.filter((one) => /^(cargo|kubectl|docker|kill|kafka|kcat|\/)/.test(one))) assert.ok(!isQuery(code), code);
  for (const code of ["sum by (service, topic) (mesh_consumer_lag)", "up == 0", '{service_name="orders"} |= "outbox"']) assert.ok(isQuery(code), code);
  assert.ok([...sections.values()].every((section) => parse(section).length > 2));
});
