// The same as the graph shows, as a table: for phones, and for screen readers.

import { duration, percent } from "../../lib/format.js";
import { hueClass } from "../../lib/color.js";
import { html, nothing } from "../../lib/view.js";
import { icon } from "../../parts/icon.js";
import { table } from "../../parts/table.js";
import { brief, shortName } from "./graph.js";
import { isFailing } from "./health.js";
import { place } from "./layout.js";

/** @typedef {import("./model.js").Node} Node */

const KINDS = { browser: "clients", service: "service", topic: "topic", subject: "subject", database: "database", external: "third party" };

/** Rows keep their place, whatever their state. */
const ORDER = Object.keys(KINDS);

/** So many sentences of a node; its drawer has all. */
const SAID = 2;

/** @param {Node} node @param {unknown} open whether the row can be opened */
const name = (node, open) => html`${node.kind === "service" ? html`<span class="dot ${hueClass(node.name)}"></span> ` : nothing}<b>${shortName(node.name)}</b> <span class="faint">${KINDS[node.kind]}</span>
  ${node.health.slice(0, open ? SAID : undefined).map(({ level, text }) => html`<div class="said ${level}">${icon(level, "small")} ${text}</div>`)}${open && node.health.length > SAID ? html`<div class="said faint">and ${node.health.length - SAID} more</div>` : nothing}`;

/** @param {{ mesh: import("./model.js").Mesh, selected?: string, open?: (id: string) => void }} options */
export function asTable({ mesh, selected, open }) {
  const targets = (/** @type {Node} */ { id }) => [...mesh.edges.values()].filter(({ source }) => source === id).map(({ target }) => shortName(target.replace(/^\w+:/, ""))).join(", ");
  const rows = [...mesh.nodes.values()].sort((a, b) => ORDER.indexOf(a.kind) - ORDER.indexOf(b.kind) || place(a) - place(b) || (a.id < b.id ? -1 : 1));
  return table({
    label: "The mesh",
    rows,
    key: ({ id }) => id,
    selected,
    open: open && (({ id }) => open(id)),
    columns: [
      { title: "Name", cell: (node) => name(node, open), class: "wrap" },
      { title: "Rate", cell: (node) => brief(node.rate), number: true },
      { title: "p99", cell: (node) => duration(node.p99), number: true },
      { title: "Failed", cell: (node) => html`<span class=${isFailing(node) ? "bad" : "faint"}>${node.rate > 0 ? percent(node.errors) : "–"}</span>`, number: true },
      { title: "Replicas", cell: ({ replicas }) => (replicas.length ? `${replicas.filter(({ up }) => up).length} of ${replicas.length}` : "–"), number: true, class: "wide" },
      { title: "Calls and sends to", cell: targets, class: "wide" },
    ],
  });
}
