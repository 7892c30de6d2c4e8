// Flows: sends orders, and shows each on its way.

import { send } from "../lib/api.js";
import { state as live } from "../lib/live.js";
import { go, href, route, setParams } from "../lib/route.js";
import { computed, html, nothing, signal } from "../lib/view.js";
import { empty, failed, skeleton } from "../parts/state.js";
import { orderForm } from "./flows/form.js";
import { passes, placedAt } from "./flows/model.js";
import { overview } from "./flows/overview.js";
import { liveRows } from "./flows/rows.js";
import { flowTable } from "./flows/table.js";

/** As many rows as are drawn, unless the user asks for all. */
const SHOWN = 100;

const filters = computed(() => {
  const { params } = route.value;
  const bar = params.get("duration");
  return { group: params.get("state") ?? undefined, bar: bar === null ? undefined : Number(bar), text: params.get("q")?.trim() || undefined };
});

const clearFilters = () => setParams({ state: undefined, duration: undefined, q: undefined });

export default function open() {
  const { rows, tick, list, close } = liveRows();
  const form = orderForm();
  const everything = signal(false);
  const notice = signal(/** @type {string | undefined} */ (undefined));
  const found = computed(() =>
    [...rows.value.values()].filter((row) => passes(row, filters.value)).sort((one, other) => placedAt(other) - placedAt(one)),
  );
  /** @param {import("./flows/model.js").Row} row */
  const cancel = (row) =>
    void send(`/api/orders/${row.id}/cancel`).then(
      () => (notice.value = undefined),
      (error) => (notice.value = `The order ${row.id} was not cancelled: ${error.message}`),
    );

  const orders = () => {
    const shown = everything.value ? found.value : found.value.slice(0, SHOWN);
    return html`${overview({ rows: rows.value, filters: filters.value })}
      ${shown.length
        ? flowTable({ rows: shown, now: tick.value, open: (row) => row.trace && go(href("traces", [row.trace])), cancel })
        : empty("No order matches", "The filters leave none of the orders that are kept here.", html`<button class="button" @click=${clearFilters}>Clear the filters</button>`)}
      ${found.value.length > shown.length ? html`<button class="button plain" @click=${() => (everything.value = true)}>Show all ${found.value.length}</button>` : nothing}`;
  };
  const none = () => {
    if (list.error.value) return failed(list.error.value);
    if (!list.data.value) return skeleton(8);
    return empty("No orders yet", "Each order appears here the moment it is placed, and moves through its stages: placed, paid, dispatched, completed.", html`<button class="button primary" @click=${form.placeOne}>Place an order</button>`);
  };
  return {
    view: () => html`<div class="flows">
      <section class="panel send" aria-label="Send orders">${form.view()}</section>
      <section class="orders ${live.value.kind === "waiting" ? "stale" : ""}" aria-label="Orders">
        ${notice.value ? html`<div class="notice bad" role="alert">${notice.value}</div>` : nothing}
        ${list.error.value && rows.value.size ? html`<div class="notice" role="status">The list of orders is out of date: ${list.error.value.message}</div>` : nothing}
        ${rows.value.size ? orders() : none()}
      </section>
    </div>`,
    keys: {
      o: /** @type {[string, () => void]} */ (["place an order", form.placeOne]),
      "/": /** @type {[string, () => void]} */ (["search orders", () => document.getElementById("flows-search")?.focus()]),
    },
    close: () => {
      close();
      form.close();
    },
  };
}
