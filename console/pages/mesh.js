// The start page: the mesh as it is now, orders on their way, and a button to place one.

import { age } from "../lib/format.js";
import { route, setParams } from "../lib/route.js";
import { html, nothing, ref, signal } from "../lib/view.js";
import { icon } from "../parts/icon.js";
import { failed, skeleton } from "../parts/state.js";
import { failures, isLoading, mesh, placed, problems } from "./mesh/data.js";
import { graph } from "./mesh/graph.js";
import { walk } from "./mesh/keys.js";
import { menu, placeOne } from "./mesh/order.js";

/** The graph shrinks to this, and is scrolled below it: text must stay legible. */
const SMALLEST = 0.8;
const LARGEST = 1.3;

const size = signal({ width: 0, height: 0 });
const over = signal(/** @type {string | undefined} */ (undefined));
const observer = new ResizeObserver(([entry]) => {
  const { width, height } = entry.contentRect;
  if (Math.abs(width - size.peek().width) > 1 || Math.abs(height - size.peek().height) > 1) size.value = { width, height };
});

const selected = () => route.value.params.get("node") ?? undefined;
const open = (/** @type {string | undefined} */ node) => setParams({ node: node === selected() ? undefined : node });

/** One line: what is wrong, or that nothing is. */
function verdict() {
  const all = problems.value;
  if (!all.length) return html`<p class="verdict quiet">${mesh.value.nodes.size ? "Nothing needs attention." : ""}</p>`;
  return html`<p class="verdict" role="status">
    ${all.slice(0, 3).map(({ id, name, level, text }) => html`<button class="badge ${level}" @click=${() => open(id)}>${icon(level, "small")} <b>${name}</b> ${text}</button>`)}
    ${all.length > 3 ? html`<span class="quiet">and ${all.length - 3} more</span>` : nothing}
  </p>`;
}

/** What could not be asked; the graph stays, with what is known. */
const missing = () =>
  failures.value.map(({ part, error, at }) => html`<div class="notice" role="status">${icon("warning", "small")} No news of ${part}: ${error.message}${at ? ` · shown as it was ${age((Date.now() - at) / 1000)} ago` : ""}</div>`);

function canvas() {
  if (isLoading.value) return skeleton(8);
  const all = failures.value;
  if (mesh.value.nodes.size < 2 && all.length) return failed(all[0].error);
  const layout = placed.value;
  const scale = Math.min(LARGEST, Math.max(SMALLEST, Math.min(size.value.width / layout.width, size.value.height / layout.height) || SMALLEST));
  const onKey = (/** @type {KeyboardEvent} */ event) => walk(event, mesh.peek(), layout, open);
  return graph({ mesh: mesh.value, placed: layout, selected: selected(), over: over.value, scale, open, hover: (id) => (over.value = id), onKey });
}

/** @param {Element | undefined} element */
const measure = (element) => {
  observer.disconnect();
  if (element) observer.observe(element);
};

const view = () => html`<div class="mesh">
  <div class="mesh-head">${verdict()}${menu()}</div>
  ${missing()}
  <div class="mesh-graph" ${ref(measure)}>${canvas()}</div>
</div>`;

export default () => ({
  view,
  keys: { o: ["place an order", placeOne], Escape: ["close the drawer", () => (selected() ? open(undefined) : undefined)] },
  close: () => observer.disconnect(),
});
