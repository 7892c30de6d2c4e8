// <mesh-quiet>: the rules that do not fire, and how far each is from it. It asks only while it is open.

import { resource } from "../../lib/api.js";
import { instant } from "../../lib/prometheus.js";
import { href } from "../../lib/route.js";
import { formatOf, unitOfQuery } from "../../lib/units.js";
import { html, nothing, Widget } from "../../lib/view.js";
import { table } from "../../parts/table.js";
import { inTurn } from "../dashboards/ask.js";
import { belongs, constant, nearness, split, WORDS, worst } from "./rule.js";

/** @typedef {import("./data.js").Entry} Entry */
/** @typedef {{ entry: Entry, near?: number, text: string, why?: string }} Row */

/** Of the parts of a rule the one that is nearest to firing. @param {Entry} entry @param {AbortSignal} signal @returns {Promise<Row>} */
async function distance(entry, signal) {
  const parts = split(entry.rule.query);
  if (!parts.length) return { entry, text: "", why: "no comparison that can be split" };
  const rows = await Promise.all(parts.map(async ({ left, op, right, conditions }) => {
    const [values, limits] = await Promise.all([inTurn(signal, () => instant(left, { signal })), constant(right) === undefined ? inTurn(signal, () => instant(right, { signal })) : [{ labels: {}, value: Number(right) }]]);
    const own = values.filter(({ value }) => Number.isFinite(value));
    const limit = limits.find((one) => belongs(one.labels, own[0]?.labels ?? {}))?.value;
    if (!own.length || limit === undefined) return { entry, text: "", why: "nothing measured" };
    const value = worst(op, own.map((one) => one.value));
    const [near, format] = [nearness(op, value, limit), formatOf(unitOfQuery(left))];
    // It would fire but for the rest of the expression, whose distance is not known.
    if (near === 1 && conditions.length) return { entry, text: "", why: `${format(value)} is ${WORDS[op]} ${format(limit)}, but another condition does not hold` };
    return { entry, near, text: `${format(value)}, fires ${WORDS[op]} ${format(limit)}` };
  }));
  return rows.sort((a, b) => (b.near ?? -1) - (a.near ?? -1))[0];
}

class MeshQuiet extends Widget {
  /** @type {{ entries: () => Entry[] } | undefined} */
  given;
  /** @type {import("../../lib/api.js").Resource<Row[]> | undefined} */
  #rows;

  connectedCallback() {
    this.#rows = resource((signal) => Promise.all((this.given?.entries() ?? []).map((entry) => distance(entry, signal).catch((error) => {
      if (signal.aborted) throw error;
      return { entry, text: "", why: error.message };
    }))), { every: 30_000 });
    super.connectedCallback();
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    this.#rows?.stop();
  }

  view() {
    const rows = this.#rows?.data.value ?? [];
    const known = new Map(rows.map((row) => [row.entry.key, row]));
    const all = (this.given?.entries() ?? []).map((entry) => known.get(entry.key) ?? { entry, text: "", why: "" });
    all.sort((a, b) => (b.near ?? -1) - (a.near ?? -1));
    const columns = [
      { title: "Rule", cell: (/** @type {Row} */ { entry }) => html`<a href=${href("alerts", [entry.rule.name, entry.severity])}>${entry.rule.name}</a>` },
      { title: "Severity", cell: (/** @type {Row} */ { entry }) => html`<span class="quiet">${entry.severity}</span>` },
      { title: "How near", cell: (/** @type {Row} */ { near }) => (near === undefined ? nothing : html`<span class="near"><i .style=${`width: ${(near * 100).toFixed(1)}%`}></i></span>`) },
      { title: "Now", cell: (/** @type {Row} */ { text, why }) => html`${text || html`<span class="faint">${why}</span>`}` },
    ];
    return html`<div class="scroll" tabindex="0" role="group" aria-label="Quiet rules, a table">${table({ label: "Quiet rules", columns, rows: all, key: ({ entry }) => entry.key })}</div>`;
  }
}

customElements.define("mesh-quiet", MeshQuiet);
