// The data of a chart: gaps, one list of times, stacks, and labels that do not cover each other.

import assert from "node:assert/strict";
import { test } from "node:test";

import { align, spread, stack, withGaps } from "../../parts/chart/data.js";
import { limits, visibleThresholds } from "../../parts/chart/options.js";

test("missing points become a gap, and so does NaN", () => {
  assert.deepEqual(withGaps([[0, 1], [15, 2], [60, 3], [75, NaN]], 15), [[0, 1], [15, 2], [30, null], [60, 3], [75, null]]);
});

test("lines of different times share one list of times, without gaps in either", () => {
  assert.deepEqual(align([[[0, 1], [10, 2]], [[5, 7]]]), [[0, 5, 10], [1, undefined, 2], [undefined, 7, undefined]]);
});

test("a gap lasts until the line's next point, although other lines have points in it", () => {
  const line = withGaps([[0, 1], [20, 2]], 5);
  assert.deepEqual(align([line, [[0, 7], [5, 7], [10, 7], [15, 7], [20, 7]]])[1], [1, null, null, null, 2]);
});

test("a stack adds what is below", () => {
  assert.deepEqual(stack([[1, 2], [10, null], [100, 200]]), [[1, 2], [11, 2], [111, 202]]);
});

test("labels move apart, keep their order, and stay inside", () => {
  assert.deepEqual(spread([5, 6, 7], 10, 40), [5, 15, 25]);
  assert.deepEqual(spread([35, 36], 10, 40), [20, 30]);
});

test("the axis begins at zero, has room above, and ignores a threshold that is far away", () => {
  const spec = { label: "", lines: [], min: 0, thresholds: [{ value: 2 }, { value: 100 }] };
  assert.deepEqual(limits(spec, 0.5, 1), [0, 2.16]);
  assert.deepEqual(visibleThresholds(spec, 1).map(({ value }) => value), [2]);
  assert.deepEqual(limits({ label: "", lines: [] }, 0, 0), [0, 1]);
  assert.deepEqual(limits({ label: "", lines: [], max: 1, min: 0 }, 0.2, 0.9), [0, 1]);
});
