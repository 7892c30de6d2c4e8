// The start page: the mesh as it is now, orders on their way, and a button to place one.

import { time } from "../lib/format.js";
import { go, href, route, setParams } from "../lib/route.js";
import { effect, html, nothing, ref, signal } from "../lib/view.js";
import { icon } from "../parts/icon.js";
import { failed, skeleton } from "../parts/state.js";
import { failures, isLoading, limits, mesh, placed, problems, traffic } from "./mesh/data.js";
import "./mesh/dots.js";
import { graph, shortName } from "./mesh/graph.js";
import { walk } from "./mesh/keys.js";
import { answer, menu, placeOne } from "./mesh/order.js";
import "./mesh/strip.js";
import { asTable } from "./mesh/table.js";

/** The graph shrinks to this beside a drawer, and is scrolled below it: names must stay legible. */
const SMALLEST = 0.75;
const LARGEST = 1.5;

/** So many sentences fit beside the button; the graph has all. */
const said = () => (selected() ? 1 : 2);

const size = signal({ width: 0, height: 0 });
const over = signal(/** @type {string | undefined} */ (undefined));
const observer = new ResizeObserver(([entry]) => {
  const { width, height } = entry.contentRect;
  if (Math.abs(width - size.peek().width) > 1 || Math.abs(height - size.peek().height) > 1) size.value = { width, height };
});

const narrow = matchMedia("(max-width: 700px)");
const isNarrow = signal(narrow.matches);
narrow.addEventListener("change", () => (isNarrow.value = narrow.matches));
const isTable = () => isNarrow.value || route.value.params.get("view") === "table";

/** The drawer is loaded when it is opened for the first time. */
const drawerState = signal(/** @type {"absent" | "loading" | "loaded" | Error} */ ("absent"));
function drawer() {
  const id = selected();
  if (!id) return nothing;
  const state = drawerState.value;
  if (state instanceof Error) return failed(state, html`<button class="button" @click=${() => location.reload()}>Load the page again</button>`);
  if (state === "loaded") return html`<mesh-node .node=${id} .open=${open}></mesh-node>`;
  if (state === "absent") {
    queueMicrotask(() => (drawerState.value = "loading"));
    import("./mesh/node.js").then(() => (drawerState.value = "loaded"), (error) => (drawerState.value = error));
  }
  return skeleton(8);
}

const selected = () => route.value.params.get("node") ?? undefined;
const open = (/** @type {string | undefined} */ node) => setParams({ node: node === selected() ? undefined : node });

/** One line: what is wrong, or that nothing is. */
function verdict() {
  const all = problems.value;
  if (!all.length) return html`<p class="verdict quiet">${failures.value.length || !mesh.value.nodes.size ? "" : html`Nothing needs attention. ${limits.value}`}</p>`;
  return html`<p class="verdict" role="status">
    ${all.slice(0, said()).map(({ id, name, level, text }) => html`<button class="badge ${level}" title=${text} @click=${() => (id ? open(id) : go(href("alerts")))}>${icon(level, "small")} <b>${shortName(name)}</b> <span class="cut">${text}</span></button>`)}
    ${all.length > said() ? html`<span class="quiet more">and ${all.length - said()} more</span>` : nothing}
  </p>`;
}

const views = () => isNarrow.value ? nothing : html`<span class="segmented">
  ${[["Graph", undefined], ["Table", "table"]].map(([word, name]) => html`<button aria-pressed=${(name === "table") === isTable()} @click=${() => setParams({ view: name })}>${word}</button>`)}
</span>`;

/** What could not be asked; the graph stays, greyed, with its age. */
function missing() {
  const all = failures.value;
  if (!all.length || instead()) return nothing;
  const oldest = Math.min(...all.map(({ at }) => at || Date.now()));
  return html`<div class="notice mesh-missing" role="status">${icon("warning", "small")} No news of ${all.map(({ part }) => part).join(", ")} since ${time(oldest)}: ${all[0].error.message}</div>`;
}

/** What is drawn in place of the graph; nothing if there is a graph. */
function instead() {
  if (isLoading.value) return skeleton(8);
  const all = failures.value;
  return mesh.value.nodes.size < 2 && all.length ? failed(all[0].error, html`<p class="quiet">The page asks again every two seconds.</p>`) : undefined;
}

function canvas() {
  const layout = placed.value;
  const { width, height } = size.value;
  if (!width) return nothing;
  const scale = Math.min(LARGEST, Math.max(SMALLEST, Math.min(width / layout.width, height / layout.height) || SMALLEST));
  const onKey = (/** @type {KeyboardEvent} */ event) => walk(event, mesh.peek(), layout, open);
  const dots = html`<mesh-dots .traffic=${{ placed: layout, scale, edges: traffic.value }}></mesh-dots>`;
  return html`<div class="stage">
    ${graph({ mesh: mesh.value, placed: layout, selected: selected(), over: over.value, scale, dots, open, hover: (id) => (over.value = id), onKey })}
  </div>
  <div class="hidden-visually">${asTable({ mesh: mesh.value })}</div>`;
}

const content = () => instead() ?? (isTable() ? html`<div class="mesh-table">${asTable({ mesh: mesh.value, selected: selected(), open })}</div>` : canvas());

/** @param {Element | undefined} element */
const measure = (element) => {
  observer.disconnect();
  if (element) observer.observe(element);
};

const view = () => html`<div class=${selected() ? "mesh with-node" : "mesh"}>
  <div class="mesh-head">${verdict()}${answer()}${views()}${menu()}</div>
  <div class="mesh-graph ${failures.value.length ? "stale" : ""}" ${ref(measure)}>${content()}</div>
  ${missing()}
  <mesh-strip role="region" aria-label="Latest orders"></mesh-strip>
  ${drawer()}
</div>`;

/** The graph may be wider than its place: what was opened is in sight. */
const showSelected = () => effect(() => {
  const id = size.value.width && selected();
  if (id) requestAnimationFrame(() => document.querySelector(`[data-node="${CSS.escape(id)}"]`)?.scrollIntoView({ block: "nearest", inline: "center" }));
});

export default () => {
  const stop = showSelected();
  return {
    view,
    keys: { o: ["place an order", placeOne], Escape: ["close the drawer", () => selected() && open(undefined)] },
    close: () => {
      stop();
      observer.disconnect();
    },
  };
};
