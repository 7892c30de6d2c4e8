// A query in a text, with a button that runs it in place.

import { get } from "../lib/api.js";
import { hueOf } from "../lib/color.js";
import { time } from "../lib/format.js";
import { hasLoki, latest } from "../lib/loki.js";
import { now } from "../lib/mesh.js";
import { range } from "../lib/prometheus.js";
import { unitOfQuery } from "../lib/units.js";
import { html, nothing, signal, Widget } from "../lib/view.js";
import { chart } from "./chart.js";
import { icon } from "./icon.js";

const METRIC = "mesh_|process_|tokio_|http_server_|rpc_|messaging_|db_client_|scrape_|otelcol_|prometheus_|kubelet_|slo:|service:|ALERTS\\b|up\\b";
const PROMQL = new RegExp(`^(?:${METRIC})|^(?:sum|max|min|avg|count|topk|rate|increase|deriv|changes|histogram_quantile)\\b.*\\(.*(?:${METRIC})`, "s");
const LOGQL = /^\{service_name=~?"([\w|-]+)"\}(?:\s*\|=\s*"([^"]*)")?(?:\s*\|\s*detected_level="(\w+)")?$/;

/** Whether a code span is a query that can be asked here. @param {string} text */
export const isQuery = (text) => !text.includes("…") && (PROMQL.test(text) || LOGQL.test(text));

/** The span of the answer, in seconds. */
const SPAN = 900;
const STEP = 5;

/** @typedef {{ lines: import("./chart.js").Line[], from: number, to: number } | { logs: any[] }} Answer */

/** @param {string} query @returns {Promise<Answer>} */
async function run(query) {
  const [, service, words, severity] = LOGQL.exec(query) ?? [];
  if (service && (await hasLoki())) return { logs: await latest(query, { from: now() / 1000 - SPAN, to: now() / 1000, limit: 8 }) };
  if (service) {
    const params = new URLSearchParams({ service, limit: "200", since: `${SPAN}s`, ...(severity ? { severity } : {}) });
    const { items } = await get(`/lens/v1/logs?${params}`);
    return { logs: items.filter((/** @type {any} */ line) => !words || line.body.includes(words)).slice(-8).reverse() };
  }
  const to = Math.floor(now() / 1000 / STEP) * STEP;
  const series = await range(query, { start: to - SPAN, end: to, step: STEP });
  const name = (/** @type {Record<string, string>} */ { __name__: metric, job, ...labels }) => Object.values(labels).join(" ") || job || metric || "value";
  const lines = series.map(({ labels, points }) => ({ label: name(labels), points, color: hueOf(labels, series.map((one) => one.labels)) }));
  return { lines: lines.sort((a, b) => (b.points.at(-1)?.[1] ?? 0) - (a.points.at(-1)?.[1] ?? 0)), from: to - SPAN, to };
}

class Query extends Widget {
  query = "";
  #answer = signal(/** @type {Answer | Error | "asking" | undefined} */ (undefined));

  #toggle() {
    const answer = this.#answer;
    if (answer.peek() && !(answer.peek() instanceof Error)) return void (answer.value = undefined);
    answer.value = "asking";
    run(this.query).then(
      (found) => (answer.value = found),
      (error) => (answer.value = error),
    );
  }

  view() {
    const answer = this.#answer.value;
    return html` <button class="chip run" aria-expanded=${Boolean(answer)} @click=${() => this.#toggle()}>${icon(answer ? "up" : "play", "small")} ${answer === "asking" ? "asking" : answer ? "close" : "run"}</button>
      ${answer && answer !== "asking" ? html`<div class="result">${shown(answer, this.query)}</div>` : nothing}`;
  }
}

/** @param {Answer | Error} answer @param {string} query */
function shown(answer, query) {
  if (answer instanceof Error) return html`<p class="warning" role="alert">${icon("warning", "small")} ${answer.message}</p>`;
  if ("logs" in answer) {
    if (!answer.logs.length) return html`<p class="quiet">No such line in the last 15 min.</p>`;
    return html`<ul class="log">${answer.logs.map((line) => html`<li class=${line.severity === "error" ? "bad" : ""}><time>${time(line.at)}</time> <b>${line.severity}</b> <span>${line.body}</span></li>`)}</ul>`;
  }
  if (!answer.lines.length) return html`<p class="quiet">No result in the last 15 min: nothing matches.</p>`;
  return chart({ label: query, lines: answer.lines, unit: unitOfQuery(query), range: answer, step: STEP, height: 120 });
}

customElements.define("mesh-query", Query);

/** For Markdown: a button after each code span that is a query. @param {string} code */
export const runnable = (code) => (isQuery(code) ? html`<mesh-query .query=${code}></mesh-query>` : nothing);
