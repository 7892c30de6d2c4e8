// Two traces side by side, aligned by operation: the same operations below the same operations.

/** @typedef {import("./model.js").Span} Span */
/** @typedef {{ spans: number, time: number, self: number, errors: number }} Side */

/**
 * @typedef {object} Pair
 * @property {string} key
 * @property {string} service
 * @property {string} name
 * @property {number} depth
 * @property {Side} a
 * @property {Side} b
 * @property {number} difference of the times, in microseconds: positive if `b` took longer
 */

import { selfTime } from "./model.js";


/** @param {import("./model.js").Trace} a @param {import("./model.js").Trace} b @returns {Pair[]} in the order of a tree */
export function compared(a, b) {
  const pairs = /** @type {Pair[]} */ ([]);
  const open = groupsOf([a.roots, b.roots]).reverse().map((group) => ({ group, depth: 0, path: "" }));
  while (open.length) {
    const { group, depth, path } = /** @type {typeof open[0]} */ (open.pop());
    const [left, right] = group.sides.map(sideOf);
    const key = `${path}/${group.service} ${group.name}`;
    pairs.push({ key, service: group.service, name: group.name, depth, a: left, b: right, difference: right.time - left.time });
    const below = groupsOf(/** @type {[Span[], Span[]]} */ (group.sides.map((spans) => spans.flatMap((span) => span.children))));
    open.push(...below.reverse().map((one) => ({ group: one, depth: depth + 1, path: key })));
  }
  return pairs;
}

/** Spans of both sides by service and name, in the order in which they first began. @param {[Span[], Span[]]} sides */
function groupsOf(sides) {
  const groups = /** @type {Map<string, { service: string, name: string, sides: [Span[], Span[]], first: number }>} */ (new Map());
  sides.forEach((spans, side) => {
    for (const span of spans) {
      const key = `${span.service} ${span.name}`;
      const group = groups.get(key) ?? { service: span.service, name: span.name, sides: [[], []], first: Infinity };
      group.sides[side].push(span);
      group.first = Math.min(group.first, span.start);
      groups.set(key, group);
    }
  });
  return [...groups.values()].sort((one, other) => one.first - other.first);
}

/** @param {Span[]} spans @returns {Side} */
function sideOf(spans) {
  const sum = (/** @type {(span: Span) => number} */ of) => spans.reduce((all, span) => all + of(span), 0);
  return { spans: spans.length, time: sum((span) => span.end - span.start), self: sum(selfTime), errors: sum((span) => Number(span.error)) };
}

/** How many operations there are, and of how many the first are shown. @param {number} all @param {number} most */
export const counted = (all, most) => (all > most ? `the first ${most} of ${all.toLocaleString("en")} operations` : `${all} operations`);
