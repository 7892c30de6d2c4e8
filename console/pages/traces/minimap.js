// The whole trace in a strip: a line a span. Dragging over it selects the time that the waterfall shows.

import { hue, token } from "../../lib/color.js";

/** @typedef {[from: number, to: number]} Range */

/** `<trace-minimap>`; its event is `range` (detail: the time that was selected, in microseconds). */
export class Minimap extends HTMLElement {
  /** @type {import("./model.js").Trace | undefined} */
  trace;
  /** @type {Range} */
  range = [0, 1];
  #from = -1;
  #draws = () => this.#draw();
  #resized = new ResizeObserver(this.#draws);

  connectedCallback() {
    if (!this.canvas) {
      this.canvas = this.appendChild(document.createElement("canvas"));
      this.brush = this.appendChild(document.createElement("div"));
      this.brush.className = "brush";
      this.addEventListener("pointerdown", (event) => this.#begin(event));
      this.addEventListener("pointermove", (event) => this.#from >= 0 && this.#select(event));
      this.addEventListener("pointerup", () => (this.#from = -1));
      this.addEventListener("dblclick", () => this.#emit([0, this.#length()]));
    }
    this.#resized.observe(this);
    window.addEventListener("themechange", this.#draws);
  }

  disconnectedCallback() {
    this.#resized.disconnect();
    window.removeEventListener("themechange", this.#draws);
  }

  /** @param {import("./model.js").Trace} trace @param {Range} range */
  update(trace, range) {
    const isSame = trace === this.trace;
    this.trace = trace;
    this.range = range;
    if (!isSame) this.#draw();
    const [left, right] = range.map((time) => (time / this.#length()) * 100);
    if (this.brush) {
      this.brush.hidden = left <= 0 && right >= 100;
      this.brush.style.cssText = `left:${left}%;width:${right - left}%`;
    }
  }

  #length() {
    return Math.max(1, this.trace?.duration ?? 1);
  }

  /** @param {PointerEvent} event */
  #timeOf(event) {
    const { left, width } = this.getBoundingClientRect();
    return Math.max(0, Math.min(1, (event.clientX - left) / width)) * this.#length();
  }

  /** @param {PointerEvent} event */
  #begin(event) {
    this.setPointerCapture(event.pointerId);
    this.#from = this.#timeOf(event);
  }

  /** @param {PointerEvent} event */
  #select(event) {
    const to = this.#timeOf(event);
    // Less is a click with an unsteady hand.
    if (Math.abs(to - this.#from) < this.#length() / 200) return;
    this.#emit([Math.min(this.#from, to), Math.max(this.#from, to)]);
  }

  /** @param {Range} detail */
  #emit(detail) {
    this.dispatchEvent(new CustomEvent("range", { detail }));
  }

  #draw() {
    const { canvas, trace } = this;
    const { clientWidth: width, clientHeight: height } = this;
    const context = canvas?.getContext("2d");
    if (!canvas || !context || !trace || !width) return;
    const scale = window.devicePixelRatio || 1;
    canvas.width = width * scale;
    canvas.height = height * scale;
    context.scale(scale, scale);
    const colours = Array.from({ length: 8 }, (_, number) => token(`--hue-${number}`));
    const bad = token("--bad");
    const step = Math.min(3, (height - 4) / trace.spans.length);
    for (const span of trace.spans) {
      context.fillStyle = span.error ? bad : colours[hue(span.service)];
      const left = (span.start / this.#length()) * width;
      context.fillRect(left, 2 + span.index * step, Math.max(1, ((span.end - span.start) / this.#length()) * width), Math.max(1, step - 1));
    }
  }
}

customElements.define("trace-minimap", Minimap);
