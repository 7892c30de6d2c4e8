// Topics as rows, and below each the groups that read it.

import { hueClass } from "../../lib/color.js";
import { age, NONE, number, rate, utc } from "../../lib/format.js";
import { now } from "../../lib/mesh.js";
import { html, nothing } from "../../lib/view.js";
import { icon } from "../../parts/icon.js";
import { table } from "../../parts/table.js";
import { condition, rowsOf } from "./model.js";

/** @typedef {import("./model.js").Row} Row */

/** @param {Row} row */
function name({ topic, group, dead }) {
  if (!group) return html`<b class="mono">${topic.topic}</b>${dead?.retained ? html` <span class="faint far" title=${`records in ${dead.topic}, notes about handled dead letters included`}>+ ${number(dead.retained)} in .dlq</span>` : nothing}`;
  const { level, word } = condition(group);
  return html`<span class="group ${hueClass(group.group)}"><span class="dot"></span>${group.group}${word ? html`<span class="row ${level}">${level ? icon(level === "bad" ? "bad" : "warning", "small") : nothing}${word}</span>` : nothing}</span>`;
}

/** @param {Row} row */
function lag({ group }) {
  if (!group) return nothing;
  const where = group.partitions.map(({ partition, lag, instance }) => `partition ${partition}: ${lag}${instance ? `, read by ${instance}` : ""}`).join("\n");
  return html`<span class=${condition(group).level} title=${where}>${number(group.lag)}</span>`;
}

/** @param {Row} row */
function oldest({ topic, group }) {
  if (group) return html`<span class=${condition(group).level}>${group.lag > 0 ? age(group.oldest_age_seconds ?? NaN) : NONE}</span>`;
  return topic.oldest ? html`<span title=${utc(topic.oldest)}>${age((now() - Date.parse(topic.oldest)) / 1_000)}</span>` : NONE;
}

/** @type {import("../../parts/table.js").Column<Row>[]} */
const COLUMNS = [
  { title: "Topic, group", cell: name },
  { title: "Rate", number: true, cell: ({ topic, group }) => (group ? nothing : rate(topic.rate)) },
  { title: "Partitions", number: true, class: "far", cell: ({ topic, group }) => (group ? nothing : html`<span title=${topic.partitions.map(({ partition, low, high }) => `${partition}: offsets ${low} to ${high}`).join("\n")}>${topic.partitions.length}</span>`) },
  { title: "Retained", number: true, class: "far", cell: ({ topic, group }) => (group ? nothing : number(topic.retained)) },
  { title: "Oldest", number: true, cell: oldest },
  { title: "Lag", number: true, cell: lag },
  { title: "Members", number: true, cell: ({ group }) => (group ? html`<span title=${group.members.map(({ client, host }) => `${client} at ${host}`).join("\n")}>${group.members.length}</span>` : nothing) },
];

/** @param {import("./model.js").Overview} overview */
export const topicTable = (overview) => html`<div class="scroll">${table({ label: "Topics and consumer groups", columns: COLUMNS, rows: rowsOf(overview), key: ({ key }) => key })}</div>`;
