// What is unhealthy, in one sentence each.

import { age, number, percent } from "../../lib/format.js";
import { serviceOf } from "./model.js";

/** @typedef {import("./model.js").Health} Health */

/** A group that is so far behind is worth a word; a busy one has many records in flight for less than a second. */
const LAG = 50;
const LAG_AGE_SECONDS = 5;

/** The share of failed calls from which an edge is unhealthy, and how many calls a second make a share. */
export const ERROR_SHARE = 0.05;
const ENOUGH_PER_SECOND = 0.1;

/** What is said first: what does not work now, then alerts for a person, then what may become worse, then the other alerts. */
const RANK = { down: 0, broken: 1, restarted: 2, page: 3, warning: 4, ticket: 5 };

/** How long a restart is worth a word. */
const RESTART_SECONDS = 20;

/** @param {number} lag @param {number} oldest seconds */
export const isBehind = (lag, oldest) => (lag >= LAG && oldest >= 1) || (lag > 0 && oldest >= LAG_AGE_SECONDS);

/** @param {{ rate: number, errors: number }} traffic */
export const isFailing = ({ rate, errors }) => rate >= ENOUGH_PER_SECOND && errors >= ERROR_SHARE;

/**
 * Adds to each node what is wrong with it.
 * @param {import("./model.js").Mesh} mesh
 * @param {{ services?: import("./model.js").Process[], facts?: import("./model.js").Sample[], firing?: { labels: Record<string, string>, annotations: Record<string, string> }[], latches?: Record<string, string[]>, now: number }} known `latches` are what services wait for; `now` in milliseconds
 */
export function judge(mesh, { services = [], facts = [], firing = [], latches = {}, now }) {
  const say = (/** @type {string} */ id, /** @type {keyof typeof RANK} */ kind, /** @type {string} */ text, /** @type {string | undefined} */ brief = undefined) => {
    const level = kind === "down" || kind === "broken" || kind === "page" ? "bad" : "warning";
    mesh.nodes.get(id)?.health.push({ level, text, rank: RANK[kind], brief });
  };
  for (const node of mesh.nodes.values()) {
    const down = node.replicas.filter((one) => !one.up);
    if (down.length) say(node.id, "down", node.replicas.length === 1 ? `does not answer${why(down[0].error)}` : `${down.length} of ${node.replicas.length} replicas do not answer`);
    if (node.replicas.some(({ up, ready }) => up && ready === false)) say(node.id, "broken", `not ready${latches[node.name]?.length ? `: ${latches[node.name].join(", ").replaceAll("_", " ")}` : ""}`);
    for (const { group, lag, age: oldest } of node.groups) if (isBehind(lag, oldest)) say(node.id, "warning", `${group}: lag ${number(lag)}, ${age(oldest)} old`);
    if (node.kind !== "browser" && isFailing(node)) say(node.id, "broken", `${percent(node.errors)} of calls fail`);
  }
  for (const { labels, value } of facts) {
    const id = `service:${serviceOf(labels.job ?? "")}`;
    if (labels.destination && value > 0) say(id, "broken", value >= 2 ? `its breaker to ${labels.destination} is open` : `its breaker to ${labels.destination} tries again`);
    if (labels.of === "database" && value === 0) say(id, "broken", "its database does not answer");
    if (labels.of === "kafka" && value === 0) say(id, "broken", "not connected to Kafka");
    if (labels.condition) say(id, "warning", `degraded: ${labels.condition.replaceAll("_", " ")}`);
    if (labels.fault) say(id, "warning", `fault switched on: ${labels.fault.replaceAll("_", " ")}`);
  }
  restarts(services, now, say);
  alerts(mesh, firing, say);
  for (const node of mesh.nodes.values()) node.health.sort((a, b) => a.rank - b.rank);
}

/** @param {string | null} error */
function why(error) {
  if (!error) return "";
  return /refused/.test(error) ? ": connection refused" : `: ${error.length > 60 ? `${error.slice(0, 59)}…` : error}`;
}

/** Of an alert with several windows, the first is enough. @param {import("./model.js").Mesh} mesh @param {{ labels: Record<string, string>, annotations: Record<string, string> }[]} firing @param {(id: string, kind: "page" | "ticket", text: string, brief: string) => void} say */
function alerts(mesh, firing, say) {
  const said = new Set();
  for (const { labels, annotations } of firing) {
    const id = targetOf(mesh, labels);
    const name = id ? id.slice(id.indexOf(":") + 1) : (labels.part ?? labels.job);
    const key = `${name} ${labels.alertname} ${labels.topic ?? ""}`;
    if (labels.severity === "none" || said.has(key)) continue;
    said.add(key);
    const summary = annotations.summary ?? labels.alertname;
    const text = summary.startsWith(`${name} `) ? summary.slice(name.length + 1) : summary;
    const kind = labels.severity === "page" ? "page" : "ticket";
    if (id) say(id, kind, text, alertBrief(labels.alertname));
    else mesh.others.push({ name, text, level: kind === "page" ? "bad" : "warning", rank: RANK[kind] });
  }
}

/** `MeshFlowsLate` as words: flows late. @param {string} alert */
const alertBrief = (alert) => alert.replace(/^Mesh/, "").replace(/(?<=[a-z])(?=[A-Z])/g, " ").toLowerCase();

/** The node that an alert is about: the topic or service that it names; none for another part; the gateway, if it is about orders as a whole. @param {import("./model.js").Mesh} mesh @param {Record<string, string>} labels */
function targetOf(mesh, { service, job, topic, part }) {
  const name = serviceOf(service ?? job ?? part ?? "");
  if (mesh.nodes.has(`service:${name}`)) return `service:${name}`;
  if (topic && mesh.nodes.has(`topic:${topic}`)) return `topic:${topic}`;
  return job ?? part ? undefined : "service:gateway";
}

/** What has started again is worth a word for a while. @param {import("./model.js").Process[]} services @param {number} now @param {(id: string, kind: "restarted", text: string) => void} say */
function restarts(services, now, say) {
  for (const { service, up, started_at: started, restarts: times, known_since: since } of services) {
    const at = Date.parse(started ?? "");
    if (!up || !(now - at < RESTART_SECONDS * 1_000)) continue;
    if (times) say(`service:${serviceOf(service)}`, "restarted", "restarted just now");
    else if (at > Date.parse(since ?? "")) say(`service:${serviceOf(service)}`, "restarted", "has a new replica");
  }
}

/** All sentences, the worst first: `payments does not answer`. @param {import("./model.js").Mesh} mesh @returns {(Health & { id?: string, name: string })[]} */
export function sentences(mesh) {
  const all = [...mesh.nodes.values()].flatMap((node) => node.health.map((one) => ({ ...one, id: node.id, name: node.name })));
  return [...all, ...mesh.others].sort((a, b) => a.rank - b.rank);
}
