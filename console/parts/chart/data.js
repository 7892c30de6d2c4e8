// The data of a chart, as uPlot reads it: one list of times for all lines. `null` is a gap, `undefined` no point at that time.

/** @typedef {[seconds: number, value: number | null]} Point */
/** @typedef {(number | null | undefined)[]} Column */

/** A line with a gap wherever points are missing. @param {Point[]} points oldest first @param {number} [step] seconds between points @returns {Point[]} */
export function withGaps(points, step) {
  if (!step) return points;
  /** @type {Point[]} */
  const all = [];
  let last = -Infinity;
  for (const [at, value] of points) {
    if (all.length && at - last > step * 1.5) all.push([last + step, null]);
    all.push([at, value !== null && Number.isFinite(value) ? value : null]);
    last = at;
  }
  return all;
}

/** All lines over the same times. @param {Point[][]} lines @returns {[times: number[], ...columns: Column[]]} */
export function align(lines) {
  const times = [...new Set(lines.flatMap((line) => line.map(([at]) => at)))].sort((a, b) => a - b);
  const place = new Map(times.map((at, index) => [at, index]));
  const columns = lines.map((line) => {
    /** @type {Column} */
    const column = new Array(times.length).fill(undefined);
    for (const [at, value] of line) column[/** @type {number} */ (place.get(at))] = value;
    // uPlot ends a gap at the first place that is not null, where other lines have points.
    for (let index = 1; index < column.length; index += 1) if (column[index] === undefined && column[index - 1] === null) column[index] = null;
    return column;
  });
  return [times, ...columns];
}

/** Columns that stand on each other, the first at the bottom. @param {Column[]} columns @returns {Column[]} */
export function stack(columns) {
  /** @type {number[]} */
  const floor = [];
  return columns.map((column) =>
    column.map((value, index) => {
      const below = floor[index] ?? 0;
      if (typeof value !== "number") return index in floor ? below : value;
      floor[index] = below + value;
      return floor[index];
    }),
  );
}

/** The last value of a line. @param {Point[]} points */
export const last = (points) => points.at(-1)?.[1] ?? null;

/** The value at a time or just before it. @param {Column} column @param {number} index @returns {number | null} */
export function valueAt(column, index) {
  const value = column[index];
  return typeof value === "number" ? value : null;
}

/** Moves places apart so that each has `size`, in their order, within `0..end`. @param {number[]} wanted @param {number} size @param {number} end @returns {number[]} */
export function spread(wanted, size, end) {
  const order = wanted.map((_, index) => index).sort((a, b) => wanted[a] - wanted[b]);
  /** @type {number[]} */
  const placed = [];
  let floor = 0;
  for (const index of order) {
    placed[index] = Math.max(floor, wanted[index]);
    floor = placed[index] + size;
  }
  let ceiling = end;
  for (const index of order.toReversed()) {
    placed[index] = Math.max(0, Math.min(placed[index], ceiling - size));
    ceiling = placed[index];
  }
  return placed;
}
