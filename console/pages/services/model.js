// What the page of services shows, without elements.

/**
 * A replica, as lens lists it.
 * @typedef {object} Replica
 * @property {string} service the name of its target
 * @property {string} name the service
 * @property {string | null} instance
 * @property {boolean} up
 * @property {boolean | null} ready
 * @property {boolean} draining
 * @property {string[]} degraded
 * @property {string | null} error
 * @property {string | null} down_since
 * @property {string | null} version
 * @property {string | null} revision the commit that it was built from
 * @property {string | null} started_at
 * @property {number} restarts at this address
 * @property {number} ended how many processes of its whole target have ended, at any address
 * @property {number | null} memory_bytes
 * @property {number | null} cpu_cores
 * @property {{ step_seconds: number, cpu_cores: (number | null)[], memory_bytes: (number | null)[] }} [over_window]
 */

/** @typedef {{ key: string, value: unknown, source: string }} Setting */

/** The services in the order of the mesh, each with its replicas. @param {Replica[]} replicas @returns {[name: string, replicas: Replica[]][]} */
export function grouped(replicas) {
  const groups = new Map();
  for (const replica of replicas) groups.set(replica.name, [...(groups.get(replica.name) ?? []), replica]);
  return [...groups].sort(([one], [other]) => (one < other ? -1 : 1));
}

/** How many processes of a service have ended: each target counts for all of its replicas. @param {Replica[]} replicas */
export const endedOf = (replicas) => [...new Map(replicas.map(({ service, ended }) => [service, ended])).values()].reduce((all, ended) => all + ended, 0);

/** How a replica is, in a word, and what is wrong. @param {Replica} replica @returns {{ level: "" | "bad" | "warning", word: string, why: string }} */
export function condition({ up, ready, draining, degraded, error }) {
  if (!up) return { level: "bad", word: "down", why: error ?? "" };
  if (draining) return { level: "", word: "draining", why: "" };
  if (ready === false) return { level: "bad", word: "not ready", why: degraded.join(", ") };
  if (degraded.length) return { level: "warning", word: "degraded", why: degraded.join(", ") };
  return { level: "", word: ready === null ? "answers" : "ready", why: "" };
}

/** Whether a setting has another value than by default. @param {Setting} setting */
export const isChanged = ({ source }) => source !== "default";

/** The settings with this text in key, value or source. @param {Setting[]} settings @param {{ text: string, changed: boolean }} filter */
export function filtered(settings, { text, changed }) {
  const wanted = text.trim().toLowerCase();
  return settings.filter((setting) => (!changed || isChanged(setting)) && `${setting.key} ${shown(setting.value)} ${setting.source}`.toLowerCase().includes(wanted));
}

/** A value as its file would have it. @param {unknown} value */
export const shown = (value) => (typeof value === "string" ? value || "(empty)" : JSON.stringify(value));
