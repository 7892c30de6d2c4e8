// The frame around the pages: navigation, the line at the top, keys, and which page is open.

import { paused, visible } from "./lib/api.js";
import { duration, number } from "./lib/format.js";
import { all, bind } from "./lib/keys.js";
import { measure } from "./lib/clock.js";
import { clock, state as live } from "./lib/live.js";
import { about, alerts, firing, services, vitals } from "./lib/mesh.js";
import { expected } from "./lib/replicas.js";
import { counts } from "./lib/otlp.js";
import { report } from "./lib/page-events.js";
import { go, href, route } from "./lib/route.js";
import { effect, html, mount, nothing, signal } from "./lib/view.js";
import { icon } from "./parts/icon.js";
import { failed, skeleton } from "./parts/state.js";

/**
 * A page, as its module exports it by default: called when it opens.
 * @typedef {() => { view: () => unknown, keys?: import("./lib/keys.js").Bindings, close?: () => void }} Page
 */

/** @type {[page: string, title: string, icon: Parameters<typeof icon>[0], key: string][]} */
const PAGES = [
  ["mesh", "Mesh", "mesh", "m"],
  ["flows", "Flows", "flows", "f"],
  ["traces", "Traces", "traces", "t"],
  ["dashboards", "Dashboards", "dashboards", "d"],
  ["alerts", "Alerts", "alerts", "a"],
  ["events", "Events", "events", "e"],
  ["services", "Services", "services", "s"],
];

/** A ticket can wait, a page cannot. */
const alertLevel = () => (firing.value.some(({ labels }) => labels.severity === "page") ? "bad" : firing.value.length ? "warning" : "");

/** The page that is open. */
const open = signal(/** @type {{ view: () => unknown }} */ ({ view: () => skeleton(6) }));
let close = () => {};

/** @param {string} page */
async function show(page) {
  close();
  close = () => {};
  const title = PAGES.find(([name]) => name === page)?.[1];
  document.title = title ? `${title} · glassmesh` : "glassmesh";
  if (!title) {
    open.value = { view: () => failed(new Error(`There is no page “${page.slice(0, 40)}”.`), html`<a href=${href("mesh")}>Open the mesh</a>`) };
    return;
  }
  open.value = { view: () => skeleton(6) };
  try {
    const module = await import(`./pages/${page}.js`);
    if (route.peek().page !== page) return;
    const opened = /** @type {Page} */ (module.default)();
    const unbind = opened.keys ? bind(opened.keys) : () => {};
    close = () => {
      unbind();
      opened.close?.();
    };
    open.value = opened;
  } catch (error) {
    console.error(error);
    open.value = { view: () => failed(new Error("The page could not be loaded; the gateway may have restarted with another version."), html`<button class="button" @click=${() => location.reload()}>Load again</button>`) };
  }
}

function rail() {
  const { page } = route.value;
  const count = firing.value.length;
  return html`<nav class="rail" aria-label="Pages">
    ${PAGES.map(([name, title, symbol]) => html`<a href=${href(name)} aria-current=${name === page ? "page" : nothing}>
      ${icon(symbol)}<span>${title}</span>${name === "alerts" && count ? html`<span class="count badge ${alertLevel()}">${count}</span>` : nothing}
    </a>`)}
  </nav>`;
}

function liveness() {
  const state = live.value;
  if (paused.value) return html`<span class="fact">paused</span>`;
  if (state.kind === "idle") return nothing;
  if (state.kind === "live") return html`<span class="fact"><span class="dot"></span> live</span>`;
  if (state.kind === "connecting") return html`<span class="fact">connecting</span>`;
  return html`<span class="fact bad" role="status" title=${state.reason ?? ""}>reconnecting${state.retryAt ? ` at ${new Date(state.retryAt).toLocaleTimeString("en-GB")}` : ""}</span>`;
}

function readiness() {
  const known = services.data.value && expected(services.data.value.items);
  if (!known) return services.error.value ? html`<span class="fact warning" title=${services.error.value.message}>services unknown</span>` : nothing;
  const up = known.filter((/** @type {any} */ one) => one.up && one.ready !== false).length;
  return html`<a class="fact ${up < known.length ? "bad" : ""} ${services.error.value ? "stale" : ""}" href=${href("services")}><b>${up} of ${known.length}</b> ready</a>`;
}

function bar() {
  const title = PAGES.find(([name]) => name === route.value.page)?.[1] ?? "glassmesh";
  const numbers = vitals.data.value;
  const old = vitals.error.value ? "stale" : "";
  const count = firing.value.length;
  return html`<header class="bar">
    <h1>${title}</h1>
    ${liveness()} ${readiness()}
    ${numbers
      ? html`<span class="fact ${old}"><b>${number(numbers.orders)}</b> orders/s</span>
          ${numbers.p99 ? html`<span class="fact tail ${old}">p99 <b>${duration(numbers.p99)}</b></span>` : nothing}`
      : nothing}
    ${alerts.data.value ? html`<a class="fact ${alertLevel()}" href=${href("alerts")}><b>${count}</b> ${count === 1 ? "alert" : "alerts"}</a>` : nothing}
    <span class="space"></span>
    <button class="button plain" aria-pressed=${paused.value} aria-label=${paused.value ? "Continue updates" : "Pause updates"} title="Pause (p)" @click=${pause}>${icon(paused.value ? "play" : "pause", "small")}</button>
    <button class="button plain" aria-label="Change the theme" title="Theme" @click=${changeTheme}>${icon("theme", "small")}</button>
    <details class="menu" @focusout=${closeMenu}>
      <summary class="button plain" aria-label="Links">${icon("links", "small")}</summary>
      <div class="list links">${links()}</div>
    </details>
    <button class="button plain" aria-label="Keys" title="Keys (?)" @click=${help}>${icon("help", "small")}</button>
  </header>`;
}

/** @param {FocusEvent} event */
function closeMenu(event) {
  const menu = /** @type {HTMLDetailsElement} */ (event.currentTarget);
  if (!(event.relatedTarget instanceof Node && menu.contains(event.relatedTarget))) menu.open = false;
}

function links() {
  const doors = about.data.value?.doors ?? [];
  const own = [
    { path: "/docs", purpose: "the API, to try" },
    { path: "/openapi.json", purpose: "the API for programs", plain: true },
    { path: "/asyncapi.json", purpose: "the live messages", plain: true },
  ];
  return [...doors, ...own].map((door) => html`<a href=${"plain" in door ? door.path : `${door.path}/`} target="_blank" rel="noopener"><span class="mono">${door.path}</span> <span class="faint">${door.purpose}</span></a>`);
}

function pause() {
  paused.value = !paused.peek();
}

function changeTheme() {
  const isDark = document.documentElement.dataset.theme ? document.documentElement.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  setTheme(isDark ? "light" : "dark");
}

/** A theme that the user has chosen, for this browser. @param {string | null} theme */
function setTheme(theme) {
  if (theme !== "light" && theme !== "dark") return;
  document.documentElement.dataset.theme = theme;
  localStorage.setItem("theme", theme);
  window.dispatchEvent(new Event("themechange"));
}

/** What became of the spans and events of this page, when the dialog was opened. */
const telemetry = signal({ ...counts });

function help() {
  telemetry.value = { ...counts };
  const dialog = /** @type {HTMLDialogElement} */ (document.getElementById("keys"));
  dialog.showModal();
}

const keysDialog = () => html`<dialog class="dialog" id="keys" aria-label="Keys">
  <h2>Keys</h2>
  <dl class="keys">${[...new Map([["j k", "next and previous row"], ["Enter", "open"], ["Escape", "back"], ...all()])].map(([keys, what]) => html`<div><dt><kbd>${keys}</kbd></dt><dd>${what}</dd></div>`)}</dl>
  <p class="faint">${telemetryLine(telemetry.value)}</p>
  <form method="dialog"><button class="button">Close</button></form>
</dialog>`;

/** @param {typeof counts} counts */
const telemetryLine = ({ sent, dropped, skipped, reason }) =>
  `This page has sent ${sent} spans and events to the gateway, and dropped ${dropped}${reason ? ` (${reason})` : ""}; it left out ${skipped} updates of orders that others placed.`;

const frame = () => html`<div class="frame">
  ${rail()} ${bar()}
  <main class="page" id="page" tabindex="-1">${open.value.view()}</main>
</div>${keysDialog()}`;

setTheme(localStorage.getItem("theme"));
bind({
  ...Object.fromEntries(PAGES.map(([page, title, , key]) => [`g ${key}`, [`open ${title}`, () => go(href(page))]])),
  "?": ["show the keys", help],
  p: ["pause updates", pause],
});
let shown = "";
effect(() => {
  const { page } = route.value;
  if (page === shown) return;
  shown = page;
  queueMicrotask(() => show(page));
});
window.addEventListener("popstate", () => window.dispatchEvent(new HashChangeEvent("hashchange")));
effect(() => void document.documentElement.classList.toggle("hidden", !visible.value));
effect(() => {
  const { ahead, roundTrip } = clock.value;
  if (roundTrip !== undefined) measure(ahead, roundTrip);
});
const app = /** @type {HTMLElement} */ (document.getElementById("app"));
app.replaceChildren();
mount(app, frame);
report();
