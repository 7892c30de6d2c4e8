// <mesh-alert>: an alert in full: its values against the threshold, what else it needs, its labels, its runbook.

import { resource } from "../../lib/api.js";
import { hueOf } from "../../lib/color.js";
import { age, time, utc } from "../../lib/format.js";
import { about, hasDoor, now } from "../../lib/mesh.js";
import * as prometheus from "../../lib/prometheus.js";
import { formatOf, unitOfQuery } from "../../lib/units.js";
import { html, nothing, Widget } from "../../lib/view.js";
import { chart } from "../../parts/chart.js";
import { icon } from "../../parts/icon.js";
import { markdown } from "../../parts/markdown.js";
import { runnable } from "../../parts/runnable.js";
import { failed, skeleton, stateOf } from "../../parts/state.js";
import { allPanels, load } from "../dashboards/definition.js";
import { linkOf } from "../dashboards/link.js";
import { silencesOf } from "./data.js";
import { belongs, constant, partOf, split, WORDS } from "./rule.js";

/** @typedef {import("./data.js").Entry} Entry */
/** @typedef {import("./rule.js").Comparison} Comparison */
/** @typedef {{ part: Comparison, lines: import("../../parts/chart.js").Line[], threshold?: number, from: number, to: number }} Drawn */

const SPAN = 900;
const STEP = 5;

/** The dashboard of runbooks, once for all alerts. */
const runbooks = resource((signal) => load("mesh-runbooks", signal), { shared: true });

/** @param {Entry} entry @param {AbortSignal} signal @returns {Promise<Drawn | undefined>} */
async function measured({ rule, found }, signal) {
  const labels = found[0]?.labels ?? {};
  const part = partOf(split(rule.query), labels);
  if (!part) return undefined;
  const to = Math.floor(now() / 1000 / STEP) * STEP;
  const [series, right] = await Promise.all([
    prometheus.range(part.left, { start: to - SPAN, end: to, step: STEP, signal }),
    constant(part.right) === undefined ? prometheus.instant(part.right, { time: to, signal }) : [{ labels: {}, value: Number(part.right) }],
  ]);
  const mine = found.length ? series.filter((one) => found.some((alert) => belongs(one.labels, alert.labels))) : series;
  const shown = mine.length ? mine : series;
  const name = (/** @type {Record<string, string>} */ { __name__: metric, job, slo, ...rest }) => Object.values(rest).join(" ") || slo || job || metric || "value";
  const lines = shown.map((one) => ({ label: name(one.labels), points: one.points, color: hueOf(one.labels, shown.map(({ labels }) => labels)) })).sort((a, b) => (b.points.at(-1)?.[1] ?? 0) - (a.points.at(-1)?.[1] ?? 0));
  const threshold = right.find((one) => belongs(one.labels, { ...shown[0]?.labels, ...labels }))?.value;
  return { part, lines, threshold, from: to - SPAN, to };
}

/** @param {Drawn | undefined} drawn @param {Entry} entry */
function against(drawn, { rule, found }) {
  if (!drawn) return html`<p class="quiet">This expression has no comparison at its top that could be split, so there is no threshold to draw:</p>${code(rule.query)}`;
  const { part, lines, threshold, from, to } = drawn;
  const unit = unitOfQuery(part.left);
  const limit = threshold === undefined ? part.right : formatOf(unit)(threshold);
  const state = rule.labels.severity === "page" ? /** @type {const} */ ("bad") : /** @type {const} */ ("warning");
  const markers = found.map((alert) => ({ at: Date.parse(alert.activeAt) / 1000, title: `${alert.state === "firing" ? "began" : "pending"}`, state: alert.state === "firing" ? /** @type {const} */ ("bad") : undefined }));
  return html`<p class="quiet">Fires where the line is ${WORDS[part.op]} ${limit}${rule.duration ? html` for ${age(rule.duration)}` : nothing}${part.conditions.length ? ", and as long as what is below holds, too" : ""}.</p>
    ${lines.length
      ? chart({ label: `${rule.name}: ${part.left}`, lines, unit, range: { from, to }, step: STEP, height: 190, markers, thresholds: threshold === undefined ? [] : [{ value: threshold, state, label: `${part.op} ${limit}`, always: true }] })
      : html`<div class="nothing"><b>No data</b><p>Nothing is measured here now: ${missing(part.left)}</p></div>`}
    <details><summary class="faint">Expression</summary>${code(rule.query)}</details>
    ${part.conditions.map((condition) => html`<p class="faint">${icon("forward", "small")} ${condition.startsWith("unless") ? "not while" : "and"} <code>${condition.replace(/^(and|unless) /, "")}</code></p>`)}`;
}

/** @param {string} left */
const missing = (left) => (/otelcol_|prometheus_|jaeger|loki/.test(left) ? "only Compose and Kubernetes have the part that it watches." : /mesh_memory_/.test(left) ? "only a process with a memory limit has it." : "what it counts has not happened.");

/** @param {string} text */
const code = (text) => html`<pre tabindex="0"><code>${text}</code></pre>`;

/** One alert of the rule: labels, state, since when. @param {import("./data.js").Alert} alert @param {Entry} entry @param {any[]} silences */
function instance(alert, { rule }, silences) {
  const { alertname, severity, ...labels } = alert.labels;
  const at = Date.parse(alert.activeAt);
  const until = at + rule.duration * 1000 - now();
  const held = silencesOf(silences, alert.labels);
  return html`<li>
    <p>${alert.annotations.description ?? alert.annotations.summary}</p>
    <p class="row wrap"><time class="quiet" title=${utc(at)}>${alert.state === "pending" ? html`pending; fires in ${age(Math.max(0, until / 1000))} if it goes on` : html`since ${time(at)}, ${age((now() - at) / 1000)}`}</time>
      ${Object.entries(labels).map(([name, value]) => html`<span class="badge mono">${name}=${value}</span>`)}
      ${held.map((/** @type {any} */ silence) => html`<span class="badge" title=${silence.comment}>silenced until ${time(silence.endsAt)} by ${silence.createdBy}</span>`)}</p>
  </li>`;
}

class MeshAlert extends Widget {
  /** @type {{ entry: () => Entry | undefined, silences: () => any[] } | undefined} */
  given;
  /** @type {import("../../lib/api.js").Resource<Drawn | undefined> | undefined} */
  #measured;

  connectedCallback() {
    this.#measured = resource(async (signal) => {
      const entry = this.given?.entry();
      return entry && measured(entry, signal);
    }, { every: 10_000 });
    super.connectedCallback();
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    this.#measured?.stop();
  }

  #runbook(/** @type {string} */ name) {
    return stateOf(runbooks, (dashboard) => {
      const panel = allPanels(dashboard).find(({ title, type }) => type === "text" && title === name);
      return panel ? markdown(panel.options.content, { code: runnable }) : html`<p class="quiet">There is no runbook of this name.</p>`;
    });
  }

  view() {
    const entry = this.given?.entry();
    const drawn = this.#measured;
    if (!entry || !drawn) return nothing;
    const { rule, found } = entry;
    const dashboard = linkOf((found[0]?.annotations.dashboard_url ?? rule.annotations.dashboard_url ?? "").replace(/^.*\/grafana\/d\//, "/d/").replace(/\{\{.*?\}\}/g, ""), {}, {});
    const filter = encodeURIComponent(`{alertname="${rule.name}"}`);
    return html`<div class="detail">
      <div class="values">
        ${rule.health === "err" ? html`<p class="notice bad">${icon("bad", "small")} The rule fails: ${rule.lastError ?? "no reason given"}</p>` : nothing}
        ${found.length ? html`<ul class="found">${found.map((alert) => instance(alert, entry, this.given?.silences() ?? []))}</ul>` : nothing}
        ${drawn.at.value === 0 ? (drawn.error.value ? failed(drawn.error.value) : skeleton(6)) : stateOf({ ...drawn, data: /** @type {any} */ ({ value: { drawn: drawn.data.value } }) }, (/** @type {any} */ data) => against(data.drawn, entry))}
        <p class="row wrap">${dashboard ? html`<a href=${dashboard}>${icon("dashboards", "small")} Its dashboard</a>` : nothing}
          ${hasDoor("/alertmanager") ? html`<a href=${`/alertmanager/#/silences/new?filter=${filter}`} target="_blank" rel="noopener">${icon("open", "small")} Silence it in Alertmanager</a>` : nothing}
          ${about.data.value?.prometheus ? html`<a href=${`/prometheus/query?g0.expr=${encodeURIComponent(rule.query)}&g0.tab=graph`} target="_blank" rel="noopener">${icon("open", "small")} Prometheus</a>` : nothing}</p>
      </div>
      <div class="runbook"><h3>Runbook</h3>${this.#runbook(rule.name)}</div>
    </div>`;
  }
}

customElements.define("mesh-alert", MeshAlert);
