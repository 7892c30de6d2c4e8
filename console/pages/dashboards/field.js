// What a definition says of a value: name, unit, colour, thresholds, text, links.

import { formatOf } from "../../lib/units.js";
import { NONE } from "../../lib/format.js";
import { now } from "../../lib/mesh.js";

/** @typedef {import("./definition.js").Field} Field */
/** @typedef {import("./definition.js").Panel} Panel */

/** Our colours for those of Grafana: a service has its hue, good has no colour of its own, warning and bad have theirs. */
const COLOURS = /** @type {Record<string, string>} */ ({
  "#E69F00": "--hue-0", "#F0E442": "--hue-1", "#0072B2": "--hue-2", "#009E73": "--hue-3",
  "#56B4E9": "--hue-4", "#D55E00": "--hue-5", "#CC79A7": "--hue-6", "#999999": "--hue-7",
  "#808080": "--faint", green: "--hue-2", blue: "--hue-0", "light-blue": "--hue-5", "super-light-blue": "--hue-6", orange: "--warning", red: "--bad",
});

/** The token of a colour. @param {string | undefined} color */
export const tokenOf = (color) => (color ? COLOURS[color] : undefined);

/** @param {string | undefined} color @returns {"" | "warning" | "bad"} */
export const stateOfColor = (color) => (color === "red" ? "bad" : color === "orange" ? "warning" : "");

/** Whether a matcher takes a name. @param {{ id: string, options: string }} matcher @param {string} name */
function matches({ id, options }, name) {
  if (id === "byName") return options === name;
  const [, pattern, flags] = /^\/(.*)\/([a-z]*)$/s.exec(options) ?? [undefined, options, ""];
  return new RegExp(pattern, flags).test(name);
}

/** The settings of one field: the defaults of its panel, and the overrides for its name. @param {Panel} panel @param {string} name @returns {Field} */
export function fieldOf(panel, name) {
  const { defaults = {}, overrides = [] } = panel.fieldConfig ?? {};
  /** @type {Field} */
  const field = { ...defaults, custom: { ...defaults.custom } };
  for (const { matcher, properties } of overrides) {
    if (!matches(matcher, name)) continue;
    for (const { id, value } of properties) {
      const [name, ...path] = id.split(".");
      // A path of names, as custom.hideFrom.viz.
      Object.assign(field, { [name]: path.length ? { .../** @type {any} */ (field)[name], ...path.reduceRight((/** @type {any} */ inner, part) => ({ [part]: inner }), value) } : value });
    }
  }
  return field;
}

/** @param {Field} field @param {number} value @returns {{ text: string, color?: string } | undefined} */
export function mapped({ mappings = [] }, value) {
  for (const { options } of mappings) if (options[String(value)]) return options[String(value)];
  return undefined;
}

/** The colour that the thresholds give a value. @param {Field} field @param {number} value */
export function thresholdColor({ thresholds }, value) {
  return thresholds?.steps.filter((step) => step.value === null || value >= step.value).at(-1)?.color;
}

/** A value as text, with its state if it is not well. @param {Field} field @param {number | null | undefined} value @returns {{ text: string, state: "" | "warning" | "bad" }} */
export function shown(field, value) {
  if (value === null || value === undefined || Number.isNaN(value)) return { text: field.noValue ?? NONE, state: "" };
  const known = mapped(field, value);
  if (known) return { text: known.text, state: stateOfColor(known.color) };
  const isJudged = field.color?.mode === "thresholds";
  return { text: formatted(field, value), state: isJudged ? stateOfColor(thresholdColor(field, value)) : "" };
}

/** @param {Field} field @param {number} value */
function formatted({ unit, decimals }, value) {
  // Counts that Prometheus extrapolates have fractions that nobody means.
  const isCount = decimals === 0 && ["short", "none", "locale", undefined].includes(unit);
  return formatOf(unit)(isCount ? Math.round(value) : value, now());
}

/** Thresholds to be drawn: those that say that something is wrong. @param {Field} field */
export function lines({ thresholds, custom }) {
  if (!custom?.thresholdsStyle || custom.thresholdsStyle.mode === "off") return [];
  return (thresholds?.steps ?? []).flatMap(({ value, color }) => {
    const state = stateOfColor(color);
    return value !== null && state ? [{ value, state }] : [];
  });
}
