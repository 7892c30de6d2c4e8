// Alerts: the objectives, what fires, and how far the rest is from it.

import { stylesheet } from "../lib/assets.js";
import { resource } from "../lib/api.js";
import { age, utc } from "../lib/format.js";
import { alerts, now } from "../lib/mesh.js";
import { go, href, route } from "../lib/route.js";
import { computed, html, nothing, repeat, signal } from "../lib/view.js";
import { icon } from "../parts/icon.js";
import { empty, failed, skeleton, stateOf } from "../parts/state.js";
import { data, objectives } from "./alerts/data.js";
import "./alerts/detail.js";
import { objectivesOf } from "./alerts/objectives.js";
import "./alerts/quiet.js";

/** @typedef {import("./alerts/data.js").Entry} Entry */

const STYLES = [new URL("../style/dashboards.css", import.meta.url), new URL("../style/alerts.css", import.meta.url)];

/** @param {Entry} entry */
const stateClass = ({ state, severity }) => (state === "inactive" ? "" : severity === "page" && state === "firing" ? "bad" : "warning");

/** @param {Entry} entry */
function sentence({ found, rule }) {
  if (!found.length) return html`<span class="quiet">${rule.annotations.summary?.replace(/\{\{.*?\}\}/g, "…") ?? "quiet"}</span>`;
  const [first] = found;
  return html`${first.annotations.summary}${found.length > 1 ? html` <span class="faint">and ${found.length - 1} more</span>` : nothing}`;
}

/** @typedef {ReturnType<typeof state>} State */

/** What the page shows, and which alert is open. */
function state() {
  const known = data();
  const inState = (/** @type {(one: string) => boolean} */ wanted) => computed(() => known.entries.value.filter(({ state, severity }) => wanted(state) && severity !== "none"));
  const name = computed(() => route.value.path[0]);
  const open = computed(() => {
    const [, severity] = route.value.path;
    return known.entries.value.find((entry) => entry.rule.name === name.value && (!severity || entry.severity === severity))?.key;
  });
  return { ...known, name, open, isQuietOpen: signal(false), active: inState((one) => one !== "inactive"), quiet: inState((one) => one === "inactive") };
}

/** @param {Entry} entry @param {State} given */
function row(entry, { open, entries, silences }) {
  const { rule, severity, state, since, key } = entry;
  const isOpen = key === open.value;
  const look = stateClass(entry);
  const find = () => entries.value.find((one) => one.key === key);
  return html`<article class="incident panel" data-look=${look} aria-label=${rule.name}>
    <a class="head" href=${href("alerts", isOpen ? [] : [rule.name, severity])} aria-expanded=${isOpen} role="button">
      ${look ? icon(/** @type {"bad" | "warning"} */ (look)) : icon("good")}
      <b class="name">${rule.name}</b><span class="badge ${look}">${state === "inactive" ? "quiet" : state}, ${severity}</span>
      <span class="sentence">${sentence(entry)}</span>
      ${state === "inactive" ? nothing : html`<time class="since" title=${utc(since)}>${age((now() - since) / 1000)}</time>`}
      ${icon(isOpen ? "up" : "down", "small")}
    </a>
    ${isOpen ? html`<mesh-alert .given=${{ entry: find, silences: () => silences.data.value ?? [] }}></mesh-alert>` : nothing}
  </article>`;
}

/** @param {State} given */
function list(given) {
  const { active, quiet, entries, name, open, isQuietOpen } = given;
  const chosen = quiet.value.filter(({ key }) => key === open.value);
  const watchdog = entries.value.find(({ rule }) => rule.name === "Watchdog");
  return html`${name.value && !open.value ? empty("No such alert", html`No rule is named <span class="mono">${name.value.slice(0, 60)}</span>.`, html`<a class="button" href=${href("alerts")}>Show all alerts</a>`) : nothing}
    ${active.value.length ? repeat(active.value, ({ key }) => key, (entry) => row(entry, given)) : calm(entries.value.length)}
    ${repeat(chosen, ({ key }) => key, (entry) => row(entry, given))}
    <details class="quiets" ?open=${isQuietOpen.value} @toggle=${(/** @type {Event} */ event) => (isQuietOpen.value = /** @type {HTMLDetailsElement} */ (event.target).open)}>
      <summary><h2>${quiet.value.length} quiet ${quiet.value.length === 1 ? "rule" : "rules"}</h2></summary>
      ${isQuietOpen.value ? html`<div class="panel"><mesh-quiet .given=${{ entries: () => quiet.peek() }}></mesh-quiet></div>` : nothing}
    </details>
    ${watchdog ? html`<p class="faint">${watchdog.state === "firing" ? "Watchdog fires, as it always must: the rules are evaluated." : html`<span class="bad">${icon("bad", "small")} Watchdog does not fire: the rules are not evaluated, and what is above may be wrong.</span>`}</p>` : nothing}`;
}

const untaught = () => html`<p class="notice">${icon("warning", "small")} The recording rules of the objectives have no values yet; they come within a minute after the start.</p>`;

export default function page() {
  const styled = resource(() => Promise.all(STYLES.map(stylesheet)));
  const given = state();
  const { active, name } = given;
  return {
    view: () => {
      if (!styled.at.value) return styled.error.value ? failed(styled.error.value) : skeleton(6);
      const firing = active.value.filter(({ state }) => state === "firing");
      const count = firing.reduce((all, { found }) => all + found.filter(({ state }) => state === "firing").length, 0);
      return html`<div class="pad alerts">
        ${stateOf(given.samples, (samples) => objectivesOf(objectives(samples, given.rules.data.value ?? [])), { lines: 5, isEmpty: (samples) => !samples.length, teach: untaught })}
        <h2>${count ? html`${count} firing${count > firing.length ? html`<span class="quiet">, of ${firing.length} rules</span>` : nothing}` : "Alerts"}</h2>
        ${stateOf(given.rules, () => stateOf(alerts, () => list(given)))}
      </div>`;
    },
    keys: {
      j: /** @type {[string, () => void]} */ (["next alert", () => step(given, 1)]),
      k: /** @type {[string, () => void]} */ (["previous alert", () => step(given, -1)]),
      Escape: /** @type {[string, () => void]} */ (["close the alert", () => name.peek() && go(href("alerts"))]),
    },
    close: () => {
      given.close();
      styled.stop();
    },
  };
}

/** @param {State} given @param {number} by */
function step({ active, open }, by) {
  const entries = active.peek();
  if (!entries.length) return;
  const at = entries.findIndex(({ key }) => key === open.peek());
  const { rule, severity } = entries[at < 0 ? 0 : Math.max(0, Math.min(entries.length - 1, at + by))];
  go(href("alerts", [rule.name, severity]), { replace: true });
}

/** @param {number} rules */
const calm = (rules) => html`<div class="panel calm">${icon("good")} <div><b>Nothing fires.</b>
  <p class="quiet">${rules} rules are evaluated. To see one fire, stop a service: <code>kill -9</code> its process three times (<code>cargo mesh status</code> names it), or follow “Try it” of any runbook.</p></div></div>`;
