// The objectives: what was promised, what is left of each budget, how fast it is used.

import { duration, number, percent } from "../../lib/format.js";
import { html, nothing } from "../../lib/view.js";
import { icon } from "../../parts/icon.js";
import { table } from "../../parts/table.js";

/** A budget that lasts for its period burns at 1; above this it is gone within two days, and somebody is woken. */
const PAGES = 14.4;

/** @param {number | undefined} burn */
function burning(burn) {
  const state = burn === undefined ? "" : burn > PAGES ? "bad" : burn > 1 ? "warning" : "";
  return html`${state ? html`<span class="badge ${state}">${icon(/** @type {"bad" | "warning"} */ (state), "small")}${number(burn)} ×</span>` : html`${number(burn)}${burn === undefined ? nothing : " ×"}`}`;
}

/** @param {number | undefined} left the share that is left; less than nothing once more is spent */
function budget(left) {
  if (left === undefined) return html`<span class="faint">unknown yet</span>`;
  const share = Math.min(Math.max(left, 0), 1);
  const state = share === 0 ? "bad" : share < 0.25 ? "warning" : "";
  return html`<span class="budget"><span class="track"><i class=${state} .style=${`width: ${(share * 100).toFixed(1)}%`}></i></span><b class=${state}>${left <= 0 ? html`${icon("bad", "small")} spent` : percent(share)}</b></span>`;
}

/** @param {import("./data.js").Objective[]} objectives */
export function objectivesOf(objectives) {
  const window = objectives.find(({ window }) => window)?.window;
  const columns = [
    { title: "Objective", cell: (/** @type {import("./data.js").Objective} */ one) => html`<b>${one.slo}</b>` },
    { title: "Promised", class: "promise", cell: (/** @type {import("./data.js").Objective} */ one) => html`<span title=${one.promise}>${one.promise || "–"}</span>` },
    { title: "Target", number: true, cell: (/** @type {import("./data.js").Objective} */ one) => percent(one.objective) },
    { title: "Budget left", cell: (/** @type {import("./data.js").Objective} */ one) => budget(one.left) },
    { title: "Burn rate, 5 min", number: true, cell: (/** @type {import("./data.js").Objective} */ one) => burning(one.burn5m) },
    { title: "Burn rate, 1 h", number: true, cell: (/** @type {import("./data.js").Objective} */ one) => burning(one.burn1h) },
  ];
  return html`<section class="panel" aria-label="Objectives"><header><h2>Objectives</h2><span class="space"></span>
      ${window ? html`<span class="faint" title="The budget is that of 30 days; what came before is not known here.">counted over ${duration(window)}</span>` : nothing}</header>
    <div class="scroll" tabindex="0" role="group" aria-label="Objectives, a table">${table({ label: "Objectives", columns, rows: objectives, key: ({ slo }) => slo })}</div></section>`;
}
