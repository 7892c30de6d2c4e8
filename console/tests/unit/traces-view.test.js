// What the page of traces works out beside the tree: the text of a search, rows, the comparison, groups of attributes.

import assert from "node:assert/strict";
import { test } from "node:test";
import { compared, counted } from "../../pages/traces/compare.js";
import { modelOf } from "../../pages/traces/model.js";
import { everything, format, ofParams, parse, toParams } from "../../pages/traces/query.js";
import { linesBySpan, revealed, rowsOf, shownFor, windowOf } from "../../pages/traces/rows.js";
import { TRACE, span, traceOf } from "./traces.js";

test("a search survives as text and as an address", () => {
  const query = { ...everything(), service: "orders", operation: "POST /api/orders", min: "1.5s", max: "2m", error: true, order: "o-1", attrs: /** @type {[string, string][]} */ ([["http.route", "/a b"], ["quote", 'a "b" \\c'], ["sum", "1=2"]]), probes: true };
  const text = format(query);
  assert.equal(text, 'service=orders operation="POST /api/orders" min=1.5s max=2m order=o-1 error probes http.route="/a b" quote="a \\"b\\" \\\\c" sum=1=2');
  assert.deepEqual(parse(text), { query, trace: "", problem: "" });
  assert.deepEqual(ofParams(toParams(query)), { query, problem: "" });
  assert.deepEqual(ofParams(new URLSearchParams({ q: text })).query, query);
});

test("an id is a trace, the id of an order an order, and fields of an address win over its text", () => {
  assert.equal(parse(` ${TRACE.toUpperCase()} `).trace, TRACE);
  assert.equal(parse("25ba4a71-c85e-568a-8598-3f9871365ede").query.order, "25ba4a71-c85e-568a-8598-3f9871365ede");
  const { query } = ofParams(new URLSearchParams("q=service%3Da error&service=b&error=0&attr=x=y"));
  assert.deepEqual([query.service, query.error, query.attrs], ["b", false, [["x", "y"]]]);
});

test("a search that cannot be is refused with what to write instead", () => {
  for (const [text, expected] of [
    ["orders", /“orders” is no condition: write key=value/],
    ["service=", /has no value/],
    ["=x", /has no key/],
    ["min=fast", /number with its unit, for example 100ms/],
    ["min=2s max=100ms", /max is less than min/],
    [Array.from({ length: 9 }, (_, at) => `k${at}=v`).join(" "), /9 attributes; at most 8/],
    [`a=${"x".repeat(2_000)}`, /2002 characters; at most 2000/],
  ]) assert.match(parse(/** @type {string} */ (text)).problem, /** @type {RegExp} */ (expected));
  assert.match(ofParams(new URLSearchParams("attr=novalue")).problem, /attr=key=value/);
  assert.deepEqual(parse('service="unfinished').query.service, "unfinished");
});

const tree = modelOf(traceOf([span("a", "", 0, 100), span("b", "a", 10, 50), span("c", "b", 20, 30), span("d", "a", 60, 90)]));
const ids = (/** @type {import("../../pages/traces/rows.js").Row[]} */ rows) => rows.map(({ span, line }) => (line ? `${span.id}:${line.body}` : span.id));

test("what is collapsed is left out, and log lines come after their span", () => {
  assert.deepEqual(ids(rowsOf(tree.spans, new Set())), ["a", "b", "c", "d"]);
  assert.deepEqual(ids(rowsOf(tree.spans, new Set(["b"]))), ["a", "b", "d"]);
  assert.deepEqual(ids(rowsOf(tree.spans, new Set(["a", "b"]))), ["a"]);
  const items = [
    { at: "1970-01-01T00:00:01.000015Z", span_id: "b", body: "first", severity: "info", service: "svc", attributes: {} },
    { at: "1970-01-01T00:00:01.000025Z", span_id: "c", body: "hidden", severity: "info", service: "svc", attributes: {} },
    { at: "1970-01-01T00:00:01.000025Z", span_id: "elsewhere", body: "other", severity: "info", service: "svc", attributes: {} },
  ];
  const lines = linesBySpan(items, tree);
  assert.deepEqual(ids(rowsOf(tree.spans, new Set(["b"]), lines)), ["a", "b", "b:first", "d"]);
  assert.equal(lines.get("b")?.[0].at, 15, "to the microsecond");
});

test("a span that is collapsed is shown by the outermost one over it", () => {
  const [, , c] = tree.spans;
  assert.equal(shownFor(c, new Set()).id, "c");
  assert.equal(shownFor(c, new Set(["b"])).id, "b");
  assert.equal(shownFor(c, new Set(["a", "b"])).id, "a");
});

test("only rows in sight and some around them are drawn, at both ends, too", () => {
  const view = { height: 440, row: 22, count: 10_000, around: 10 };
  assert.deepEqual(windowOf({ ...view, top: 0 }), [0, 30]);
  assert.deepEqual(windowOf({ ...view, top: 22_000 }), [990, 1_030]);
  assert.deepEqual(windowOf({ ...view, top: 220_000 - 440 }), [9_970, 10_000]);
  assert.deepEqual(windowOf({ ...view, top: 0, count: 3 }), [0, 3]);
  assert.deepEqual(windowOf({ ...view, top: 9e9, count: 3 }), [3, 3], "after rows were collapsed");
  assert.deepEqual(windowOf({ ...view, top: 0, count: 0 }), [0, 0]);
});

test("a row is revealed with the least movement", () => {
  const view = { height: 220, row: 22 };
  assert.equal(revealed({ ...view, top: 100, index: 8 }), 100, "in sight already");
  assert.equal(revealed({ ...view, top: 1_000, index: 3 }), 44);
  assert.equal(revealed({ ...view, top: 0, index: 50 }), 924);
  assert.equal(revealed({ ...view, top: 500, index: 0 }), 0);
});

test("two traces are aligned by operation, with what only one has", () => {
  const a = modelOf(traceOf([span("1", "", 0, 100, { name: "POST" }), span("2", "1", 10, 30, { name: "get" }), span("3", "1", 40, 50, { name: "old" })]));
  const b = modelOf(traceOf([span("x", "", 0, 190, { name: "POST" }), span("y", "x", 10, 60, { name: "get" }), span("z", "x", 70, 120, { name: "get", error: true }), span("w", "z", 80, 90, { name: "sub" })]));
  const pairs = compared(a, b).map((pair) => [pair.depth, pair.name, pair.a.spans, pair.b.spans, pair.difference]);
  assert.deepEqual(pairs, [[0, "POST", 1, 1, 90], [1, "get", 1, 2, 80], [2, "sub", 0, 1, 10], [1, "old", 1, 0, -10]]);
  assert.ok(compared(a, a).every(({ difference }) => difference === 0));
});

test("a comparison that is cut off says of how many operations the first are shown", () => {
  assert.equal(counted(500, 500), "500 operations");
  assert.equal(counted(1_234, 500), "the first 500 of 1,234 operations");
});
