// A chart of lines over time: <mesh-chart .spec=${…}>, or `chart(…)` in a template.

import { script, stylesheet } from "../lib/assets.js";
import { formatOf } from "../lib/units.js";
import { html, render } from "../lib/view.js";
import { align, last, stack, withGaps } from "./chart/data.js";
import { colorOf, options } from "./chart/options.js";
import { LABEL, labels, marks } from "./chart/over.js";

/**
 * @typedef {object} Line
 * @property {string} label
 * @property {import("./chart/data.js").Point[]} points oldest first; a value of null is a gap
 * @property {string} [color] a token, as `--hue-3`; without one its place among the lines decides
 * @property {boolean} [dashed]
 */

/**
 * @typedef {object} Spec
 * @property {string} label what the chart shows, for who does not see it
 * @property {Line[]} lines
 * @property {string} [unit] by its name in Grafana: `s`, `bytes`, `percentunit`, `reqps`, `short`
 * @property {{ from: number, to: number }} [range] seconds since the epoch
 * @property {number} [step] seconds between points; where more is missing there is a gap
 * @property {{ value: number, state?: "warning" | "bad", label?: string, always?: boolean }[]} [thresholds]
 * @property {{ at: number, title: string, state?: "bad" }[]} [markers] what happened, at seconds since the epoch
 * @property {{ at: number, value: number, href: string, title?: string }[]} [exemplars]
 * @property {string} [group] charts of one group share their crosshair
 * @property {boolean} [stacked]
 * @property {number} [min] the lower end of the axis; 0 without one, unless values are negative
 * @property {number} [max] the least upper end of the axis
 * @property {boolean} [log]
 * @property {number} [height] in pixels, with labels that stand under the drawing
 * @property {(from: number, to: number) => void} [zoom] called with seconds when the user has dragged
 * @property {() => void} [unzoom] called at a double click
 */

/** @typedef {import("../vendor/uplot/dist/uPlot.iife.min.js").default} Plot */

const PLOT = new URL("../vendor/uplot/dist/uPlot.iife.min.js", import.meta.url);
const STYLE = new URL("../style/chart.css", import.meta.url);

/** As many lines can be told apart. */
const LINES = 6;

/** Below this width labels stand under the drawing. */
const NARROW = 380;

/** So many labels stand under a narrow drawing; the others are scrolled to. */
const NARROW_LINES = 3;

class Chart extends HTMLElement {
  /** @type {Spec | undefined} */
  #spec;
  /** @type {Plot | undefined} */
  #plot;
  #shape = "";
  #isVisible = false;
  #isDirty = false;
  #all = false;
  #frame = 0;
  /** @type {Line[]} */
  #lines = [];
  /** @type {number | null} */
  #index = null;
  #plotBox = document.createElement("div");
  #labels = document.createElement("div");
  #marks = document.createElement("div");
  #sizes = new ResizeObserver(() => this.#later());
  #sight = new IntersectionObserver((entries) => {
    this.#isVisible = entries.some((entry) => entry.isIntersecting);
    if (this.#isVisible && this.#isDirty) this.#later();
  }, { rootMargin: "120px" });
  #restyle = () => {
    this.#shape = "";
    this.#later();
  };

  /** @param {Spec} spec */
  set spec(spec) {
    this.#spec = spec;
    this.#later();
  }

  connectedCallback() {
    this.#plotBox.className = "plot";
    this.#plotBox.tabIndex = 0;
    this.#plotBox.setAttribute("role", "figure");
    this.#plotBox.onkeydown = (event) => this.#onKey(event);
    this.#plotBox.ondblclick = () => this.#spec?.unzoom?.();
    this.#plotBox.onblur = () => this.#plot?.setCursor({ left: -10, top: -10 });
    this.#labels.className = "labels";
    this.#marks.className = "marks";
    this.replaceChildren(this.#plotBox, this.#labels);
    this.#sizes.observe(this);
    this.#sight.observe(this);
    window.addEventListener("themechange", this.#restyle);
    darkness.addEventListener("change", this.#restyle);
    Promise.all([script(PLOT), stylesheet(STYLE)]).then(
      () => this.#later(),
      (error) => (this.#labels.textContent = error.message),
    );
  }

  disconnectedCallback() {
    this.#sizes.disconnect();
    this.#sight.disconnect();
    window.removeEventListener("themechange", this.#restyle);
    darkness.removeEventListener("change", this.#restyle);
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
    this.#plot?.destroy();
    this.#plot = undefined;
    this.#shape = "";
  }

  #later() {
    this.#isDirty = true;
    if (this.#isVisible) this.#frame ||= requestAnimationFrame(() => this.#draw());
  }

  #draw() {
    this.#frame = 0;
    const spec = this.#spec;
    const Plot = /** @type {typeof import("../vendor/uplot/dist/uPlot.iife.min.js").default | undefined} */ (/** @type {any} */ (globalThis).uPlot);
    if (!spec || !Plot || !this.clientWidth) return;
    this.#isDirty = false;
    const isNarrow = this.clientWidth < NARROW;
    this.classList.toggle("narrow", isNarrow);
    this.#lines = this.#all ? spec.lines : spec.lines.slice(0, LINES);
    const width = this.#plotBox.clientWidth;
    const below = isNarrow ? Math.min(this.#lines.length, NARROW_LINES) * LABEL + (spec.lines.length > LINES ? LABEL + 4 : 0) + 4 : 0;
    const height = Math.max(64, (spec.height ?? 160) - below);
    const [times, ...columns] = align(this.#lines.map(({ points }) => withGaps(points, spec.step)));
    /** @type {[number[], ...import("./chart/data.js").Column[]]} */
    const data = [times, ...(spec.stacked ? stack(columns) : columns)];
    const shape = JSON.stringify([this.#lines.map(({ label, color, dashed }) => [label, color, dashed]), spec.unit, spec.stacked, spec.log, spec.group, spec.thresholds, spec.min, spec.max]);
    this.#plotBox.setAttribute("aria-label", `${spec.label}: ${this.#lines.map((line) => `${line.label} ${formatOf(spec.unit)(last(line.points))}`).join(", ") || "no data"}`);
    if (shape === this.#shape && this.#plot) {
      if (this.#plot.width !== width || this.#plot.height !== height) this.#plot.setSize({ width, height });
      this.#plot.setData(data);
      return;
    }
    this.#shape = shape;
    this.#plot?.destroy();
    const given = {
      width,
      height,
      setCursor: (/** @type {Plot} */ plot) => this.#onCursor(plot),
      setSelect: (/** @type {Plot} */ plot) => this.#onSelect(plot),
      drawn: () => this.#drawOver(),
    };
    this.#plot = new Plot(options(() => this.#spec ?? spec, this.#lines, this, given), data, this.#plotBox);
    this.#plot.over.append(this.#marks);
    this.#drawOver();
  }

  /** What lies over the canvas: labels at the lines' ends, markers, exemplars. */
  #drawOver() {
    const [spec, plot] = [this.#spec, this.#plot];
    if (!spec || !plot) return;
    render(marks(spec, plot), this.#marks);
    const more = spec.lines.length - LINES;
    const toggle = () => {
      this.#all = !this.#all;
      this.#later();
    };
    const colors = this.#lines.map((line, index) => colorOf(line, index, this));
    render(labels({ spec, plot, lines: this.#lines, colors, index: this.#index, isNarrow: this.classList.contains("narrow"), more, all: this.#all, toggle }), this.#labels);
  }

  /** @param {Plot} plot */
  #onCursor(plot) {
    const { idx, left = 0 } = plot.cursor;
    // Beside all points there is nothing to read.
    const isNear = typeof idx === "number" && Math.abs(plot.posToVal(left, "x") - plot.data[0][idx]) <= (this.#spec?.step ?? Infinity);
    const index = isNear ? idx : null;
    if (index === this.#index || plot !== this.#plot) return;
    this.#index = index;
    this.#drawOver();
  }

  /** @param {Plot} plot */
  #onSelect(plot) {
    const { left, width } = plot.select;
    const [from, to] = [left, left + width].map((x) => plot.posToVal(x, "x"));
    plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
    if (width > 4) this.#spec?.zoom?.(from, to);
  }

  /** @param {KeyboardEvent} event */
  #onKey(event) {
    const plot = this.#plot;
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!plot || !step || !plot.data[0].length) return;
    event.preventDefault();
    const end = plot.data[0].length - 1;
    const next = Math.max(0, Math.min(end, (this.#index ?? (step < 0 ? end + 1 : -1)) + step));
    plot.setCursor({ left: plot.valToPos(plot.data[0][next], "x"), top: 0 });
  }
}

const darkness = matchMedia("(prefers-color-scheme: dark)");

customElements.define("mesh-chart", Chart);

/** A chart. @param {Spec} spec */
export const chart = (spec) => html`<mesh-chart .spec=${spec}></mesh-chart>`;
