// Dashboards: those of Grafana, drawn from the same definitions.

import { paused, resource, visible } from "../lib/api.js";
import { stylesheet } from "../lib/assets.js";
import { duration, time } from "../lib/format.js";
import { clock, now, services } from "../lib/mesh.js";
import { labelValues } from "../lib/prometheus.js";
import { go, href, route, setParams } from "../lib/route.js";
import { computed, effect, html, nothing, repeat, signal } from "../lib/view.js";
import { icon } from "../parts/icon.js";
import { empty, failed, skeleton, stateOf } from "../parts/state.js";
import { markers } from "./dashboards/annotations.js";
import { allPanels, DASHBOARDS, LABEL_VALUES, load, sections } from "./dashboards/definition.js";
import { span } from "./dashboards/query.js";
import "./dashboards/panel.js";

/** @typedef {import("./dashboards/definition.js").Dashboard} Dashboard */
/** @typedef {import("./dashboards/definition.js").Panel} Panel */
/** @typedef {import("./dashboards/definition.js").Variable} Variable */

const RANGES = [5, 15, 30];
const STYLE = new URL("../style/dashboards.css", import.meta.url);

/** Seconds of `10s` or `1m`. @param {string} text */
const secondsOf = (text) => Number.parseInt(text, 10) * (text.endsWith("m") ? 60 : 1);

/** The names and values that a selector and a label ask for. @param {Dashboard} dashboard @param {AbortSignal} signal @returns {Promise<Record<string, string[]>>} */
async function choices({ templating }, signal) {
  const lists = await Promise.all(templating.list.map(async ({ name, query }) => {
    const [, match, label] = LABEL_VALUES.exec(query.query) ?? [];
    return [name, label ? await labelValues(label, { match, signal }) : []];
  }));
  return Object.fromEntries(lists);
}

/** A dashboard's state: what is shown, for which time, and what the panels share. @param {import("../vendor/signals-core/dist/signals-core.js").ReadonlySignal<string>} uid */
function board(uid) {
  const definition = resource((signal) => load(uid.value, signal));
  const shownOne = computed(() => (definition.data.value?.uid === uid.value ? definition.data.value : undefined));
  const options = resource((signal) => (shownOne.value ? choices(shownOne.value, signal) : Promise.resolve(/** @type {Record<string, string[]>} */ ({}))), { every: 60_000 });
  const refresh = signal(10);
  const tick = signal(0);
  // As it was when the page opened: charts do not jump to another range by themselves.
  const minutes = signal(0);
  const off = signal(/** @type {Set<string>} */ (new Set()));
  /** @type {import("../vendor/signals-core/dist/signals-core.js").Signal<import("./dashboards/ask.js").Asked | undefined>} */
  const asked = signal(undefined);
  const ends = [
    effect(() => {
      const seconds = refresh.value;
      if (!seconds || !visible.value || paused.value) return undefined;
      const timer = setInterval(() => (tick.value += 1), seconds * 1000);
      return () => clearInterval(timer);
    }),
    effect(() => {
      void tick.value;
      const { params } = route.value;
      const variables = shownOne.value?.templating.list ?? [];
      minutes.value ||= usual.value ?? 0;
      if (!shownOne.value || !minutes.value || (!clock.data.value && !clock.error.value)) return;
      asked.value = { span: spanOf(params, minutes.value), variables, values: chosen(variables, params) };
    }),
  ];
  const marks = resource(async (signal) => {
    const [dashboard, given, hidden] = [shownOne.value, asked.value, off.value];
    if (!dashboard || !given || uid.value === "mesh-runbooks") return [];
    return markers(dashboard.annotations.list.filter(({ builtIn, name, enable }) => !builtIn && enable !== hidden.has(name)), given, signal);
  });
  effect(() => void (off.value = shownOne.value ? new Set() : off.peek()));
  const stop = () => {
    for (const end of [...ends, definition.stop, options.stop, marks.stop]) end();
  };
  return { definition, dashboard: shownOne, options, refresh, tick, minutes, asked, marks, off, stop };
}

/** The minutes that are shown unless the address says otherwise: a mesh that has just started fills five. Undefined before the processes are known. */
const usual = computed(() => {
  const { data, error } = services;
  if (!data.value) return error.value ? 15 : undefined;
  const starts = data.value.items.flatMap((/** @type {any} */ { started_at: at }) => (at ? [Date.parse(at)] : []));
  return starts.length && now() - Math.min(...starts) < 360_000 ? 5 : 15;
});

/** @param {URLSearchParams} params @param {number} most minutes, if the address has none */
function spanOf(params, most) {
  const [from, to] = ["from", "to"].map((name) => Number(params.get(name)));
  if (from > 0 && to > from) return span(from, Math.min(to, from + 86_400));
  const minutes = Number(params.get("range")?.replace("m", ""));
  const end = now() / 1000;
  return span(end - (RANGES.includes(minutes) ? minutes : most) * 60, end);
}

/** The chosen values; the definition has a choice of its own where the address has none. @param {Variable[]} variables @param {URLSearchParams} params */
function chosen(variables, params) {
  return Object.fromEntries(variables.map(({ name, current }) => {
    const given = params.get(name)?.split(",").filter(Boolean) ?? [];
    const usual = [current?.value ?? []].flat().filter((value) => value !== "$__all");
    return [name, given.length ? given : usual];
  }));
}

export default function dashboards() {
  const styled = resource(() => stylesheet(STYLE));
  let shownLast = DASHBOARDS[0][0];
  const uid = computed(() => {
    const { page, path } = route.value;
    // When another page opens, the address is of that page before this one closes.
    if (page === "dashboards") shownLast = path[0] ?? DASHBOARDS[0][0];
    return shownLast;
  });
  const one = board(uid);
  const zoom = (/** @type {number} */ from, /** @type {number} */ to) => setParams({ from: Math.round(from), to: Math.round(to) }, { replace: false });
  const unzoom = () => setParams({ from: undefined, to: undefined }, { replace: false });
  const alone = (/** @type {Panel} */ panel) => {
    const { params } = route.peek();
    const id = String(panel.id);
    return href("dashboards", [uid.peek()], { ...Object.fromEntries(params), panel: params.get("panel") === id ? undefined : id });
  };
  const shared = { asked: one.asked, markers: computed(() => one.marks.data.value ?? []), lost: signal(0), group: "dashboard", zoom, unzoom, alone };

  // A line of panels is as high as its highest; charts have the height of the definition, tables at most that.
  const line = (/** @type {Panel[]} */ panels, section = "") => html`<div class="grid">${repeat(panels, ({ id }) => `${uid.value} ${id}`, (panel) => {
    const { x, w, h } = panel.gridPos;
    return html`<mesh-panel class=${panel.type} .given=${{ panel, board: shared, section }} .style=${`grid-column: ${x + 1} / span ${w}; --h: ${h}`}></mesh-panel>`;
  })}</div>`;
  const grid = (/** @type {Panel[]} */ panels, section = "") => [...new Set(panels.map(({ gridPos }) => gridPos.y))].map((top) => line(panels.filter(({ gridPos }) => gridPos.y === top), section));

  const panels = (/** @type {Dashboard} */ dashboard) => {
    const wanted = route.value.params.get("panel");
    const only = wanted && allPanels(dashboard).find(({ id }) => String(id) === wanted);
    if (only) return html`<p class="back"><a href=${alone(only)}>${icon("back", "small")} ${dashboard.title.replace("Mesh / ", "")}, all panels</a></p>${grid([{ ...only, gridPos: { x: 0, y: 0, w: 24, h: 14 } }])}`;
    return repeat(sections(dashboard), ({ title }) => `${uid.value} ${title}`, ({ title, isCollapsed, panels: found }) => html`<details class="section" ?open=${!isCollapsed}>
      <summary><h2>${title}</h2></summary>${found.length ? grid(found, title) : nothing}
    </details>`);
  };

  return {
    view: () => {
      if (!styled.at.value) return styled.error.value ? failed(styled.error.value) : skeleton(6);
      if (!DASHBOARDS.some(([name]) => name === uid.value)) return empty("No such dashboard", html`None is named <span class="mono">${uid.value.slice(0, 40)}</span>.`, html`<a class="button" href=${href("dashboards")}>Open the overview</a>`);
      return html`<div class="pad dashboards">${toolbar(uid.value, one, shared.lost.value > 0)}${shared.lost.value ? html`<div class="notice bad" role="status">${icon("warning", "small")} The gateway does not answer since ${time(shared.lost.value)}. What is grey is as it was then; it is asked again at each refresh.</div>` : nothing}
        ${one.dashboard.value ? html`<p class="quiet lead">${one.dashboard.value.description}</p>${panels(one.dashboard.value)}` : stateOf({ ...one.definition, data: /** @type {any} */ (one.dashboard) }, () => nothing, { lines: 8 })}
      </div>`;
    },
    keys: { r: /** @type {[string, () => void]} */ (["refresh the dashboard", () => (one.tick.value += 1)]) },
    close: () => {
      one.stop();
      styled.stop();
    },
  };
}

/** @param {string} uid @param {ReturnType<typeof board>} one @param {boolean} isLost the page says that the gateway is away */
function toolbar(uid, { dashboard, options, refresh, tick, minutes: most, asked, marks, off }, isLost) {
  const { params } = route.value;
  const kept = { range: params.get("range") ?? undefined, from: params.get("from") ?? undefined, to: params.get("to") ?? undefined };
  const isZoomed = Boolean(kept.from && kept.to);
  const minutes = Number(params.get("range")?.replace("m", "") ?? most.value);
  const isText = dashboard.value && allPanels(dashboard.value).every(({ type }) => type === "text");
  const given = asked.value;
  const toggle = (/** @type {string} */ name) => {
    const hidden = new Set(off.peek());
    if (!hidden.delete(name)) hidden.add(name);
    off.value = hidden;
  };
  return html`<nav class="tabs" aria-label="Dashboards">${DASHBOARDS.map(([name, title]) => html`<a href=${href("dashboards", [name], kept)} aria-current=${name === uid ? "page" : nothing}>${title}</a>`)}</nav>${isText ? nothing : html`<div class="row wrap tools">
      ${(dashboard.value?.templating.list ?? []).map((variable) => select(variable, options.data.value?.[variable.name] ?? [], given?.values[variable.name] ?? []))}
      ${(dashboard.value?.annotations.list ?? []).filter(({ builtIn }) => !builtIn).map(({ name, enable }) => html`<button class="chip" aria-pressed=${enable !== off.value.has(name)} @click=${() => toggle(name)}>${name}</button>`)}
      ${marks.error.value && !isLost ? html`<span class="warning">${icon("warning", "small")} ${marks.error.value.message}</span>` : nothing}
      <span class="space"></span>
      ${isZoomed && given ? html`<span class="quiet">${time(given.span.from * 1000)} to ${time(given.span.to * 1000)}, ${duration(given.span.to - given.span.from)}</span>` : nothing}
      <span class="segmented" role="group" aria-label="Time range">${RANGES.map((one) => html`<button aria-pressed=${!isZoomed && one === minutes} @click=${() => setParams({ range: `${one}m`, from: undefined, to: undefined })}>${one} min</button>`)}</span>
      <select class="input" aria-label="Refresh" @change=${(/** @type {Event} */ event) => (refresh.value = Number(/** @type {HTMLSelectElement} */ (event.target).value))}>
        <option value="0" ?selected=${refresh.value === 0}>no refresh</option>
        ${(dashboard.value?.timepicker?.refresh_intervals ?? ["10s"]).map((text) => html`<option value=${secondsOf(text)} ?selected=${refresh.value === secondsOf(text)}>every ${duration(secondsOf(text))}</option>`)}
      </select>
      <button class="button" aria-label="Refresh now" title="Refresh (r)" @click=${() => (tick.value += 1)}>${icon("refresh", "small")}</button>
    </div>`}`;
}

/** @param {Variable} variable @param {string[]} values @param {string[]} selected */
function select({ name, label, multi, includeAll }, values, selected) {
  if (!multi) {
    const known = values.length ? values : selected;
    return html`<label class="row quiet">${label ?? name} <select class="input" @change=${(/** @type {Event} */ event) => setParams({ [name]: /** @type {HTMLSelectElement} */ (event.target).value })}>
      ${known.map((value) => html`<option ?selected=${selected.includes(value)}>${value}</option>`)}</select></label>`;
  }
  const change = (/** @type {string} */ value) => setParams({ [name]: (selected.includes(value) ? selected.filter((one) => one !== value) : [...selected, value]).join(",") || undefined });
  return html`<details class="menu"><summary class="button">${label ?? name}: ${selected.length ? selected.join(", ") : "all"} ${icon("down", "small")}</summary>
    <div class="list" role="group" aria-label=${label ?? name}>
      ${includeAll ? html`<button aria-pressed=${!selected.length} @click=${() => go(href("dashboards", route.peek().path, without(name)), { replace: true })}>all</button>` : nothing}
      ${values.map((value) => html`<button aria-pressed=${selected.includes(value)} @click=${() => change(value)}>${selected.includes(value) ? icon("good", "small") : nothing} ${value}</button>`)}
    </div></details>`;
}

/** @param {string} name */
const without = (name) => Object.fromEntries([...route.peek().params].filter(([one]) => one !== name));
