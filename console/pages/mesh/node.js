// The drawer of a node: how it is, over five minutes; whom it calls; what went wrong.

import { get, resource } from "../../lib/api.js";
import { hueClass } from "../../lib/color.js";
import { age, duration, number, percent, time, utc } from "../../lib/format.js";
import { alerts, hasDoor, now } from "../../lib/mesh.js";
import { href } from "../../lib/route.js";
import { html, nothing, repeat, signal, Widget } from "../../lib/view.js";
import { chart } from "../../parts/chart.js";
import { drawer } from "../../parts/drawer.js";
import "../../parts/log-level.js";
import { icon } from "../../parts/icon.js";
import { stateOf } from "../../parts/state.js";
import { mesh } from "./data.js";
import { brief } from "./graph.js";
import { isFailing } from "./health.js";
import { serviceOf } from "./model.js";
import { ask, chartsOf, RANGE_SECONDS, STEP_SECONDS } from "./red.js";

/** @typedef {import("./model.js").Node} Node */

const KINDS = { browser: "clients of the gateway", service: "service", topic: "Kafka topic", subject: "NATS subject", database: "database", external: "third party" };

/** How many traces and log lines a drawer shows; their pages have the rest. */
const LATEST = 6;

class NodeDrawer extends Widget {
  #id = signal("");
  /** @type {(id: string | undefined) => void} */
  open = () => {};
  #charts = resource(async (signal) => {
    const node = mesh.peek().nodes.get(this.#id.value);
    if (!node) return [];
    const end = Math.floor(now() / 1_000 / STEP_SECONDS) * STEP_SECONDS;
    return ask(chartsOf(node), { start: end - RANGE_SECONDS, end, step: STEP_SECONDS, signal });
  }, { every: 5_000, shared: true });
  #errors = resource((signal) => {
    const query = new URLSearchParams({ service: this.#service(), tags: '{"error":"true"}', limit: String(LATEST), lookback: "30m" });
    return get(`/lens/api/traces?${query}`, { signal });
  }, { every: 5_000, shared: true });
  #lines = resource((signal) => get(`/lens/v1/logs?${new URLSearchParams({ service: this.#service(), severity: "warn", since: "15m", limit: String(LATEST) })}`, { signal }), { every: 5_000, shared: true });

  /** @param {string} id */
  set node(id) {
    if (id === this.#id.peek()) return;
    this.#charts.data.value = undefined;
    this.#errors.data.value = undefined;
    this.#lines.data.value = undefined;
    this.#id.value = id;
  }

  #service() {
    return this.#id.value.replace(/^service:/, "");
  }

  view() {
    const node = mesh.value.nodes.get(this.#id.value);
    const close = () => this.open(undefined);
    if (!node) return drawer({ title: html`<h2>Not here</h2>`, label: "A node that is not here", close, body: html`<p class="quiet">No service, topic or database has the id <span class="mono">${this.#id.value}</span>. It may have been there earlier; the graph shows what is known now.</p>` });
    return drawer({ title: title(node), label: `${node.name}, ${KINDS[node.kind]}`, close, body: this.#body(node) });
  }

  /** @param {Node} node */
  #body(node) {
    const isService = node.kind === "service" && node.replicas.length > 0;
    return html`${health(node)} ${facts(node)}
      <div class="red">${stateOf(this.#charts, (all) => all.map((spec) => html`<section><h3>${spec.label}</h3>${chart(spec)}</section>`), { lines: 6 })}</div>
      ${node.kind === "topic" ? groups(node) : nothing}
      ${neighbours(node, this.open)}
      ${isService ? html`${firing(node)} ${section("Recent errors", stateOf(this.#errors, (answer) => traces(answer.data ?? []), { lines: 3 }))}
        ${section("Log level", html`<log-level .service=${node.name}></log-level>`)}
        ${section("Warnings and errors in its log", stateOf(this.#lines, (answer) => lines(answer.items), { lines: 3 }))}` : nothing}`;
  }
}

customElements.define("mesh-node", NodeDrawer);

/** @param {unknown} heading @param {unknown} content */
const section = (heading, content) => html`<section><h3>${heading}</h3>${content}</section>`;

/** @param {Node} node */
const title = (node) => html`<div class="node-title"><h2>${node.kind === "service" ? html`<span class="dot ${hueClass(node.name)}"></span>` : nothing} ${node.name}</h2>
  <p class="faint">${KINDS[node.kind]}</p><p class="row wrap">${links(node).map(([to, word]) => html`<a href=${to} target=${to.startsWith("#") ? nothing : "_blank"} rel="noopener">${word}</a>`)}</p></div>`;

/** @param {Node} node @returns {[to: string, word: string][]} */
function links({ kind, name, owner }) {
  const service = (owner ?? "").replace(/^service:/, "");
  if (kind === "topic") return [[href("events", [], { topic: name }), "Events"], [href("dashboards", ["mesh-events"], { topic: name }), "Dashboard"]];
  if (kind === "database" && service) return [[href("dashboards", ["mesh-service"], { service }), "Dashboard"]];
  if (kind === "browser") return [["/docs", "API"], [href("flows"), "Flows"], [href("traces", [], { service: "browser" }), "Traces"]];
  if (kind !== "service") return [];
  return [
    [href("dashboards", ["mesh-service"], { service: name }), "Dashboard"],
    [href("traces", [], { service: name }), "Traces"],
    [href("services", [name]), "Settings, profile"],
    ...(name === "gateway" ? /** @type {[string, string][]} */ ([["/docs", "API"]]) : []),
    ...(hasDoor("/jaeger") ? /** @type {[string, string][]} */ ([[`/jaeger/search?service=${encodeURIComponent(name)}`, "Jaeger"]]) : []),
  ];
}

/** @param {Node} node */
const health = ({ health: all }) => (all.length ? html`<ul class="health">${all.map(({ level, text }) => html`<li class="notice ${level}">${icon(level, "small")} ${text}</li>`)}</ul>` : nothing);

/** @param {Node} node */
function facts(node) {
  const replicas = node.replicas.map((one) => html`<div class="row"><span class="mono">${one.instance ?? "no address"}</span>${one.up ? html`<span class=${one.ready === false ? "bad" : "quiet"}>${one.ready === false ? "not ready" : "ready"}</span>` : html`<span class="bad cut" title=${one.error ?? ""}>${one.error ?? "does not answer"}</span>`}</div>`);
  return html`<dl class="facts">
    <dt>Now</dt><dd><b>${brief(node.rate)}</b>${node.p99 === null ? nothing : html` · p99 <b>${duration(node.p99)}</b>`}${node.rate > 0 ? html` · <span class=${isFailing(node) ? "bad" : ""}>${percent(node.errors)} failed</span>` : nothing}</dd>
    ${replicas.length ? html`<dt>${replicas.length === 1 ? "Replica" : "Replicas"}</dt><dd>${replicas}</dd>` : nothing}
  </dl>`;
}

/** @param {Node} node */
const groups = (node) => section("Consumer groups", html`<table class="table"><thead><tr><th scope="col">Group</th><th scope="col" class="number">Lag</th><th scope="col" class="number">Oldest</th></tr></thead>
  <tbody>${node.groups.map((one) => html`<tr><td>${one.group}</td><td class="number">${number(one.lag)}</td><td class="number">${one.lag ? age(one.age) : "–"}</td></tr>`)}</tbody></table>`);

/** @param {Node} node @param {(id: string) => void} open */
function neighbours(node, open) {
  const all = [...mesh.value.edges.values()];
  const table = (/** @type {string} */ heading, /** @type {"source" | "target"} */ end, /** @type {import("./model.js").Edge[]} */ edges) => edges.length ? section(heading, html`<table class="table"><tbody>
    ${repeat(edges, ({ id }) => id, (edge) => {
      const other = mesh.value.nodes.get(edge[end]);
      return html`<tr><td><button class="link" @click=${() => open(edge[end])}>${other?.name ?? edge[end]}</button></td><td class="faint">${edge.protocol}</td>
        <td class="number">${edge.seen ? brief(edge.rate) : "not seen yet"}</td><td class="number">${edge.p99 === null ? "–" : duration(edge.p99)}</td><td class="number ${isFailing(edge) ? "bad" : "faint"}">${edge.rate > 0 ? percent(edge.errors) : "–"}</td></tr>`;
    })}</tbody></table>`) : nothing;
  return html`${table("Receives from", "source", all.filter(({ target }) => target === node.id))}${table("Calls and sends to", "target", all.filter(({ source }) => source === node.id))}`;
}

/** @param {Node} node */
function firing(node) {
  const own = (alerts.data.value?.alerts ?? []).filter(({ labels }) => serviceOf(labels.service ?? labels.job ?? "") === node.name);
  return own.length ? section("Alerts", own.map((alert) => html`<a class="alert" href=${href("alerts", [alert.labels.alertname])}><span class="badge ${alert.state === "firing" ? "bad" : ""}">${alert.state}</span> ${alert.annotations.summary ?? alert.labels.alertname}</a>`)) : nothing;
}

/** @param {any[]} all traces as Jaeger's API has them */
function traces(all) {
  if (!all.length) return html`<p class="quiet">None in the last 30 minutes.</p>`;
  return html`<ul class="lines">${all.map((trace) => {
    const first = trace.spans.reduce((/** @type {any} */ a, /** @type {any} */ b) => (b.startTime < a.startTime ? b : a));
    const failed = trace.spans.find((/** @type {any} */ span) => span.tags.some((/** @type {any} */ tag) => tag.key === "error" && String(tag.value) === "true"));
    return html`<li><a href=${href("traces", [trace.traceID], { span: failed?.spanID })}><time title=${utc(first.startTime / 1_000)}>${time(first.startTime / 1_000)}</time> <span class="cut">${failed?.operationName ?? first.operationName}</span></a></li>`;
  })}</ul>`;
}

/** @param {any[]} all */
function lines(all) {
  if (!all.length) return html`<p class="quiet">None in the last 15 minutes.</p>`;
  return html`<ul class="lines">${[...all].reverse().map((line) => {
    const text = html`<time title=${utc(line.at)}>${time(line.at)}</time> <span class=${line.severity === "error" ? "bad" : "warning"}>${line.severity}</span> <span class="cut" title=${line.body}>${line.body}</span>`;
    return html`<li>${line.trace_id ? html`<a href=${href("traces", [line.trace_id], { span: line.span_id ?? undefined })}>${text}</a>` : html`<span>${text}</span>`}</li>`;
  })}</ul>`;
}
