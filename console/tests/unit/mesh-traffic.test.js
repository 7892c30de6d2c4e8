import assert from "node:assert/strict";
import { test } from "node:test";

import { MOST, seconds, share, Traffic } from "../../pages/mesh/traffic.js";

const flow = (/** @type {number} */ rate, more = {}) => ({ id: `e${rate}`, rate, errors: 0, p99: 0.01, delay: 0, ...more });

/** The dots that begin within `lasts` seconds. @param {any[]} flows @param {number} lasts */
function begun(flows, lasts) {
  const traffic = new Traffic();
  traffic.set(flows, 100);
  const seen = new Map();
  let most = 0;
  for (let now = 100; now <= 100 + lasts; now += 1 / 30) {
    const dots = traffic.step(now);
    most = Math.max(most, dots.length);
    for (const dot of dots) seen.set(dot, dot);
  }
  return { dots: [...seen.keys()], most };
}

test("at low rates each message is one dot, the first at once", () => {
  const { dots } = begun([flow(0.1)], 9.9);
  assert.deepEqual(dots.map(({ began }) => Math.round(began - 100)), [0]);
  assert.equal(begun([flow(0.5)], 19.9).dots.length, 10);
});

test("there are never more dots than can be followed, and they are in proportion", () => {
  const { dots, most } = begun([flow(200), flow(100), flow(1_000)], 10);
  assert.ok(most <= MOST && most > MOST / 2, String(most));
  const of = (/** @type {string} */ id) => dots.filter((dot) => dot.id === id).length;
  assert.ok(Math.abs(of("e200") / of("e100") - 2) < 0.3, `${of("e200")} ${of("e100")}`);
  assert.ok(of("e1000") > of("e200"));
});

test("the share is that which fills the budget", () => {
  assert.equal(share([flow(1)]), 1);
  const flows = [flow(100), flow(300, { p99: 2 })];
  const wanted = flows.reduce((sum, { rate, p99 }) => sum + rate * seconds(p99), 0);
  assert.ok(Math.abs(share(flows) * wanted - MOST) < 1e-9);
});

test("what is slow moves slowly, within limits", () => {
  assert.ok(seconds(0.001) < seconds(0.1) && seconds(0.1) < seconds(3));
  assert.ok(seconds(1e6) <= 4 && seconds(null) < 2);
});

test("failed messages are red, in their share", () => {
  const { dots } = begun([flow(2, { errors: 0.25 })], 20);
  assert.ok(Math.abs(dots.filter(({ isBad }) => isBad).length / dots.length - 0.25) < 0.06);
});

test("without rates nothing is to be drawn", () => {
  const traffic = new Traffic();
  traffic.set([flow(0)], 1);
  assert.ok(traffic.isIdle);
  traffic.set([flow(5)], 2);
  assert.ok(!traffic.isIdle);
  traffic.step(2.1);
  traffic.set([], 3);
  assert.ok(!traffic.isIdle, "dots that are on their way arrive");
  traffic.step(60);
  assert.ok(traffic.isIdle);
});
