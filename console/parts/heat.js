// A heat map of a histogram's buckets over time, in one hue, on a canvas.

import { token } from "../lib/color.js";
import { number, time } from "../lib/format.js";
import { formatOf } from "../lib/units.js";
import { ticks } from "./timeline.js";

/** @typedef {{ limit: number, points: Map<number, number> }} Bucket */
/** @typedef {{ label: string, buckets: Bucket[], range: { from: number, to: number }, step: number, unit?: string, height: number }} Spec */
/** @typedef {{ spec: Spec, rows: Bucket[], width: number, height: number, row: number, x: (at: number) => number }} Layout */

/** Buckets as Prometheus has them count what is below; here each counts its own. @param {{ labels: Record<string, string>, points: [number, number][] }[]} series @returns {Bucket[]} */
export function buckets(series) {
  const limitOf = (/** @type {string} */ text) => (text === "+Inf" ? Infinity : Number(text));
  const sorted = series.map(({ labels, points }) => ({ limit: limitOf(labels.le ?? "+Inf"), points: new Map(points) })).sort((a, b) => a.limit - b.limit);
  return sorted.map(({ limit, points }, index) => {
    const below = sorted[index - 1]?.points;
    return { limit, points: new Map([...points].map(([at, value]) => [at, Math.max(0, value - (below?.get(at) ?? 0))])) };
  });
}

const LEFT = 62;
const BOTTOM = 22;
const TOP = 6;

class Heat extends HTMLElement {
  /** @type {Spec | undefined} */
  #spec;
  #canvas = document.createElement("canvas");
  #readout = document.createElement("p");
  #sizes = new ResizeObserver(() => this.#draw());
  #restyle = () => this.#draw();

  /** @param {Spec} spec */
  set spec(spec) {
    this.#spec = spec;
    this.#draw();
  }

  connectedCallback() {
    this.#canvas.setAttribute("role", "img");
    this.#canvas.onmousemove = (event) => this.#read(event);
    this.#canvas.onmouseleave = () => (this.#readout.textContent = "");
    this.#readout.className = "readout";
    this.replaceChildren(this.#canvas, this.#readout);
    this.#sizes.observe(this);
    window.addEventListener("themechange", this.#restyle);
    darkness.addEventListener("change", this.#restyle);
  }

  disconnectedCallback() {
    this.#sizes.disconnect();
    window.removeEventListener("themechange", this.#restyle);
    darkness.removeEventListener("change", this.#restyle);
  }

  /** The rows that are not empty, and their places. @returns {Layout | undefined} */
  #layout() {
    const spec = this.#spec;
    if (!spec || !this.clientWidth) return undefined;
    const used = spec.buckets.map(({ points }) => [...points.values()].some((value) => value > 1e-9));
    const [first, last] = [used.indexOf(true), used.lastIndexOf(true)];
    if (first < 0) return undefined;
    const rows = spec.buckets.slice(Math.max(0, first - 1), last + 2);
    const [width, height] = [this.clientWidth - LEFT - 12, spec.height - BOTTOM - TOP];
    return { spec, rows, width, height, row: height / rows.length, x: (/** @type {number} */ at) => LEFT + ((at - spec.range.from) / (spec.range.to - spec.range.from)) * width };
  }

  #draw() {
    const found = this.#layout();
    if (!found) return void (this.#canvas.width = 0);
    const { spec, rows, height, row, x } = found;
    const scale = devicePixelRatio;
    const canvas = this.#canvas;
    canvas.setAttribute("aria-label", spec.label);
    canvas.width = this.clientWidth * scale;
    canvas.height = spec.height * scale;
    canvas.style.cssText = `width: ${this.clientWidth}px; height: ${spec.height}px`;
    const ctx = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
    ctx.scale(scale, scale);
    const heat = token("--heat", this);
    const top = Math.max(...rows.flatMap(({ points }) => [...points.values()]));
    rows.forEach(({ points }, index) => {
      const y = TOP + height - (index + 1) * row;
      for (const [at, value] of points) {
        if (value <= 1e-9) continue;
        ctx.fillStyle = `rgb(${heat} / ${(0.1 + 0.9 * Math.sqrt(value / top)).toFixed(3)})`;
        // Whole pixels: columns that overlap by a part of one would show as stripes.
        const [left, right] = [x(at - spec.step), x(at)].map(Math.round);
        ctx.fillRect(left, Math.round(y), Math.max(1, right - left), Math.max(1, Math.round(row) - 1));
      }
    });
    this.#axes(ctx, found);
  }

  /** @param {CanvasRenderingContext2D} ctx @param {Layout} found */
  #axes(ctx, { spec, rows, width, height, row }) {
    ctx.font = `11px ${token("--sans", this)}`;
    ctx.fillStyle = token("--faint", this);
    ctx.textAlign = "right";
    ctx.textBaseline = "middle";
    const every = Math.ceil(16 / row);
    rows.forEach(({ limit }, index) => {
      if (Number.isFinite(limit) && index % every === 0) ctx.fillText(formatOf(spec.unit)(limit), LEFT - 6, TOP + height - (index + 1) * row);
    });
    ctx.textAlign = "center";
    for (const { share, text } of ticks(spec.range, 8)) ctx.fillText(text, LEFT + share * width, spec.height - 10);
  }

  /** @param {MouseEvent} event */
  #read(event) {
    const found = this.#layout();
    if (!found) return;
    const { spec, rows, width, height, row } = found;
    const at = spec.range.from + ((event.offsetX - LEFT) / width) * (spec.range.to - spec.range.from);
    const index = Math.floor((TOP + height - event.offsetY) / row);
    const aligned = Math.ceil(at / spec.step) * spec.step;
    const bucket = rows[index];
    const format = formatOf(spec.unit);
    const lower = index > 0 ? format(rows[index - 1].limit) : format(0);
    this.#readout.textContent = bucket ? `${time(aligned * 1000)} · ${lower} to ${Number.isFinite(bucket.limit) ? format(bucket.limit) : "∞"}: ${number(bucket.points.get(aligned) ?? 0)}/s` : "";
  }
}

const darkness = matchMedia("(prefers-color-scheme: dark)");

customElements.define("mesh-heat", Heat);
