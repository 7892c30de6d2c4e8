// The dots that move along the edges, on one canvas.

import { paused, visible } from "../../lib/api.js";
import { token } from "../../lib/color.js";
import { effect } from "../../lib/view.js";
import { Traffic } from "./traffic.js";

/** 30 frames a second are smooth for dots of this speed, and half the work. */
const FRAME_MS = 30;
const RADIUS = 2.5;
const STEPS = 48;

const calm = matchMedia("(prefers-reduced-motion: reduce)");

/** @param {string} path @returns {Float32Array} x and y at equal distances */
function points(path) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", "path");
  element.setAttribute("d", path);
  const length = element.getTotalLength();
  const all = new Float32Array(2 * (STEPS + 1));
  for (let step = 0; step <= STEPS; step += 1) {
    const { x, y } = element.getPointAtLength((length * step) / STEPS);
    all.set([x, y], 2 * step);
  }
  return all;
}

/** @param {Float32Array} all @param {number} share */
function at(all, share) {
  const place = Math.min(0.9999, Math.max(0, share)) * STEPS;
  const step = Math.floor(place);
  const [x, y, toX, toY] = all.subarray(2 * step, 2 * step + 4);
  return [x + (toX - x) * (place - step), y + (toY - y) * (place - step)];
}

class Dots extends HTMLElement {
  #canvas = document.createElement("canvas");
  #traffic = new Traffic();
  /** @type {import("./layout.js").Layout | undefined} */
  #placed;
  /** @type {Map<string, Float32Array>} */
  #points = new Map();
  #scale = 1;
  #colors = ["", ""];
  #frame = 0;
  #drawn = 0;
  #end = () => {};

  /** @param {{ placed: import("./layout.js").Layout, scale: number, edges: import("./model.js").Edge[] }} given */
  set traffic({ placed, scale, edges }) {
    if (placed !== this.#placed) this.#points = new Map([...placed.lines].map(([id, path]) => [id, points(path)]));
    if (placed !== this.#placed || scale !== this.#scale) this.#resize(placed, scale);
    [this.#placed, this.#scale] = [placed, scale];
    this.#colors = [token("--quiet"), token("--bad")];
    const flows = edges.filter(({ id }) => this.#points.has(id)).map(({ id, source, rate, errors, p99 }) => ({ id, rate, errors, p99, delay: (placed.boxes.get(source)?.x ?? 0) / 700 }));
    this.#traffic.set(flows, performance.now() / 1_000);
    this.#run();
  }

  connectedCallback() {
    this.replaceChildren(this.#canvas);
    this.ariaHidden = "true";
    this.#end = effect(() => {
      if (visible.value && !paused.value) return this.#run();
      this.#stop();
    });
    calm.addEventListener("change", this.#onCalm);
  }

  disconnectedCallback() {
    this.#end();
    calm.removeEventListener("change", this.#onCalm);
    this.#stop();
  }

  #onCalm = () => (calm.matches ? this.#stop() : this.#run());

  /** @param {import("./layout.js").Layout} placed @param {number} scale */
  #resize({ width, height }, scale) {
    const ratio = Math.min(2, devicePixelRatio);
    Object.assign(this.#canvas, { width: Math.round(width * scale * ratio), height: Math.round(height * scale * ratio) });
    this.#canvas.style.width = `${width * scale}px`;
    this.#canvas.style.height = `${height * scale}px`;
    this.#canvas.getContext("2d")?.setTransform(scale * ratio, 0, 0, scale * ratio, 0, 0);
  }

  #run() {
    const mayMove = !calm.matches && visible.peek() && !paused.peek() && this.isConnected && !this.#traffic.isIdle;
    if (mayMove) this.#frame ||= requestAnimationFrame((now) => this.#draw(now));
  }

  #stop() {
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
    this.#traffic.stop();
    this.#clear();
  }

  #clear() {
    const context = this.#canvas.getContext("2d");
    if (this.#placed) context?.clearRect(0, 0, this.#placed.width, this.#placed.height);
    return context;
  }

  /** @param {number} now */
  #draw(now) {
    this.#frame = 0;
    if (now - this.#drawn >= FRAME_MS) {
      this.#drawn = now;
      const context = this.#clear();
      for (const dot of this.#traffic.step(now / 1_000)) {
        const path = this.#points.get(dot.id);
        if (!context || !path) continue;
        const [x, y] = at(path, (now / 1_000 - dot.began) / dot.seconds);
        context.fillStyle = this.#colors[dot.isBad ? 1 : 0];
        context.beginPath();
        context.arc(x, y, RADIUS, 0, 2 * Math.PI);
        context.fill();
      }
    }
    this.#run();
  }
}

customElements.define("mesh-dots", Dots);
