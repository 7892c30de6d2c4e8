// What uPlot is asked to draw: axes, scales, lines, thresholds.

import { token } from "../../lib/color.js";
import { formatOf, increments } from "../../lib/units.js";

/** @typedef {import("../../vendor/uplot/dist/uPlot.iife.min.js").default} Plot */
/** @typedef {import("../chart.js").Spec} Spec */
/** @typedef {import("../chart.js").Line} Line */

/** A threshold farther away than this many times the largest value is not drawn: it would flatten the lines. */
const NEAR = 3;

/** The widths of the axis of values, and of what is free on the right. */
const SIDE = 62;
const RIGHT = 12;

/** @param {number} seconds @param {number} step between the marks of the axis */
function clock(seconds, step) {
  const date = new Date(seconds * 1000);
  if (step >= 86_400) return date.toLocaleDateString("en-GB", { day: "2-digit", month: "2-digit" });
  return date.toLocaleTimeString("en-GB", step < 60 ? {} : { hour: "2-digit", minute: "2-digit" });
}

/** The thresholds that fit beside the values. @param {Spec} spec @param {number} top the largest value */
export const visibleThresholds = (spec, top) => (spec.thresholds ?? []).filter(({ value, always }) => always || value <= top * NEAR);

/** @param {Spec} spec @param {number | null} low @param {number | null} high of the data @returns {[number, number]} */
export function limits(spec, low, high) {
  const values = [low ?? 0, high ?? 0];
  for (const { value } of visibleThresholds(spec, high ?? 0)) values.push(value);
  const from = Math.min(...values, spec.min ?? 0);
  const to = Math.max(...values, spec.max ?? -Infinity);
  const size = to - from;
  if (size === 0) return from === 0 ? [0, 1] : [Math.min(0, from), Math.max(0, to)];
  const room = size * 0.08;
  return [from === 0 || from === spec.min ? from : from - room, to === spec.max || (to === 0 && from < 0) ? to : to + room];
}

/** The colour of a line on the canvas. @param {Line} line @param {number} index @param {Element} element */
export function colorOf(line, index, element) {
  return token(line.color ?? `--hue-${index % 8}`, element) || "gray";
}

/** Round numbers need no zeros behind the point. @param {string} text */
const tidy = (text) => text.replace(/(\.\d*?)0+(?!\d)/, "$1").replace(/\.(?!\d)/, "");

/** @param {Spec} spec @param {Element} element */
function axes(spec, element) {
  const font = `11px ${token("--sans", element)}`;
  const [line, faint] = [token("--line", element), token("--faint", element)];
  const common = { stroke: faint, font, grid: { stroke: line, width: 1 }, ticks: { show: false } };
  const format = formatOf(spec.unit);
  // On an axis of powers of ten, 100 s is rounder than 1 min 40 s.
  const mark = (/** @type {number | null} */ value) => (value === null ? "" : spec.log && spec.unit === "s" && value >= 60 ? `${value} s` : tidy(format(value)));
  const tens = (/** @type {Plot} */ _, /** @type {number[]} */ splits) => splits.map((value) => (Number.isInteger(Number(Math.log10(value).toFixed(6))) ? value : null));
  return [
    {
      ...common,
      size: 22,
      gap: 4,
      space: 72,
      grid: { show: false },
      values: (/** @type {Plot} */ plot, /** @type {number[]} */ splits, /** @type {number} */ __, /** @type {number} */ ___, /** @type {number} */ step) => {
        // A time that would be cut, or touch the lowest value of the other axis, is left out.
        const { min = 0, max = 1 } = plot.scales.x;
        const [width, half] = [plot.width - SIDE - RIGHT, step < 60 ? 26 : 16];
        return splits.map((at) => {
          const x = ((at - min) / (max - min)) * width;
          return x < half || x > width + RIGHT - half ? "" : clock(at, step);
        });
      },
    },
    {
      ...common,
      size: SIDE,
      gap: 6,
      space: 32,
      ...(spec.log ? { filter: tens, grid: { ...common.grid, filter: tens } } : { incrs: increments(spec.unit) }),
      values: (/** @type {Plot} */ _, /** @type {(number | null)[]} */ splits) => splits.map(mark),
    },
  ];
}

/** Scales that follow the present range and thresholds. @param {() => Spec} current */
function scales(current) {
  const isLog = current().log;
  return {
    x: {
      time: true,
      range: (/** @type {Plot} */ _, /** @type {number} */ low, /** @type {number} */ high) => {
        const { range } = current();
        return /** @type {[number, number]} */ (range ? [range.from, range.to] : [low, high]);
      },
    },
    y: {
      distr: /** @type {1 | 3} */ (isLog ? 3 : 1),
      ...(isLog ? {} : { range: (/** @type {Plot} */ _, /** @type {number} */ low, /** @type {number} */ high) => limits(current(), low, high) }),
    },
  };
}

/** @param {string} color of the form `#rrggbb` @param {string} alpha two hexadecimal digits */
const faded = (color, alpha) => (/^#[0-9a-f]{6}$/i.test(color) ? color + alpha : color);

/** @param {Spec} spec @param {Line[]} lines @param {Element} element */
function series(spec, lines, element) {
  return lines.map((line, index) => {
    const stroke = colorOf(line, index, element);
    const isFilled = spec.stacked || lines.length === 1;
    return {
      label: line.label,
      stroke,
      // The edge of an empty layer would hide that of the one below.
      width: spec.stacked ? 0 : 1.5,
      fill: isFilled ? faded(stroke, spec.stacked ? "b3" : "1c") : undefined,
      dash: line.dashed ? [4, 4] : undefined,
      spanGaps: false,
      points: { show: false },
    };
  });
}

/** A text that lines behind it do not cross out. @param {CanvasRenderingContext2D} ctx @param {string} text @param {number} x @param {number} y @param {string} ground */
function tag(ctx, text, x, y, ground) {
  ctx.save();
  ctx.setLineDash([]);
  ctx.lineJoin = "round";
  ctx.lineWidth = 4 * devicePixelRatio;
  ctx.strokeStyle = ground;
  ctx.strokeText(text, x, y);
  ctx.restore();
  ctx.fillText(text, x, y);
}

/** Hairlines with their values, above the grid and below the labels. @param {Spec} spec @param {Element} element */
function thresholds(spec, element) {
  return (/** @type {Plot} */ plot) => {
    const { ctx, bbox } = plot;
    const scale = devicePixelRatio;
    const top = plot.scales.y.max ?? 0;
    let labelled = Infinity;
    for (const { value, state, label } of spec.thresholds ?? []) {
      if (value > top || value < (plot.scales.y.min ?? 0)) continue;
      const y = Math.round(plot.valToPos(value, "y", true));
      const isFree = Math.abs(labelled - y) > 14 * scale;
      const color = token(state === "warning" ? "--warning" : "--bad", element);
      ctx.save();
      ctx.strokeStyle = ctx.fillStyle = color;
      ctx.lineWidth = scale;
      ctx.setLineDash([2 * scale, 3 * scale]);
      ctx.beginPath();
      ctx.moveTo(bbox.left, y);
      ctx.lineTo(bbox.left + bbox.width, y);
      ctx.stroke();
      ctx.font = `${11 * scale}px ${token("--sans", element)}`;
      ctx.textAlign = "left";
      ctx.textBaseline = y - bbox.top < 16 * scale ? "top" : "bottom";
      if (isFree) tag(ctx, label ?? tidy(formatOf(spec.unit)(value)), bbox.left + 4 * scale, y + (ctx.textBaseline === "top" ? 3 : -2) * scale, token("--raised", element));
      ctx.restore();
      if (isFree) labelled = y;
    }
  };
}

/**
 * @param {() => Spec} current @param {Line[]} lines those to be drawn @param {Element} element
 * @param {{ width: number, height: number, setCursor: (plot: Plot) => void, setSelect: (plot: Plot) => void, drawn: (plot: Plot) => void }} given
 */
export function options(current, lines, element, { width, height, setCursor, setSelect, drawn }) {
  const spec = current();
  return {
    width,
    height,
    padding: /** @type {[number, number, number, number]} */ ([8, RIGHT, 0, 0]),
    legend: { show: false },
    cursor: {
      y: false,
      points: { size: 5 },
      drag: { x: true, y: false, setScale: false },
      sync: spec.group ? { key: spec.group, setSeries: false, scales: /** @type {[string, null]} */ (["x", null]) } : undefined,
    },
    scales: scales(current),
    axes: axes(spec, element),
    series: [{}, ...series(spec, lines, element)],
    bands: spec.stacked ? lines.slice(1).map((_, index) => ({ series: /** @type {[number, number]} */ ([index + 2, index + 1]) })) : undefined,
    hooks: { draw: [thresholds(spec, element), drawn], setCursor: [setCursor], setSelect: [setSelect] },
  };
}
