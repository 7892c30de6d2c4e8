// Services: how each process is, and what is inside of it.

import { get, resource } from "../lib/api.js";
import { stylesheet } from "../lib/assets.js";
import { hueClass } from "../lib/color.js";
import { age, bytes, NONE, utc } from "../lib/format.js";
import { now } from "../lib/mesh.js";
import { expected } from "../lib/replicas.js";
import { go, href, route } from "../lib/route.js";
import { html, nothing } from "../lib/view.js";
import { icon } from "../parts/icon.js";
import { spark } from "../parts/spark.js";
import { empty, skeleton, stateOf } from "../parts/state.js";
import { table } from "../parts/table.js";
import "./services/detail.js";
import { condition, endedOf, grouped } from "./services/model.js";

const STYLE = new URL("../style/services.css", import.meta.url);

/** @typedef {import("./services/model.js").Replica} Replica */
/** @typedef {{ key: string, name: string, replicas: Replica[], replica?: Replica }} Row a service with one replica, or one of several replicas; or the line above these */

/** @param {Replica[]} replicas @returns {Row[]} */
const rowsOf = (replicas) =>
  grouped(replicas).flatMap(([name, all]) => {
    if (all.length === 1) return [{ key: name, name, replicas: all, replica: all[0] }];
    return [{ key: name, name, replicas: all }, ...all.map((replica) => ({ key: `${name}@${replica.instance}`, name, replicas: all, replica }))];
  });

/** @param {(number | null | undefined)[]} values */
const sum = (values) => values.reduce((/** @type {number | null} */ all, value) => (value == null ? all : (all ?? 0) + value), null);

/** A value of all replicas of a row. @param {Row} row @param {(replica: Replica) => number | null | undefined} read */
const total = ({ replica, replicas }, read) => sum((replica ? [replica] : replicas).map(read));

/** @param {number | null} value @param {string} text @param {Replica | undefined} replica @param {"memory_bytes" | "cpu_cores"} kind @param {string} label */
const measured = (value, text, replica, kind, label) => html`<span class="measured">${replica?.over_window ? spark(replica.over_window[kind], { label, max: kind === "cpu_cores" ? 0.05 : undefined }) : html`<i></i>`}<span>${value === null ? NONE : text}</span></span>`;

/** @param {Replica} replica */
function readiness(replica) {
  const { level, word, why } = condition(replica);
  const since = replica.down_since ? ` ${age((now() - Date.parse(replica.down_since)) / 1_000)}` : "";
  return html`<span class="row ${level}">${level ? icon(level === "bad" ? "bad" : "warning", "small") : nothing}<span>${word}${since}</span><span class="cut faint" title=${why}>${why}</span></span>`;
}

/** @param {Replica[]} replicas */
function together(replicas) {
  const staying = expected(replicas);
  const ready = staying.filter((one) => condition(one).level !== "bad").length;
  return html`<span class=${ready < staying.length ? "bad" : ""}>${ready} of ${staying.length} ready</span>`;
}

const RESTARTS = "Processes of the service that have ended since lens watches it: replaced at the same address, or with a pod that is gone, also by a rollout or for fewer replicas. The line of a replica counts those at its address.";

/** @type {import("../parts/table.js").Column<Row>[]} */
const COLUMNS = [
  {
    title: "Service",
    cell: ({ key, name, replica, replicas }) =>
      key === name ? html`<span class="row ${hueClass(name)}"><span class="dot"></span><b>${name}</b>${replicas.length > 1 ? html`<span class="faint">${replicas.length} replicas</span>` : nothing}</span>` : html`<span class="replica mono">${replica?.instance ?? "no address"}</span>`,
  },
  { title: "Readiness", class: "readiness", cell: ({ replica, replicas }) => (replica ? readiness(replica) : together(replicas)) },
  { title: "Version", hint: "The version, and the commit that it was built from.", class: "far mono", cell: ({ replica }) => (replica ? html`${replica.version ?? NONE} <span class="faint">${replica.revision?.slice(0, 7)}</span>` : "") },
  { title: "Uptime", number: true, cell: ({ replica }) => (replica?.up && replica.started_at ? html`<span title=${`since ${utc(replica.started_at)}`}>${age((now() - Date.parse(replica.started_at)) / 1_000)}</span>` : replica ? NONE : "") },
  { title: "Restarts", hint: RESTARTS, number: true, class: "far", cell: ({ key, name, replica, replicas }) => (key === name ? endedOf(replicas) : replica?.restarts) || html`<span class="faint">0</span>` },
  { title: "Memory", number: true, cell: (row) => ((value) => measured(value, bytes(value), row.replica, "memory_bytes", "memory over five minutes"))(total(row, (one) => (one.up ? one.memory_bytes : null))) },
  { title: "CPU", number: true, cell: (row) => ((value) => measured(value, `${((value ?? 0) * 100).toFixed(1)} %`, row.replica, "cpu_cores", "share of a core over five minutes"))(total(row, (one) => (one.up ? one.cpu_cores : null))) },
];

const teach = () => empty("No services are known", html`This page shows the services whose metrics lens scrapes: <code>lens.scrape.targets</code> names them. <code>mesh up</code> sets it, and so do the manifests for Compose and Kubernetes. A replay has none.`);

/** @param {Row} row */
const show = ({ key, name, replica }) => go(href("services", [name], { replica: key === name ? undefined : (replica?.instance ?? undefined) }));

export default function open() {
  const list = resource((signal) => get("/lens/v1/services?window=300s&points=60", { signal }), { every: 3_000 });
  const styled = resource(() => stylesheet(STYLE));
  const close = () => go(href("services"));
  const back = () => {
    const focused = document.activeElement;
    if (focused instanceof HTMLInputElement) focused.blur();
    else if (route.peek().path.length) close();
  };
  const detail = (/** @type {Replica[]} */ replicas) => {
    const { path, params } = route.value;
    const own = replicas.filter(({ name }) => name === path[0]);
    if (!path[0]) return html`<p class="faint hint">Open a service for its settings, log level, readiness and CPU profile.</p>`;
    if (!own.length) return empty("No such service", html`Lens scrapes no service named <span class="mono">${path[0]}</span>.`, html`<button class="button" @click=${close}>Show all services</button>`);
    return html`<service-detail .shown=${{ service: path[0], replicas: own, address: params.get("replica") }} .close=${close}></service-detail>`;
  };
  const view = (/** @type {{ items: Replica[] }} */ { items }) => {
    const { path, params } = route.value;
    const selected = path[0] ? (params.get("replica") ? `${path[0]}@${params.get("replica")}` : path[0]) : undefined;
    return html`<div class="scroll panel">${table({ label: "Services", columns: COLUMNS, rows: rowsOf(items), key: ({ key }) => key, selected, open: show })}</div>${detail(items)}`;
  };
  return {
    view: () => html`<div class="services pad">${styled.at.value || styled.error.value ? stateOf(list, view, { lines: 9, isEmpty: ({ items }) => items.length === 0, teach }) : skeleton(9)}</div>`,
    keys: {
      "/": /** @type {[string, () => void]} */ (["search settings", () => document.getElementById("settings-search")?.focus()]),
      Escape: /** @type {[string, () => void]} */ (["close the service", back]),
    },
    close: () => {
      list.stop();
      styled.stop();
    },
  };
}
