// What the page asks for, and what it makes of it.

import { get, resource } from "../../lib/api.js";
import { percent } from "../../lib/format.js";
import { firing, now, services } from "../../lib/mesh.js";
import { expected } from "../../lib/replicas.js";
import { instant } from "../../lib/prometheus.js";
import { computed } from "../../lib/view.js";
import { judge, sentences } from "./health.js";
import { layout, shapeOf } from "./layout.js";
import { build, isDown, isSampled, serviceOf } from "./model.js";

/** Short enough that an order is seen at once and gone soon; lens counts in steps of 5 s. */
export const WINDOW_SECONDS = 10;

/** What has no answer in this time is worth a word; the next question may have one. */
const TIMEOUT_MS = 4_000;

const CLIENT = "http_client_request_duration_seconds";
const as = (/** @type {string} */ name, /** @type {string} */ query) => `label_replace(${query}, "of", "${name}", "", "")`;

/** One query for all that metrics know and traces do not. */
const FACTS = [
  "sum by (job, topic, group) (mesh_consumer_lag)",
  as("age", "max by (job, topic, group) (mesh_consumer_oldest_age_seconds)"),
  "max by (job, destination) (mesh_breaker_state)",
  as("rate", `sum by (job, server_address) (rate(${CLIENT}_count[30s]))`),
  as("errors", `sum by (job, server_address) (rate(${CLIENT}_count{error_type!=""}[30s]))`),
  as("p99", `histogram_quantile(0.99, sum by (job, server_address, le) (rate(${CLIENT}_bucket[30s])))`),
  as("database", "min by (job) (mesh_database_up)"),
  as("kafka", "min by (job) (mesh_kafka_connected)"),
  "max by (job, condition) (mesh_degraded) == 1",
  "max by (job, fault) (mesh_fault_active) > 0",
].join(" or ");

export const topology = resource((signal) => get(`/lens/v1/topology?window=${WINDOW_SECONDS}s`, { signal, timeout: TIMEOUT_MS }), { every: 2_000, shared: true });
export const facts = resource((signal) => instant(FACTS, { signal, timeout: TIMEOUT_MS }), { every: 2_000, shared: true });

/** What the services wait for that are not ready; asked only while there are some. */
const latches = resource(async (signal) => {
  /** @type {import("./model.js").Process[]} */
  const processes = expected(services.data.value?.items ?? []);
  const names = [...new Set(processes.filter(({ up, ready }) => up && ready === false).map(({ service }) => service))].slice(0, 8);
  const answers = await Promise.all(names.map((name) => get(`/lens/v1/services/${encodeURIComponent(name)}/readiness`, { signal, timeout: TIMEOUT_MS })));
  return Object.fromEntries(answers.map(({ service, replicas }) => [serviceOf(service), replicas.flatMap((/** @type {any} */ one) => one.readiness?.missing ?? [])]));
}, { shared: true });

/** The mesh as it is now. */
export const mesh = computed(() => {
  const known = { topology: topology.data.value, services: services.data.value && expected(services.data.value.items), facts: facts.data.value };
  const built = build(known);
  judge(built, { ...known, firing: firing.value, latches: latches.data.value, now: now() });
  return built;
});

export const problems = computed(() => sentences(mesh.value));

const shape = computed(() => shapeOf(mesh.value));

/** It stays the same object until a node or an edge comes or goes. */
export const placed = computed(() => {
  shape.value;
  return layout(mesh.peek());
});

/** The parts of the page that have no answer, and why. */
export const failures = computed(() => {
  /** @type {[string, import("../../lib/api.js").Resource<any>][]} */
  const parts = [["traces", topology], ["services", services], ["metrics", facts]];
  return parts.flatMap(([part, { error, data, at }]) => (error.value ? [{ part, error: error.value, at: data.value === undefined ? 0 : at.value }] : []));
});

/** What the edges do not show. */
export const limits = computed(() => {
  const { coverage, partial } = topology.data.value ?? {};
  if (partial) return "Some edges are missing: the memory that lens has for them is full.";
  return isSampled(topology.data.value) ? `Traces are sampled: edges show ${percent(coverage)} of all calls.` : "";
});

export const isLoading = computed(() => [topology, services].every(({ data, error }) => data.value === undefined && !error.value));

/** The edges whose messages are drawn: not those of a service that does not answer, and none while traces are not known. */
export const traffic = computed(() => {
  if (topology.error.value) return [];
  const { nodes, edges } = mesh.value;
  return [...edges.values()].filter(({ source, target }) => ![source, target].some((id) => isDown(nodes.get(id))));
});
