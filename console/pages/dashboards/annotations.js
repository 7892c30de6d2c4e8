// What happened: starts of processes and firing alerts, as marks over all charts of a dashboard.

import { range } from "../../lib/prometheus.js";
import { inTurn } from "./ask.js";
import { fill, legend } from "./query.js";
import { stateOfColor } from "./field.js";

/** @typedef {{ at: number, title: string, state?: "bad" }} Marker */

/** @param {import("./definition.js").Annotation} annotation @param {import("../../lib/prometheus.js").Series} series @param {number} step @param {number} start @returns {Marker[]} */
function marksOf({ titleFormat, useValueForTime, iconColor }, { labels, points }, step, start) {
  const title = legend(titleFormat, labels);
  const state = stateOfColor(iconColor) === "bad" ? /** @type {const} */ ("bad") : undefined;
  // A value that is a time, in milliseconds: one mark for each; otherwise one where a stretch of points begins;
  // what lasted already when the time begins has begun before it.
  const times = useValueForTime ? points.map(([, value]) => value / 1000) : points.filter(([at], index) => (index === 0 ? at > start : at - points[index - 1][0] > step * 1.5)).map(([at]) => at);
  return [...new Set(times)].map((at) => ({ at, title, state }));
}

/** Marks of the annotations that are on; those of one time are joined. @param {import("./definition.js").Annotation[]} annotations @param {import("./ask.js").Asked} asked @param {AbortSignal} signal @returns {Promise<Marker[]>} */
export async function markers(annotations, { span, variables, values }, signal) {
  const { from: start, to: end, step } = span;
  const parts = await Promise.all(
    annotations.map(async (annotation) => {
      const found = await inTurn(signal, () => range(fill(annotation.expr, span, variables, values), { start, end, step, signal }));
      return found.flatMap((series) => marksOf(annotation, series, step, start)).filter(({ at }) => at >= start && at <= end);
    }),
  );
  /** @type {Map<string, Marker[]>} */
  const together = new Map();
  for (const mark of parts.flat()) {
    const key = `${mark.at} ${mark.state ?? ""}`;
    together.set(key, [...(together.get(key) ?? []), mark]);
  }
  return [...together.values()].map((marks) => (marks.length > 3 ? { ...marks[0], title: `${marks.length} × ${marks[0].title.replace(/^\S+ /, "")}` } : { ...marks[0], title: marks.map(({ title }) => title).join(", ") }));
}
