// Where the nodes are. A layout is computed when nodes or edges come or go; numbers move nothing.

import { Graph, layout as layered } from "../../vendor/dagre/dist/dagre.esm.js";
import { STORES } from "./plan.js";

/** @typedef {import("./model.js").Node} Node */
/** @typedef {import("./model.js").Edge} Edge */
/** @typedef {{ x: number, y: number, width: number, height: number }} Box its upper left corner, and its size */
/** @typedef {{ width: number, height: number, boxes: Map<string, Box>, lines: Map<string, string> }} Layout `lines` are paths of SVG */

/** The sizes of the shapes. */
export const SIZES = { service: [132, 50], browser: [132, 50], topic: [132, 38], subject: [132, 38], database: [96, 26], external: [132, 50] };

const DEAD = [96, 22];

/** The space between a service and its database below it. */
export const GAP = 8;
/** Above a box, the sentence of an unhealthy node has its place here. */
const ROW_GAP = 30;
const COLUMN_GAP = 50;
const MARGIN = 20;

/** The order in which nodes are laid out: it settles which edges of a cycle point back. */
const FIRST = ["service:browser", "service:gateway", "service:orders", "topic:orders.events", "service:payments", "service:inventory", "service:shipping", "service:notifications"];

/** What a layout depends on. @param {import("./model.js").Mesh} mesh */
export const shapeOf = (mesh) => [...mesh.nodes.values()].map(({ id, owner }) => `${id} ${owner ?? ""}`).sort().join("|") + [...mesh.edges.keys()].sort().join("|");

/** @param {{ id: string }} node */
export const place = ({ id }) => (FIRST.includes(id) ? FIRST.indexOf(id) : FIRST.length);

/**
 * The nodes and edges as dagre gets them. Databases of one service are a part of its box; live messages flow back to the browser,
 * so their edges are reversed and they lie on the way from the gateway.
 * @param {import("./model.js").Mesh} mesh
 */
export function input(mesh) {
  const owned = new Set([...mesh.nodes.values()].flatMap((node) => (node.owner ? [node.owner] : [])));
  const nodes = [...mesh.nodes.values()].filter((node) => !node.owner);
  nodes.sort((a, b) => place(a) - place(b) || (a.id < b.id ? -1 : 1));
  const sized = nodes.map((node) => {
    const [width, height] = SIZES[node.kind];
    // The dead letters of a topic come when everything has its place: they take the gap below it.
    return { id: node.id, width, height: STORES.includes(node.id) || (owned.has(node.id) && node.kind !== "topic") ? height + GAP + SIZES.database[1] : height };
  });
  const rank = new Map(sized.map(({ id }, index) => [id, index]));
  const edges = [...mesh.edges.values()].filter((edge) => rank.has(edge.source) && rank.has(edge.target) && edge.source !== edge.target);
  const order = (/** @type {string} */ id) => /** @type {number} */ (rank.get(id));
  edges.sort((a, b) => order(a.source) - order(b.source) || order(a.target) - order(b.target) || (a.id < b.id ? -1 : 1));
  return { nodes: sized, edges: edges.map((edge) => ({ edge, isReversed: edge.protocol === "nats" || edge.protocol === "websocket" })) };
}

/** @param {import("./model.js").Mesh} mesh @returns {Layout} */
export function layout(mesh) {
  const { nodes, edges } = input(mesh);
  const graph = new Graph({ multigraph: true });
  graph.setGraph({ rankdir: "LR", nodesep: ROW_GAP, edgesep: 14, ranksep: COLUMN_GAP, marginx: MARGIN, marginy: ROW_GAP });
  graph.setDefaultEdgeLabel(() => ({}));
  for (const { id, width, height } of nodes) graph.setNode(id, { width, height });
  for (const { edge, isReversed } of edges) {
    const [from, to] = isReversed ? [edge.target, edge.source] : [edge.source, edge.target];
    graph.setEdge(from, to, { weight: edge.protocol === "grpc" || edge.protocol === "http" ? 3 : 1 }, edge.id);
  }
  layered(graph);
  /** @type {Map<string, Box>} */
  const boxes = new Map();
  for (const { id, width, height } of nodes) {
    const { x, y } = graph.node(id);
    const own = /** @type {Node} */ (mesh.nodes.get(id));
    boxes.set(id, { x: Math.round(x - width / 2), y: Math.round(y - height / 2), width, height: SIZES[own.kind][1] });
  }
  for (const node of mesh.nodes.values()) {
    const box = node.owner ? boxes.get(node.owner) : undefined;
    const isDead = node.kind === "topic";
    const [width, height] = isDead ? DEAD : SIZES.database;
    if (box) boxes.set(node.id, { x: box.x + (box.width - width) / 2, y: box.y + box.height + (isDead ? 2 : GAP), width, height });
  }
  const bends = new Map(edges.map(({ edge, isReversed }) => {
    const [from, to] = isReversed ? [edge.target, edge.source] : [edge.source, edge.target];
    const points = graph.edge(from, to, edge.id).points;
    return [edge.id, isReversed ? [...points].reverse() : points];
  }));
  // dagre's size is that of the nodes: an edge may pass below them.
  const lowest = Math.max(0, ...[...bends.values()].flat().map(({ y }) => y + MARGIN / 2));
  return { width: Math.ceil(graph.graph().width ?? 0), height: Math.ceil(Math.max(graph.graph().height ?? 0, lowest)), boxes, lines: lines(edges.map(({ edge }) => edge), boxes, bends) };
}

/** The distance between two edges at the side of a node. */
const PORT = 7;

/** @typedef {{ x: number, y: number }} Point */

/** @param {Edge[]} edges @param {Map<string, Box>} boxes @param {Map<string, Point[]>} bends */
function lines(edges, boxes, bends) {
  /** @type {Map<string, { edge: string, end: "start" | "end", towards: number }[]>} */
  const sides = new Map();
  for (const { id, source, target } of edges) {
    const points = /** @type {Point[]} */ (bends.get(id));
    const goesRight = /** @type {Box} */ (boxes.get(source)).x < /** @type {Box} */ (boxes.get(target)).x;
    const inner = points.length > 4 ? [points[2], points[points.length - 3]] : [points[points.length - 1], points[0]];
    at(sides, `${source} ${goesRight ? "right" : "left"}`).push({ edge: id, end: "start", towards: inner[0].y });
    at(sides, `${target} ${goesRight ? "left" : "right"}`).push({ edge: id, end: "end", towards: inner[1].y });
  }
  /** @type {Map<string, Point>} */
  const ports = new Map();
  for (const [side, ends] of sides) {
    const cut = side.lastIndexOf(" ");
    const box = /** @type {Box} */ (boxes.get(side.slice(0, cut)));
    ends.sort((a, b) => a.towards - b.towards || (a.edge < b.edge ? -1 : 1));
    const step = Math.min(PORT, (box.height - 8) / ends.length);
    ends.forEach((end, index) => ports.set(`${end.edge} ${end.end}`, {
      x: side.endsWith("right") ? box.x + box.width : box.x,
      y: box.y + box.height / 2 + (index - (ends.length - 1) / 2) * step,
    }));
  }
  return new Map(edges.map(({ id }) => [id, curve(/** @type {Point} */ (ports.get(`${id} start`)), /** @type {Point[]} */ (bends.get(id)), /** @type {Point} */ (ports.get(`${id} end`)))]));
}

/** @template T @param {Map<string, T[]>} map @param {string} key @returns {T[]} */
function at(map, key) {
  const found = map.get(key);
  if (found) return found;
  /** @type {T[]} */
  const added = [];
  map.set(key, added);
  return added;
}

/** Half the width of a column: an edge is level where it passes the nodes of one. */
const LEVEL = 50;

/**
 * A path from port to port that is level at both ends and in the columns between them. dagre has two ranks for each column: every
 * second bend lies in a column.
 * @param {Point} from @param {Point[]} bends @param {Point} to
 */
export function curve(from, bends, to) {
  const inner = bends.slice(1, -1).filter((_, index) => index % 2 === 1);
  const direction = Math.sign(to.x - from.x) || 1;
  let path = `M${show(from)}`;
  let last = from;
  for (const bend of inner) {
    const [enter, leave] = [-1, 1].map((side) => ({ x: bend.x + side * direction * LEVEL, y: bend.y }));
    path += bow(last, enter) + `L${show(leave)}`;
    last = leave;
  }
  return path + bow(last, to);
}

/** @param {Point} point */
const show = ({ x, y }) => `${Math.round(x * 10) / 10} ${Math.round(y * 10) / 10}`;

/** @param {Point} from @param {Point} to */
function bow(from, to) {
  const middle = (from.x + to.x) / 2;
  return `C${show({ x: middle, y: from.y })} ${show({ x: middle, y: to.y })} ${show(to)}`;
}
