// Units by the names that Grafana's definitions give them.

import { age, bytes, duration, NONE, number, percent, rate } from "./format.js";

/** @typedef {(value: number | null | undefined, now?: number) => string} Format `now` is the present, in milliseconds: another one in a replay */

/** @type {Record<string, Format>} */
const FORMATS = {
  none: number,
  short: number,
  locale: (value) => (Number.isFinite(value) ? Math.round(/** @type {number} */ (value)).toLocaleString("en-GB").replaceAll(",", " ") : NONE),
  s: duration,
  bytes,
  percentunit: percent,
  reqps: rate,
  "suffix: /s": rate,
  dateTimeFromNow: (value, now = Date.now()) => (Number.isFinite(value) ? `${age((now - /** @type {number} */ (value)) / 1000)} ago` : NONE),
};

/** Whether a unit is known. @param {string} unit */
export const knows = (unit) => unit in FORMATS;

/** What formats values of a unit; numbers stay without one if it is unknown. @param {string | undefined} unit @returns {Format} */
export const formatOf = (unit) => FORMATS[unit ?? "short"] ?? number;

const DECIMAL = [1, 2, 2.5, 5];

/** The steps that an axis of the unit may have. @param {string | undefined} unit @returns {number[]} */
export function increments(unit) {
  const steps = [];
  if (unit === "bytes") {
    for (let power = 0; power < 50; power += 1) steps.push(2 ** power);
    return steps;
  }
  for (let power = -9; power < 16; power += 1) for (const part of DECIMAL) steps.push(Number(`${part}e${power}`));
  if (unit !== "s") return steps;
  return [...steps.filter((step) => step <= 5), 10, 15, 30, 60, 120, 300, 600, 1_800, 3_600, 7_200, 21_600, 43_200, 86_400, 604_800];
}

/** The unit of what a query measures, by the names in it. @param {string} query */
export function unitOfQuery(query) {
  if (/ratio|^1 - avg_over_time|[\w)}\]] \/ (?!on\b)/.test(query)) return "percentunit";
  if (/^(deriv|changes|increase|count)\b|_count|_total/.test(query)) return "short";
  if (/_bytes\b/.test(query)) return "bytes";
  return /_seconds(_bucket)?\b/.test(query) ? "s" : "short";
}
