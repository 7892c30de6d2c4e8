// What several pages know of the mesh. Each is asked for only while something on the screen reads it.

import { get, resource } from "./api.js";
import * as prometheus from "./prometheus.js";
import { computed } from "./view.js";

/** What is behind this gateway. @type {import("./api.js").Resource<{ version: string, prometheus: boolean, loki: boolean, doors: { path: string, purpose: string }[] }>} */
export const about = resource((signal) => get("/console.json", { signal }), { shared: true });

/** Whether a server stands behind the front door. @param {string} path as `/jaeger` */
export const hasDoor = (path) => about.data.value?.doors.some((door) => door.path === path) ?? false;

/** Whether lens answers; while it is not known, it is assumed. */
export const hasLens = () => about.data.value === undefined || hasDoor("/lens");

/** Jaeger's API, of lens or of Jaeger itself. */
export const jaeger = () => (hasLens() ? "/lens/api" : "/jaeger/api");

/** The time that queries without a time mean: the present, or the end of a replayed run. */
export const clock = resource((signal) => get("/lens/v1/clock", { signal }), { shared: true });

/** Now, in milliseconds since the epoch; it stands in a replay. */
export function now() {
  const known = clock.data.value;
  return known?.fixed ? Date.parse(known.now) : Date.now();
}

/** Rate, errors, durations, memory and readiness of every process. */
export const services = resource((signal) => get("/lens/v1/services?window=30s", { signal, timeout: 4_000 }), { every: 2_000, shared: true });

/** Pending and firing alerts. */
export const alerts = resource((signal) => prometheus.alerts(signal), { every: 5_000, shared: true });

/** Firing alerts, without the one that always fires to show that alerts arrive. */
export const firing = computed(() => alerts.data.value?.alerts.filter((alert) => alert.state === "firing" && alert.labels.severity !== "none") ?? []);

/** The numbers of the line at the top. */
export const vitals = resource(
  async (signal) => {
    const [orders, slow] = await Promise.all(
      [
        'sum(rate(http_server_request_duration_seconds_count{http_route="/api/orders", http_request_method="POST"}[30s]))',
        'histogram_quantile(0.99, sum by (le) (rate(http_server_request_duration_seconds_bucket{http_route="/api/orders", http_request_method="POST"}[1m])))',
      ].map((query) => prometheus.instant(query, { signal })),
    );
    return { orders: orders[0]?.value ?? 0, p99: slow[0]?.value };
  },
  { every: 5_000, shared: true },
);
