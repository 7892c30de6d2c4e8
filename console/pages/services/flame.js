// A flame graph on a canvas: the widest box took the most CPU time, and calls those below it.

import { token } from "../../lib/color.js";
import { percent } from "../../lib/format.js";
import { brief, crateOf, trunk } from "./pprof.js";

/** @typedef {import("./pprof.js").Frame} Frame */

const ROW = 18;
/** A narrower box has no text, one below the limit of sight is not drawn. */
const READABLE = 30;
const SEEN = 0.6;

class FlameGraph extends HTMLElement {
  #canvas = document.createElement("canvas");
  /** @type {Frame | undefined} */
  #root;
  /** @type {Frame | undefined} */
  #zoom;
  /** @type {Frame | undefined} */
  #current;
  #search = "";
  #letter = 7;
  #boxes = /** @type {{ frame: Frame, x: number, y: number, width: number }[]} */ ([]);
  #resized = new ResizeObserver(() => this.draw());
  #redraw = () => this.draw();
  /** The crates that are written here. @type {Set<string>} */
  own = new Set();
  /** Called with the frame that the pointer or the keyboard is on. @type {(frame: Frame | undefined, zoom: Frame | undefined) => void} */
  onframe = () => {};

  /** @param {Frame} root */
  set root(root) {
    if (root === this.#root) return;
    this.#root = root;
    this.#zoom = trunk(root);
    this.#current = undefined;
    this.draw();
  }

  /** @param {string} text */
  set search(text) {
    if (text === this.#search) return;
    this.#search = text;
    this.draw();
  }

  connectedCallback() {
    const canvas = this.#canvas;
    canvas.tabIndex = 0;
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", "Flame graph. Arrow keys walk over the functions, Enter zooms in, Escape out; the line above names the function.");
    canvas.onpointermove = (event) => this.#select(this.#at(event));
    canvas.onpointerleave = () => document.activeElement === canvas || this.#select(undefined);
    canvas.onclick = (event) => this.zoomTo(this.#at(event) ?? this.#root);
    canvas.onkeydown = (event) => this.#onKey(event);
    this.append(canvas);
    this.#resized.observe(this);
    addEventListener("themechange", this.#redraw);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", this.#redraw);
  }

  disconnectedCallback() {
    this.#resized.disconnect();
    removeEventListener("themechange", this.#redraw);
    matchMedia("(prefers-color-scheme: dark)").removeEventListener("change", this.#redraw);
  }

  /** @param {Frame | undefined} frame */
  zoomTo(frame) {
    this.#zoom = frame;
    this.#current = frame;
    this.draw();
    this.onframe(this.#current, this.#zoom);
  }

  /** @param {Frame | undefined} frame */
  #select(frame) {
    if (frame === this.#current) return;
    this.#current = frame;
    this.draw();
    this.onframe(frame, this.#zoom);
  }

  /** @param {MouseEvent} event */
  #at({ offsetX, offsetY }) {
    return this.#boxes.find(({ x, y, width }) => offsetX >= x && offsetX < x + width && offsetY >= y && offsetY < y + ROW)?.frame;
  }

  /** @param {KeyboardEvent} event */
  #onKey(event) {
    const now = this.#current ?? this.#zoom;
    if (!now) return;
    const siblings = now.parent?.children ?? [];
    const place = siblings.indexOf(now);
    const to = { ArrowDown: now.children[0], ArrowUp: now.parent, ArrowLeft: siblings[place - 1], ArrowRight: siblings[place + 1] }[event.key];
    if (event.key === "Enter") this.zoomTo(now);
    else if (event.key === "Escape" && this.#zoom?.parent) this.zoomTo(this.#zoom?.parent ?? this.#root);
    else if (to) this.#select(to);
    else if (!event.key.startsWith("Arrow")) return;
    event.preventDefault();
    event.stopPropagation();
  }

  draw() {
    const [root, zoom, width] = [this.#root, this.#zoom, this.clientWidth];
    if (!root || !zoom || !width) return;
    this.#boxes = [];
    const top = zoom.depth - (zoom.parent ? 1 : 0);
    const visit = (/** @type {Frame} */ frame, /** @type {number} */ from, /** @type {number} */ scale) => {
      const box = { frame, x: (frame.start - from) * scale, y: (frame.depth - top) * ROW, width: frame.total * scale };
      if (box.width < SEEN) return;
      this.#boxes.push(box);
      for (const child of frame.children) visit(child, from, scale);
    };
    // Of the frames above only the next is drawn: a click on it goes back.
    if (zoom.parent) this.#boxes.push({ frame: zoom.parent, x: 0, y: 0, width });
    visit(zoom, zoom.start, width / zoom.total);
    const height = Math.max(...this.#boxes.map(({ y }) => y)) + ROW;
    const ratio = devicePixelRatio;
    Object.assign(this.#canvas, { width: width * ratio, height: height * ratio });
    this.#canvas.style.height = `${height}px`;
    const context = this.#canvas.getContext("2d");
    if (!context) return;
    context.scale(ratio, ratio);
    context.font = `11px ${token("--mono")}`;
    context.textBaseline = "middle";
    this.#letter = context.measureText("0").width;
    const colors = { own: token("--hue", this), text: token("--text"), ground: token("--raised"), other: token("--line"), found: token("--warning"), sunken: token("--sunken") };
    for (const box of this.#boxes) this.#box(context, box, colors);
  }

  /** @param {CanvasRenderingContext2D} context @param {{ frame: Frame, x: number, y: number, width: number }} box @param {Record<string, string>} colors */
  #box(context, { frame, x, y, width }, colors) {
    const isFound = this.#search && frame.name.toLowerCase().includes(this.#search);
    const isOwn = this.own.has(crateOf(frame.name));
    context.globalAlpha = isFound ? 0.55 : isOwn ? 0.4 : 1;
    context.fillStyle = isFound ? colors.found : isOwn ? colors.own : frame.depth < 2 ? colors.sunken : colors.other;
    context.fillRect(x, y, Math.max(width - 1, SEEN), ROW - 1);
    context.globalAlpha = 1;
    if (frame === this.#current) {
      context.strokeStyle = colors.text;
      context.strokeRect(x + 0.5, y + 0.5, Math.max(width - 2, 1), ROW - 2);
    }
    if (width < READABLE) return;
    context.fillStyle = colors.text;
    const letters = Math.floor((width - 8) / this.#letter);
    const name = (frame === this.#zoom?.parent ? "↑ " : "") + brief(frame.name);
    // The end of a path says more than its beginning.
    context.fillText(name.length > letters ? `…${name.slice(1 - letters)}` : name, x + 4, y + ROW / 2);
  }
}

customElements.define("flame-graph", FlameGraph);

/** What one line says about a frame. @param {Frame} frame @param {Frame} root */
export const shares = (frame, root) => `${percent(frame.total / root.total)} of the time, ${percent(frame.self / root.total)} in itself`;
