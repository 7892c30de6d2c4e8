// The graph of the mesh: what traces show, what is scraped, and what metrics know before the first trace.

import { PLAN } from "./plan.js";

/** @typedef {"browser" | "service" | "topic" | "subject" | "database" | "external"} Kind */
/** @typedef {{ level: "bad" | "warning", text: string, rank: number, brief?: string }} Health `rank` is 0 for the worst; `brief` fits above a box */
/** @typedef {{ instance: string | null, up: boolean, ready?: boolean | null, error: string | null }} Replica */
/**
 * @typedef {object} Node
 * @property {string} id as lens names it: `service:orders`
 * @property {Kind} kind
 * @property {string} name
 * @property {number} rate calls or messages a second
 * @property {number | null} p99 in seconds
 * @property {number} errors the share of calls that failed
 * @property {Replica[]} replicas
 * @property {Health[]} health the worst first; empty if it is well
 * @property {string} [owner] the only service that uses this database, or the topic of these dead letters: it is drawn at its box
 * @property {{ group: string, service: string, lag: number, age: number }[]} groups the consumer groups of a topic
 */
/**
 * @typedef {object} Edge
 * @property {string} id
 * @property {string} source
 * @property {string} target
 * @property {string} protocol
 * @property {number} rate
 * @property {number | null} p99 in seconds
 * @property {number} errors
 * @property {boolean} seen false if the design knows it, but no call has been seen
 */
/** @typedef {{ nodes: Map<string, Node>, edges: Map<string, Edge>, others: (Health & { name: string })[] }} Mesh `others`: what is wrong with parts that are not drawn */
/** @typedef {{ labels: Record<string, string>, value: number }} Sample */
/** @typedef {{ service: string, instance: string | null, up: boolean, ready?: boolean | null, error: string | null, started_at: string | null, known_since?: string | null, draining?: boolean, restarts?: number, requests: Red | null, messages: Red | null }} Process */
/** @typedef {{ rate: number, errors_per_second: number, p99_ms: number | null }} Red */

export const BROWSER = "service:browser";

/** A replica is `orders_2` in the list of targets. @param {string} target */
export const serviceOf = (target) => target.replace(/_\d+$/, "");

/** Whether most calls have no spans. Spans come later than metrics, so the coverage of ten seconds is never exact. @param {any} topology */
export const isSampled = (topology) => topology?.sampled === true && topology.coverage < 0.5;

/** Whether no replica answers. @param {Node | undefined} node */
export const isDown = (node) => node !== undefined && node.replicas.length > 0 && node.replicas.every(({ up }) => !up);

/** @param {Mesh} mesh @param {string} id @returns {Node} */
function node(mesh, id) {
  let found = mesh.nodes.get(id);
  if (!found) {
    const [kind, ...rest] = id.split(":");
    const name = rest.join(":");
    found = { id, kind: id === BROWSER ? "browser" : /** @type {Kind} */ (kind), name, rate: 0, p99: null, errors: 0, replicas: [], health: [], groups: [] };
    mesh.nodes.set(id, found);
  }
  return found;
}

/** @param {Mesh} mesh @param {string} source @param {string} target @param {string} protocol @returns {Edge} */
function edge(mesh, source, target, protocol) {
  const id = `${source}>${target}>${protocol}`;
  let found = mesh.edges.get(id);
  if (!found) {
    node(mesh, source);
    node(mesh, target);
    found = { id, source, target, protocol, rate: 0, p99: null, errors: 0, seen: false };
    mesh.edges.set(id, found);
  }
  return found;
}

const seconds = (/** @type {number | null} */ ms) => (ms === null ? null : ms / 1_000);

/**
 * Joins what is known of the mesh. Each part may be missing.
 * @param {{ topology?: any, services?: Process[], facts?: Sample[] }} known
 * @returns {Mesh}
 */
export function build({ topology, services = [], facts = [] }) {
  /** @type {Mesh} */
  const mesh = { nodes: new Map(), edges: new Map(), others: [] };
  addPlan(mesh, services);
  addTopology(mesh, topology);
  // Metrics count everything; traces show it sooner, and may be sampled.
  const traced = new Set(isSampled(topology) ? [] : (topology?.nodes ?? []).map((/** @type {{ id: string }} */ { id }) => id));
  for (const one of services) addProcess(mesh, one, traced);
  for (const one of facts) addFact(mesh, one);
  addBrowser(mesh, traced.has("service:gateway"), services.find(({ service }) => serviceOf(service) === "gateway")?.requests);
  ownDatabases(mesh);
  return mesh;
}

/** @param {Mesh} mesh @param {any} topology the answer of lens */
function addTopology(mesh, topology) {
  for (const one of topology?.nodes ?? []) Object.assign(node(mesh, one.id), { rate: one.rate, p99: seconds(one.p99_ms), errors: one.calls ? one.errors / one.calls : 0 });
  for (const one of topology?.edges ?? []) {
    // A service that calls itself would be an arrow from a box to the same box.
    if (one.source === one.target) continue;
    Object.assign(edge(mesh, one.source, one.target, one.protocol), { rate: one.rate, p99: seconds(one.p99_ms), errors: one.calls ? one.errors / one.calls : 0, seen: true });
  }
}

/** @param {Mesh} mesh @param {Process[]} services */
function addPlan(mesh, services) {
  const here = new Set(services.map((one) => `service:${serviceOf(one.service)}`));
  const isHere = (/** @type {string} */ id) => !id.startsWith("service:") || id === BROWSER || here.has(id);
  for (const [source, target, protocol] of PLAN) if (isHere(source) && isHere(target)) edge(mesh, source, target, protocol);
}

/** @param {Mesh} mesh @param {Process} process @param {Set<string>} traced nodes whose numbers are those of traces */
function addProcess(mesh, process, traced) {
  const found = node(mesh, `service:${serviceOf(process.service)}`);
  found.replicas.push({ instance: process.instance, up: process.up, ready: process.ready, error: process.error });
  if (traced.has(found.id)) return;
  if (found.replicas.length === 1) Object.assign(found, { rate: 0, errors: 0 });
  const parts = [process.requests, process.messages].filter((part) => part !== null && part !== undefined);
  const rate = parts.reduce((sum, part) => sum + part.rate, 0);
  const failed = parts.reduce((sum, part) => sum + part.errors_per_second, 0);
  const before = found.rate * found.errors;
  found.rate += rate;
  found.errors = found.rate > 0 ? (before + failed) / found.rate : 0;
  const slowest = Math.max(...parts.map((part) => part.p99_ms ?? -1), -1);
  if (slowest >= 0) found.p99 = Math.max(found.replicas.length > 1 ? (found.p99 ?? 0) : 0, slowest / 1_000);
}

/** @param {Mesh} mesh @param {Sample} fact */
function addFact(mesh, { labels, value }) {
  const { job, topic, group, destination, server_address: address, of } = labels;
  const service = `service:${serviceOf(job ?? "")}`;
  if (topic && group) {
    edge(mesh, `topic:${topic}`, service, "kafka");
    const { groups } = node(mesh, `topic:${topic}`);
    let one = groups.find((known) => known.group === group);
    if (!one) groups.push((one = { group, service: job, lag: 0, age: 0 }));
    if (of === "age") one.age = value;
    else one.lag = value;
  } else if (destination ?? address) {
    const name = destination ?? address;
    // A breaker or a client of another service of the mesh: traces have that edge.
    if (mesh.nodes.has(`service:${name}`)) return;
    const call = edge(mesh, service, `external:${name}`, "http");
    const external = node(mesh, `external:${name}`);
    if (of === "rate") Object.assign(call, { rate: value, seen: true });
    if (of === "errors") call.errors = call.rate > 0 ? Math.min(1, value / call.rate) : 0;
    if (of === "p99" && Number.isFinite(value)) call.p99 = value;
    Object.assign(external, { rate: call.rate, errors: call.errors, p99: call.p99 });
  } else if (of === "database") {
    const known = [...mesh.edges.values()].some((one) => one.source === service && one.protocol === "sql");
    if (!known) edge(mesh, service, `database:${job}`, "sql");
  }
}

/** Everything that calls the gateway counts as the browser: `mesh load` and curl have no spans of their own. @param {Mesh} mesh @param {boolean} isTraced @param {Red | null} [requests] what the gateway's metrics say */
function addBrowser(mesh, isTraced, requests) {
  const gateway = mesh.nodes.get("service:gateway");
  if (!gateway) return;
  const call = edge(mesh, BROWSER, gateway.id, "http");
  // The gateway handles live messages, too: they are not calls.
  const messages = [...mesh.edges.values()].filter(({ target, protocol }) => target === gateway.id && protocol === "nats").reduce((sum, { rate }) => sum + rate, 0);
  const rate = isTraced ? gateway.rate - messages : gateway.rate;
  if (rate > call.rate + 1e-6) Object.assign(call, { rate, errors: Math.min(1, (gateway.errors * gateway.rate) / rate), p99: (messages && requests?.p99_ms ? seconds(requests.p99_ms) : gateway.p99), seen: true });
  const { errors, p99 } = call;
  Object.assign(node(mesh, BROWSER), { rate: call.rate, errors, p99 });
  if (isTraced && messages) Object.assign(gateway, { rate: call.rate, errors, p99 });
}

/** A database that one service alone uses is drawn at that service, dead letters at their topic. @param {Mesh} mesh */
function ownDatabases(mesh) {
  for (const database of mesh.nodes.values()) {
    const topic = database.id.replace(/\.dlq$/, "");
    if (topic !== database.id && mesh.nodes.has(topic)) database.owner = topic;
    if (database.kind !== "database") continue;
    const users = [...mesh.edges.values()].filter((one) => one.target === database.id);
    if (users.length !== 1) continue;
    database.owner = users[0].source;
    database.p99 = users[0].p99;
  }
}
