// Draws the answer of a panel, by the panel's type.

import { duration, NONE, number, rate, short, time, utc } from "../../lib/format.js";
import { html, nothing } from "../../lib/view.js";
import { hueClass } from "../../lib/color.js";
import { href } from "../../lib/route.js";
import { chart } from "../../parts/chart.js";
import { buckets } from "../../parts/heat.js";
import { icon } from "../../parts/icon.js";
import { spark } from "../../parts/spark.js";
import { table } from "../../parts/table.js";
import { stretches, timeline } from "../../parts/timeline.js";
import { fieldOf, lines as thresholdsOf, shown, tokenOf } from "./field.js";
import { tableOf, transformed } from "./frames.js";
import { linkOf } from "./link.js";

/** @typedef {import("./definition.js").Panel} Panel */
/** @typedef {import("./ask.js").Answer} Answer */
/** @typedef {import("./ask.js").Named} Named */
/** @typedef {{ span: import("./query.js").Span, markers: { at: number, title: string, state?: "bad" }[], group: string, height: number, zoom: (from: number, to: number) => void, unzoom: () => void }} Context */

/** Whether there is nothing to draw. @param {Panel} panel @param {Answer} answer */
export function isEmpty({ type }, { series = [], traces, calls, logs, tables = [] }) {
  const list = traces ?? calls ?? logs;
  if (list) return !list.length;
  // Of a heat map a zero is an empty cell; what is not a number is drawn nowhere.
  const isSeen = (/** @type {number} */ value) => (type === "heatmap" ? value > 0 : Number.isFinite(value));
  return !series.some(({ points }) => points.some(([, value]) => isSeen(value))) && !tables.some(({ samples }) => samples.length);
}

/** @param {{ points: [number, number][] }} series */
const lastOf = (series) => series.points.at(-1)?.[1];

/** What a percentile is of. @param {string} label */
const thing = (label) => label.replace(/^p\d+ ?/, "");

/** Lines as Grafana orders them, the largest last value first; stacks keep their order. @param {Panel} panel @param {Answer} answer @param {Context} context */
function lines(panel, { series = [], exemplars }, { span, markers, group, height, zoom, unzoom }) {
  const defaults = fieldOf(panel, "");
  const { custom = {}, unit, min, max } = defaults;
  const isStacked = custom.stacking?.mode === "normal";
  const drawn = series.filter(({ points }) => points.length).map(({ name, points }) => {
    const field = fieldOf(panel, name);
    return { label: field.displayName ?? name, points, color: tokenOf(field.color?.fixedColor), dashed: /^p50\b/.test(name) };
  });
  const isIdle = (/** @type {{ points: [number, number][] }} */ { points }) => points.every(([, value]) => !value);
  if (isStacked) drawn.sort((a, b) => Number(isIdle(a)) - Number(isIdle(b)));
  else drawn.sort((a, b) => (lastOf(b) ?? 0) - (lastOf(a) ?? 0));
  // Percentiles of one thing have one hue.
  const things = [...new Set(drawn.map(({ label }) => thing(label)))];
  if (things.length < drawn.length) for (const one of drawn) one.color ??= `--hue-${things.indexOf(thing(one.label)) % 8}`;
  return chart({
    label: panel.title, lines: drawn, unit, min, step: span.step, range: span, stacked: isStacked, log: custom.scaleDistribution?.type === "log",
    max: Math.max(custom.axisSoftMax ?? 0, max ?? 0) || undefined, thresholds: thresholdsOf(defaults), markers, exemplars, group, height, zoom, unzoom,
  });
}

/** @param {Panel} panel @param {Answer} answer */
function stat(panel, { series = [] }) {
  const isName = panel.options?.textMode === "name";
  return html`<div class="stats">${series.map((one) => {
    const field = fieldOf(panel, one.name);
    const { text, state } = shown(field, lastOf(one));
    const link = linkOf(field.links?.[0]?.url, {}, one.labels);
    const past = one.points.map(([, value]) => (Number.isFinite(value) ? value : null));
    // A line that never moves says no more than its number.
    const isMoving = new Set(past).size > 1;
    const value = html`<b class="row ${state}">${state ? icon(state, "small") : nothing}${isName ? one.name : text}</b>`;
    return html`<div class="stat">
      <span class="value">${link && one.name ? html`<a href=${link}>${value}</a>` : value}</span>
      ${series.length > 1 && !isName ? html`<span class="quiet cut">${one.name}</span>` : nothing}
      ${panel.options?.graphMode === "area" && isMoving ? spark(past, { label: `${panel.title} over time` }) : nothing}
    </div>`;
  })}</div>`;
}

/** @param {Panel} panel @param {Answer} answer */
function bars(panel, { series = [] }) {
  const values = series.map((one) => lastOf(one) ?? 0);
  const top = Math.max(...values, 1e-9);
  return html`<div class="bars">${series.map((one, index) => {
    const field = fieldOf(panel, one.name);
    const color = tokenOf(field.color?.fixedColor) ?? "--hue-0";
    return html`<span class="cut">${one.name}</span><div class="track"><i .style=${`width: ${((values[index] / top) * 100).toFixed(2)}%; background: var(${color})`}></i></div><b>${shown(field, values[index]).text}</b>`;
  })}</div>`;
}

/** @param {Panel} panel @param {string} name @param {import("./frames.js").Row} row */
function cell(panel, name, row) {
  const field = fieldOf(panel, name);
  const value = row[name];
  if (value === undefined || value === "") return html`<span class="faint">–</span>`;
  const word = typeof value === "string" ? field.mappings?.[0]?.options[value] : undefined;
  const { text, state } = typeof value === "number" ? shown(field, value) : { text: word?.text ?? value, state: word ? shown({ mappings: field.mappings }, /** @type {any} */ (value)).state : "" };
  const isPainted = field.custom?.cellOptions?.type === "color-background" && state;
  const content = isPainted ? html`<span class="badge ${state}">${icon(state, "small")}${text}</span>` : name === "service" ? html`<span class="row ${hueClass(text)}"><i class="dot"></i>${text}</span>` : text;
  const [first, ...more] = (field.links ?? []).flatMap(({ title, url }) => {
    const to = linkOf(url, row, {});
    return to ? [{ title, to }] : [];
  });
  const whole = typeof value === "string" && !isPainted ? html`<span title=${value}>${content}</span>` : content;
  return html`${first ? html`<a href=${first.to} title=${first.title}>${content}</a>` : whole}${more.map(({ title, to }) => html` <a class="faint" href=${to}>${title}</a>`)}`;
}

/** @param {Panel} panel @param {Answer} answer */
function rows(panel, { tables = [] }) {
  const { columns, rows: found } = tableOf(tables, panel);
  if (!found.length) return html`<p class="quiet none">${fieldOf(panel, "").noValue ?? NONE}</p>`;
  const visible = columns.filter((name) => !fieldOf(panel, name).custom?.hideFrom?.viz && found.some((row) => row[name] !== undefined));
  return html`<div class="scroll">${table({
    label: panel.title, rows: found, key: (row) => JSON.stringify(columns.filter((name) => typeof row[name] === "string").map((name) => row[name])),
    columns: visible.map((name) => ({ title: name, number: found.every((row) => typeof row[name] !== "string"), cell: (/** @type {import("./frames.js").Row} */ row) => cell(panel, name, row) })),
  })}</div>`;
}

/** @param {Panel} panel @param {Answer} answer */
function traces(panel, { traces: found = [] }) {
  const given = found.map((/** @type {any} */ one) => {
    const first = one.spans.reduce((/** @type {any} */ a, /** @type {any} */ b) => (b.startTime < a.startTime ? b : a));
    const end = Math.max(...one.spans.map((/** @type {any} */ span) => span.startTime + span.duration));
    return { "Trace ID": one.traceID, "Trace name": `${one.processes[first.processID]?.serviceName ?? ""}: ${first.operationName}`, "Start time": first.startTime / 1000, Duration: (end - first.startTime) / 1e6 };
  });
  given.sort((/** @type {any} */ a, /** @type {any} */ b) => b["Start time"] - a["Start time"]);
  const frame = transformed({ columns: ["Trace ID", "Trace name", "Start time", "Duration"], rows: given }, panel);
  const draw = (/** @type {string} */ name, /** @type {any} */ row) =>
    name === "Trace ID" ? html`<a class="mono" href=${href("traces", [row[name]])} title=${row[name]}>${short(row[name])}</a>`
    : name === "Start time" ? html`<time title=${utc(row[name])}>${time(row[name], { millis: true })}</time>`
    : name === "Duration" ? duration(row[name]) : row[name];
  return html`<div class="scroll">${table({ label: panel.title, rows: frame.rows, key: (row) => String(row["Trace ID"]), columns: frame.columns.map((name) => ({ title: name, number: name === "Duration", cell: (row) => draw(name, row) })) })}</div>`;
}

/** @param {Panel} panel @param {Answer} answer */
function calls(panel, { calls: found = [], note }) {
  const who = (/** @type {string} */ name, /** @type {string} */ id) => (id.startsWith("service:") ? html`<span class="row ${hueClass(name)}"><i class="dot"></i>${name}</span>` : name);
  const columns = [
    { title: "from", cell: (/** @type {any} */ edge) => who(edge.from, edge.source) },
    { title: "to", cell: (/** @type {any} */ edge) => who(edge.to, edge.target) },
    { title: "by", cell: (/** @type {any} */ edge) => edge.protocol },
    { title: "rate", number: true, cell: (/** @type {any} */ edge) => rate(edge.rate) },
    { title: "errors", number: true, cell: (/** @type {any} */ edge) => (edge.errors ? html`<span class="badge bad">${icon("bad", "small")}${number(edge.errors)}</span>` : "0") },
    { title: "p50", number: true, cell: (/** @type {any} */ edge) => duration(edge.p50_ms === null ? null : edge.p50_ms / 1e3) },
    { title: "p99", number: true, cell: (/** @type {any} */ edge) => duration(edge.p99_ms === null ? null : edge.p99_ms / 1e3) },
  ];
  return html`<div class="scroll">${table({ label: panel.title, rows: found.toSorted((/** @type {any} */ a, /** @type {any} */ b) => b.rate - a.rate), key: (edge) => `${edge.source} ${edge.target} ${edge.protocol}`, columns })}</div>
    <p class="note">${note} <a href=${href("mesh")}>See it drawn, live: Mesh</a></p>`;
}

/** @param {Panel} panel @param {Answer} answer */
function logs(panel, { logs: found = [], note }) {
  const isMixed = new Set(found.map(({ service }) => service)).size > 1;
  return html`<p class="note">${note}</p><ul class="log" aria-label=${panel.title} tabindex="0">${found.map((line) => html`<li class=${{ error: "bad", warn: "warning" }[/** @type {"error" | "warn"} */ (line.severity)] ?? ""}>
    <time title=${utc(line.at)}>${time(line.at, { millis: true })}</time> <b>${line.severity}</b>
    <span>${isMixed ? html`<span class=${hueClass(line.service)}><i class="dot"></i> ${line.service}</span> ` : nothing}${line.body} ${Object.entries(line.attributes).map(([name, value]) => html`<span class="faint">${name}=${value} </span>`)}</span>
    ${line.trace_id ? html`<a class="mono" href=${href("traces", [line.trace_id], { span: line.span_id ?? undefined })}>${short(line.trace_id)}</a>` : html`<span></span>`}
  </li>`)}</ul>`;
}

/** @param {Panel} panel @param {Answer} answer @param {Context} context */
function states(panel, { series = [] }, { span }) {
  const rows = series.map(({ name, points }) => ({ name, stretches: stretches(points, span.step, (value) => shown(fieldOf(panel, name), value)) }));
  return timeline({ label: panel.title, rows, range: span });
}

/** @param {Panel} panel @param {Answer} answer @param {Context} context */
const heat = (panel, { series = [] }, { span, height }) =>
  html`<mesh-heat .spec=${{ label: panel.title, buckets: buckets(series), range: span, step: span.step, unit: panel.options?.yAxis?.unit, height }}></mesh-heat>`;

/** @type {Record<string, (panel: Panel, answer: Answer, context: Context) => unknown>} */
const DRAW = { timeseries: lines, stat, bargauge: bars, "state-timeline": states, heatmap: heat, logs, nodeGraph: calls, table: (panel, answer) => (answer.traces ? traces(panel, answer) : rows(panel, answer)) };

/** @param {Panel} panel @param {Answer} answer @param {Context} context */
export const draw = (panel, answer, context) => (DRAW[panel.type] ?? (() => html`<p class="note">This page cannot draw a panel of the type ${panel.type}; Grafana can.</p>`))(panel, answer, context);
