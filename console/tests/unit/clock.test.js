import assert from "node:assert/strict";
import test from "node:test";

import { ahead, compareClocks, measure } from "../../lib/clock.js";

test("a clock is corrected as far as the server's answers prove it wrong", () => {
  const answered = (date) => new Response("", { headers: { date: new Date(date).toUTCString() } });
  const local = 1_773_480_413_400;
  assert.equal(ahead(), 0);
  compareClocks(answered(local), local - 5, local + 5);
  assert.equal(ahead(), 0, "equal clocks stay equal");
  // Ten minutes ahead: the server's second is known, and a second answer narrows it.
  compareClocks(answered(local + 600_000), local - 5, local + 5);
  assert.ok(ahead() >= 599_000 && ahead() <= 600_600, `${ahead()}`);
  compareClocks(answered(local + 600_700), local + 90, local + 110);
  assert.ok(Math.abs(ahead() - 600_000) < 600, `${ahead()}`);
  // The live connection measures in milliseconds.
  measure(600_012, 4);
  assert.equal(ahead(), 600_010);
  measure(0.4, 2);
  assert.equal(ahead(), 0);
  measure(-90_000, 2);
  assert.equal(ahead(), -89_998);
});
