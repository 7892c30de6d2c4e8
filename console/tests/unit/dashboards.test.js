// Every dashboard of grafana/ can be drawn: nothing in it is unknown to the page, and the page knows when something is.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";

import "../dom.mjs";

const { allPanels, DASHBOARDS, sections, strange } = await import("../../pages/dashboards/definition.js");
const { fieldOf, shown, tokenOf, lines } = await import("../../pages/dashboards/field.js");
const { tableOf } = await import("../../pages/dashboards/frames.js");
const { fill, legend, logQuery, metricsOf, span } = await import("../../pages/dashboards/query.js");
const { buckets } = await import("../../parts/heat.js");
const { stretches } = await import("../../parts/timeline.js");
const { hue } = await import("../../lib/color.js");

const FOLDER = new URL("../../../grafana/dashboards/", import.meta.url);
/** @type {import("../../pages/dashboards/definition.js").Dashboard[]} */
const all = readdirSync(FOLDER).filter((name) => name.endsWith(".json")).map((name) => JSON.parse(readFileSync(new URL(name, FOLDER), "utf8")));

test("the page lists every dashboard", () => {
  assert.deepEqual(DASHBOARDS.map(([uid]) => uid).sort(), all.map(({ uid }) => uid).sort());
});

test("every type, unit, variable, target, transformation and override is known", () => {
  assert.deepEqual(all.flatMap(strange), []);
});

test("every fixed colour has a token", () => {
  const colours = all.flatMap(allPanels).flatMap((panel) => (panel.fieldConfig?.overrides ?? []).flatMap(({ properties }) => properties.filter(({ id }) => id === "color").map(({ value }) => value.fixedColor)));
  assert.deepEqual([...new Set(colours)].filter((color) => color && !tokenOf(color)), []);
});

test("a service has its hue in every chart", () => {
  const panel = all.flatMap(allPanels).find(({ title }) => title === "Requests by service");
  for (const service of ["gateway", "orders", "payments", "inventory", "catalog", "shipping", "notifications", "lens"]) {
    assert.equal(tokenOf(fieldOf(panel, service).color?.fixedColor), `--hue-${hue(service)}`, service);
    assert.equal(tokenOf(fieldOf(panel, `p99 ${service}`).color?.fixedColor), `--hue-${hue(service)}`, `p99 ${service}`);
  }
  assert.equal(tokenOf(fieldOf(panel, "orders.events").color?.fixedColor), undefined);
});

test("what is not known is named", () => {
  const changed = structuredClone(all[0]);
  const panel = allPanels(changed)[0];
  panel.type = "piechart";
  panel.fieldConfig = { defaults: { unit: "furlongs" }, overrides: [{ matcher: { id: "byType", options: "" }, properties: [{ id: "custom.glow", value: 1 }] }] };
  panel.transformations = [{ id: "reduce", options: {} }];
  panel.targets = [{ refId: "A", expr: "rate(a[$__interval_ms])", datasource: { type: "tempo" } }];
  changed.templating.list = [{ name: "host", type: "textbox", query: { query: "x" } }];
  const found = strange(changed).join("\n");
  for (const what of ["the type piechart", "the unit furlongs", "the matcher byType", "the override of custom.glow", "the transformation reduce", "a target of tempo", "the macro $__interval_ms", "the variable host"]) assert.ok(found.includes(what), what);
});

test("no query keeps a macro or a variable, and each names its metrics", () => {
  for (const dashboard of all) {
    const variables = dashboard.templating.list;
    const targets = allPanels(dashboard).flatMap(({ targets = [] }) => targets).filter(({ expr }) => expr);
    for (const { expr, datasource } of targets) {
      const query = fill(expr, span(0, 900), variables, { service: ["orders"] });
      if (datasource?.type === "prometheus") assert.doesNotMatch(query, /\$(?!\d)/, expr);
      if (datasource?.type === "prometheus" && !query.includes("{job=~")) assert.notDeepEqual(metricsOf(query), [], query);
    }
  }
});

test("variables: one value, several, all; their text is no pattern where it is one of several", () => {
  const one = { name: "service", type: "query", query: { query: "" } };
  const many = { name: "topic", type: "query", multi: true, includeAll: true, allValue: ".+", query: { query: "" } };
  const filled = (/** @type {Record<string, string[]>} */ values) => fill('a{s="$service", t=~"${topic}"}[$__rate_interval] $__range $other', span(0, 900), [one, many], values);
  assert.equal(filled({ service: ["orders"], topic: [] }), 'a{s="orders", t=~".+"}[20s] 900s $other');
  assert.equal(filled({ service: ["orders"], topic: ["a.b"] }), 'a{s="orders", t=~"a\\\\.b"}[20s] 900s $other');
  assert.equal(filled({ service: ["orders"], topic: ["a", "b"] }), 'a{s="orders", t=~"(a|b)"}[20s] 900s $other');
});

test("points stay where they are from one refresh to the next", () => {
  assert.deepEqual(span(1003, 1903), { from: 1000, to: 1900, step: 5 });
  assert.deepEqual(span(1004, 1904), { from: 1000, to: 1900, step: 5 });
  assert.equal(span(0, 1800).step, 10);
});

test("legends and the names of metrics", () => {
  assert.equal(legend("{{topic}} → {{ group }}", { topic: "t" }), "t →");
  assert.equal(legend("", { __name__: "up", job: "a" }), 'up{job="a"}');
  assert.deepEqual(metricsOf('sum by (le, service) (rate(a_bucket{x="b_total"}[5m])) / on (slo) group_left () (1 - slo:objective:ratio) or vector(0)'), ["a_bucket", "slo:objective:ratio"]);
});

test("values with mappings, thresholds and units", () => {
  const up = { mappings: [{ type: "value", options: { 0: { color: "red", text: "away" }, 1: { color: "green", text: "answers" } } }] };
  assert.deepEqual(shown(up, 0), { text: "away", state: "bad" });
  assert.deepEqual(shown(up, 1), { text: "answers", state: "" });
  const share = { unit: "percentunit", color: { mode: "thresholds" }, thresholds: { mode: "absolute", steps: [{ color: "green", value: null }, { color: "red", value: 0 }, { color: "orange", value: 0.95 }, { color: "green", value: 0.99 }] } };
  assert.deepEqual([0.5, 0.97, 1].map((value) => shown(share, value).state), ["bad", "warning", ""]);
  assert.deepEqual(shown({ noValue: "none" }, null), { text: "none", state: "" });
  assert.deepEqual(shown({ unit: "short", decimals: 0 }, 4.07), { text: "4", state: "" });
  assert.deepEqual(lines({ custom: { thresholdsStyle: { mode: "off" } }, thresholds: share.thresholds }), []);
});

test("rows of several queries become one table, with its columns renamed, ordered and left out", () => {
  const panel = { options: { sortBy: [{ displayName: "service", desc: false }] }, transformations: [{ id: "merge", options: {} }, { id: "organize", options: { excludeByName: { Time: true }, indexByName: { service: 0 }, renameByName: { "Value #A": "up", "Value #B": "p99" } } }] };
  const answers = [{ refId: "A", samples: [{ labels: { service: "b" }, value: 1 }, { labels: { service: "a" }, value: 0 }] }, { refId: "B", samples: [{ labels: { service: "b" }, value: 0.2 }] }];
  assert.deepEqual(tableOf(answers, /** @type {any} */ (panel)), { columns: ["service", "up", "p99"], rows: [{ service: "a", up: 0 }, { service: "b", up: 1, p99: 0.2 }] });
});

test("rows: panels belong to the row above them", () => {
  const [first] = sections(all.find(({ uid }) => uid === "mesh-overview"));
  assert.equal(first.title, "Is it well?");
  assert.ok(first.panels.every(({ type }) => type === "stat"));
});

test("a heat map's buckets count what is between their limits", () => {
  const series = [{ labels: { le: "+Inf" }, points: [[0, 9]] }, { labels: { le: "0.1" }, points: [[0, 4]] }, { labels: { le: "1" }, points: [[0, 7]] }];
  assert.deepEqual(buckets(/** @type {any} */ (series)).map(({ limit, points }) => [limit, points.get(0)]), [[0.1, 4], [1, 3], [Infinity, 2]]);
});

test("a timeline joins points of one state and leaves gaps", () => {
  const state = (/** @type {number} */ value) => ({ text: String(value), state: /** @type {const} */ ("") });
  assert.deepEqual(stretches([[0, 1], [5, 1], [10, 0], [30, 0]], 5, state).map(({ from, to, text }) => [from, to, text]), [[0, 10, "1"], [10, 15, "0"], [30, 35, "0"]]);
});

test("a selector of Loki becomes parameters of lens", () => {
  assert.deepEqual(logQuery('{service_name=~"orders"} | detected_level="error"'), { service: "orders", severity: "error", rest: '| detected_level="error"' });
  assert.equal(logQuery('{service_name=~".+"}').service, undefined);
});
