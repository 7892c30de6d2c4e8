// The graph: boxes and lines as SVG.

import { duration, percent, rate } from "../../lib/format.js";
import { hueClass } from "../../lib/color.js";
import { html, nothing, repeat, svg } from "../../lib/view.js";
import { isFailing } from "./health.js";
import { isDown } from "./model.js";

/** @typedef {import("./model.js").Node} Node */
/** @typedef {import("./model.js").Edge} Edge */
/** @typedef {import("./layout.js").Box} Box */

/** A path that suits the kind of a node, in a box at the origin. @param {Node} node @param {Box} box */
function shape({ kind }, { width: w, height: h }) {
  if (kind === "topic") {
    // A cylinder on its side.
    const r = 7;
    return svg`<path class="box" d="M${r} 0H${w - r}a${r} ${h / 2} 0 0 1 0 ${h}H${r}a${r} ${h / 2} 0 0 1 0 -${h}z"/><path class="mark" d="M${w - r} 0a${r} ${h / 2} 0 0 0 0 ${h}"/>`;
  }
  if (kind === "database") {
    const r = 4;
    return svg`<path class="box" d="M0 ${r}a${w / 2} ${r} 0 0 1 ${w} 0V${h - r}a${w / 2} ${r} 0 0 1 -${w} 0z"/><path class="mark" d="M0 ${r}a${w / 2} ${r} 0 0 0 ${w} 0"/>`;
  }
  if (kind === "subject") return svg`<rect class="box" width=${w} height=${h} rx=${h / 2}/>`;
  if (kind === "browser") return svg`<rect class="box" width=${w} height=${h} rx="6"/><path class="mark" d="M0 12H${w}M7 6h.1M12 6h.1M17 6h.1"/>`;
  return svg`<rect class="box" width=${w} height=${h} rx="4"/>${kind === "service" ? svg`<path class="hue" d="M0 4a4 4 0 0 1 4-4V${h}a4 4 0 0 1-4-4z"/>` : nothing}`;
}

/** What fits into a shape. @param {string} name */
export function shortName(name) {
  const plain = name.replace(/ \(.*\)$/, "");
  return plain.startsWith("live.") ? "live.orders" : plain;
}

/** A rate that fits into a box. @param {number} value */
export const brief = (value) => (value === 0 ? "idle" : value < 0.995 ? `${value.toFixed(2)}/s` : value < 9.95 ? `${value.toFixed(1)}/s` : rate(Math.round(value)));

/** @param {Node} node */
export function numbers(node) {
  if (isDown(node)) return "no answer";
  if (failedShare(node)) return brief(node.rate);
  return node.p99 !== null && node.rate > 0 ? `${brief(node.rate)} · ${duration(node.p99)}` : brief(node.rate);
}

/** The share of failed calls, in whole per cent: where there is one, it stands in place of p99. @param {Node} node */
const failedShare = (node) => (node.rate > 0 && node.errors >= 0.01 && !isDown(node) ? `${Math.round(node.errors * 100)} % failed` : "");

/** @type {CanvasRenderingContext2D | null | undefined} */
let ruler;

/** The width of a text, for what is drawn around it. @param {string} text @param {number} size in pixels */
function widthOf(text, size) {
  ruler ??= document.createElement("canvas").getContext("2d");
  if (!ruler) return text.length * size * 0.6;
  ruler.font = `${size}px system-ui, sans-serif`;
  return Math.ceil(ruler.measureText(text).width);
}

/** @param {Node} node @param {Box} box */
function words(node, { width, height }) {
  const middle = height / 2;
  const small = node.rate > 0 ? "small" : "small idle";
  if (node.kind === "database") return svg`<text class=${small} x=${width / 2} y=${middle + 7} text-anchor="middle">${node.rate > 0 ? brief(node.rate) : "database"}</text>`;
  if (node.kind === "topic" && node.owner) return svg`<text class=${small} x=${width / 2 - 3} y=${middle + 4} text-anchor="middle">${node.rate > 0 ? brief(node.rate) : "dead letters"}</text>`;
  if (node.kind === "topic" || node.kind === "subject") {
    return svg`<text class="label" x=${width / 2 - (node.kind === "topic" ? 3 : 0)} y=${middle - 2} text-anchor="middle">${shortName(node.name)}</text>
      <text class=${small} x=${width / 2 - (node.kind === "topic" ? 3 : 0)} y=${middle + 12} text-anchor="middle">${brief(node.rate)}</text>`;
  }
  const top = node.kind === "browser" ? 28 : 21;
  const failed = failedShare(node) ? svg`<tspan class=${isFailing(node) ? "failed" : ""}> · ${failedShare(node)}</tspan>` : nothing;
  return svg`<text class="name" x="12" y=${top}>${node.kind === "browser" ? "browser" : node.name}</text>
    <text class=${small} x="12" y=${top + 16}>${numbers(node)}${failed}</text>`;
}

/** One small square for each replica. @param {Node} node @param {Box} box */
function replicas({ replicas: all }, { width }) {
  const shown = all.slice(0, 8);
  return shown.map((one, index) => svg`<rect class=${one.up && one.ready !== false ? "replica" : "replica down"} x=${width - 12 - index * 8} y="8" width="5" height="5"/>`);
}

/** A sentence may be so much wider than its box: it covers no edge between two columns. */
const SENTENCE_MORE = 48;

/** A text without its reason, or cut, if it is too wide. @param {string} text @param {number} limit */
function fit(text, limit) {
  let shown = widthOf(text, 12) > limit ? text.replace(/: .*/, "") : text;
  while (widthOf(shown, 12) > limit) shown = `${shown.replace(/….*$/, "").slice(0, -1).trimEnd()}…`;
  return shown;
}

/** The sentence above an unhealthy box. @param {Node} node @param {Box} box @param {number} limit the width of the graph */
function sentence(node, box, limit) {
  const worst = node.health[0];
  if (!worst) return nothing;
  const text = fit(worst.brief ?? worst.text, box.width + SENTENCE_MORE - 14);
  const width = widthOf(text, 12) + 14;
  const left = Math.max(4 - box.x, Math.min((box.width - width) / 2, limit - box.x - width - 4));
  return svg`<g class="sentence ${worst.level}" transform="translate(${left} -22)"><rect width=${width} height="18" rx="4"/><text x="7" y="13">${text}</text></g>`;
}

/** The accessible name begins with what the node shows, so that it can be spoken to. @param {Node} node */
export function spoken(node) {
  const kind = { browser: "", service: "service", topic: "Kafka topic", subject: "NATS subject", database: "database", external: "third party" }[node.kind];
  const state = node.health.map(({ text }) => text).join("; ");
  const shown = node.kind === "database" ? brief(node.rate) : node.kind === "topic" || node.kind === "subject" ? `${shortName(node.name)} ${brief(node.rate)}` : `${node.name} ${numbers(node)}`;
  const share = failedShare(node) || (node.errors > 0 && node.rate > 0 ? `${percent(node.errors)} failed` : "");
  const failed = share && ` · ${share}`;
  return `${shown}${failed}${kind ? `, ${kind}` : ""}${shown.startsWith(node.name) ? "" : ` ${node.name}`}${state ? `: ${state}` : ""}`;
}

/** @param {Edge} edge */
export const width = ({ rate: value }) => (value > 0 ? Math.min(6, 1.25 + 0.35 * Math.sqrt(value)) : 1);

/** The label of an edge, in lines: it is to fit between two columns. @param {Edge} edge @param {boolean} isWhole */
export function labelOf({ protocol, rate: perSecond, p99, errors, seen }, isWhole) {
  if (!seen) return [protocol, "not seen yet"];
  if (perSecond === 0) return [protocol, "idle"];
  return [isWhole ? protocol : "", brief(perSecond), p99 === null ? "" : duration(p99), errors > 0 ? `${percent(errors)} failed` : ""].filter(Boolean);
}

/**
 * @param {{ mesh: import("./model.js").Mesh, placed: import("./layout.js").Layout, selected?: string, over?: string, scale: number,
 *   dots: unknown, open: (id: string) => void, hover: (id: string | undefined) => void, onKey: (event: KeyboardEvent) => void }} options `dots` lie
 *   between edges and nodes
 */
export function graph({ mesh, placed, selected, over, scale, dots, open, hover, onKey }) {
  const focus = over ?? selected;
  const isNear = (/** @type {Edge} */ edge) => edge.id === focus || edge.source === focus || edge.target === focus;
  const edges = [...mesh.edges.values()].filter(({ id }) => placed.lines.has(id));
  const nodes = [...mesh.nodes.values()].filter(({ id }) => placed.boxes.has(id));
  const near = new Set(over ? edges.filter(isNear).flatMap(({ source, target }) => [source, target]).concat(over) : []);
  const isDim = (/** @type {Node} */ { id, owner }) => near.size > 0 && !near.has(id) && !(owner && near.has(owner));
  const [area, wide, high] = [`0 0 ${placed.width} ${placed.height}`, placed.width * scale, placed.height * scale];
  return html`<svg class="graph" aria-hidden="true" viewBox=${area} width=${wide} height=${high}>
    ${repeat(edges, ({ id }) => id, (edge) => line(edge, placed.lines.get(edge.id) ?? "", { isNear: isNear(edge), isDim: over !== undefined && !isNear(edge), hover }))}
  </svg>
  ${dots}
  <svg class="graph over" role="group" aria-label="The mesh: services, topics and calls" viewBox=${area} width=${wide} height=${high} @keydown=${onKey}>
    ${repeat(nodes, ({ id }) => id, (node) => {
      const box = /** @type {Box} */ (placed.boxes.get(node.id));
      const state = node.health[0]?.level ?? "";
      return svg`<g class="node ${node.kind} ${node.kind === "service" ? hueClass(node.name) : ""} ${state} ${node.id === selected ? "selected" : ""} ${isDim(node) ? "dim" : ""} ${isDown(node) ? "down" : ""}"
        transform="translate(${box.x} ${box.y})" tabindex="0" role="button" aria-label=${spoken(node)} data-node=${node.id}
        @click=${() => open(node.id)} @mouseenter=${() => hover(node.id)} @mouseleave=${() => hover(undefined)} @focus=${() => hover(node.id)} @blur=${() => hover(undefined)}>
        <g aria-hidden="true">
          ${node.owner && node.kind === "database" ? svg`<path class="stem" d="M${box.width / 2} -8V2"/>` : nothing}
          ${shape(node, box)}${words(node, box)}${node.kind === "service" ? replicas(node, box) : nothing}
        </g>
      </g>`;
    })}
    ${nodes.map((node) => {
      const box = /** @type {Box} */ (placed.boxes.get(node.id));
      return node.health.length ? svg`<g class="above" transform="translate(${box.x} ${box.y})">${sentence(node, box, placed.width)}</g>` : nothing;
    })}
    ${labels(edges.filter((edge) => isNear(edge) || !mesh.nodes.get(edge.target)?.health.length), placed, over)}
  </svg>`;
}

/** @param {Edge} edge @param {string} path @param {{ isNear: boolean, isDim: boolean, hover: (id: string | undefined) => void }} options */
function line(edge, path, { isNear, isDim, hover }) {
  const classes = `edge ${edge.protocol} ${edge.seen ? "" : "unseen"} ${edge.rate > 0 ? "busy" : ""} ${isFailing(edge) ? "bad" : ""} ${isNear ? "near" : ""} ${isDim ? "dim" : ""}`;
  return svg`<g class=${classes} data-edge=${edge.id} @mouseenter=${() => hover(edge.id)} @mouseleave=${() => hover(undefined)}>
    <path class="hit" d=${path}/><path class="line" d=${path} stroke-width=${width(edge).toFixed(2)}/>${arrow(path)}
  </g>`;
}

/** The head of an arrow where a path ends; paths are level there. @param {string} path */
function arrow(path) {
  const [middle, , , , x, y] = path.slice(path.lastIndexOf("C") + 1).split(" ").map(Number);
  return svg`<path class="head" d="M${x} ${y}l${middle > x ? 5 : -5} -3v6z"/>`;
}

/** Labels of the edges that are unhealthy (unless the node says so), under the pointer, or at the node under it; each at the middle of its path. @param {Edge[]} edges @param {import("./layout.js").Layout} placed @param {string | undefined} over */
function labels(edges, placed, over) {
  const isShown = (/** @type {Edge} */ edge) => edge.id === over || isFailing(edge) || (edge.rate > 0 && (edge.source === over || edge.target === over));
  return edges.filter(isShown).map((edge) => {
    const texts = labelOf(edge, edge.id === over);
    const wide = Math.max(...texts.map((text) => widthOf(text, 11))) + 10;
    const high = texts.length * 13 + 5;
    const { x, y } = middleOf(placed.lines.get(edge.id) ?? "");
    const left = Math.max(2, Math.min(placed.width - wide - 2, x - wide / 2));
    const top = Math.max(2, Math.min(placed.height - high - 2, y - high / 2));
    return svg`<g class="edge-label ${isFailing(edge) ? "bad" : ""}" transform="translate(${Math.round(left)} ${Math.round(top)})"><rect width=${wide} height=${high} rx="3"/>${texts.map((text, index) => svg`<text class=${text === edge.protocol ? "protocol" : ""} x="5" y=${13 * index + 13}>${text}</text>`)}</g>`;
  });
}

/** @param {string} path the middle of its middle segment */
function middleOf(path) {
  const points = path.slice(1).split(/[CL]/).map((segment) => segment.split(" ").slice(-2).map(Number));
  const half = Math.floor((points.length - 1) / 2);
  const [from, to] = [points[half], points[half + 1] ?? points[half]];
  return { x: (from[0] + to[0]) / 2, y: (from[1] + to[1]) / 2 };
}
