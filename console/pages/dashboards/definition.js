// The dashboards of Grafana, which the gateway serves beside the console's files, and what of them this page can draw.

import { get } from "../../lib/api.js";
import { knows } from "../../lib/units.js";

/** In the order in which they are read; a unit test compares it with `grafana/dashboards`. */
export const DASHBOARDS = /** @type {[uid: string, title: string][]} */ ([
  ["mesh-overview", "Overview"],
  ["mesh-service", "Service"],
  ["mesh-flows", "Flows"],
  ["mesh-events", "Events"],
  ["mesh-runtime", "Runtime"],
  ["mesh-telemetry", "Telemetry"],
  ["mesh-runbooks", "Runbooks"],
]);

/**
 * @typedef {{ refId: string, expr: string, legendFormat?: string, instant?: boolean, range?: boolean, exemplar?: boolean, format?: string, queryType?: string,
 *   service?: string, operation?: string, minDuration?: string, limit?: number, datasource?: { type: string } }} Target
 * @typedef {{ mode: string, steps: { color: string, value: number | null }[] }} Thresholds
 * @typedef {{ type: string, options: Record<string, { color?: string, text: string }> }} Mapping
 * @typedef {{ title: string, url: string }} Link
 * @typedef {{ unit?: string, decimals?: number, min?: number, max?: number, noValue?: string, color?: { mode: string, fixedColor?: string }, thresholds?: Thresholds,
 *   mappings?: Mapping[], links?: Link[], displayName?: string, custom?: Record<string, any> }} Field
 * @typedef {{ matcher: { id: string, options: string }, properties: { id: string, value: any }[] }} Override
 * @typedef {{ id: string, options: any }} Transformation
 * @typedef {{ id: number, type: string, title: string, description?: string, gridPos: { x: number, y: number, w: number, h: number }, targets?: Target[], collapsed?: boolean,
 *   panels?: Panel[], options: any, fieldConfig?: { defaults: Field, overrides: Override[] }, transformations?: Transformation[] }} Panel
 * @typedef {{ name: string, label?: string, type: string, multi?: boolean, includeAll?: boolean, allValue?: string, current?: { value: string | string[] }, query: { query: string } }} Variable
 * @typedef {{ name: string, type?: string, enable: boolean, expr: string, iconColor: string, titleFormat: string, useValueForTime?: boolean, builtIn?: number }} Annotation
 * @typedef {{ uid: string, title: string, description?: string, panels: Panel[], templating: { list: Variable[] }, annotations: { list: Annotation[] },
 *   refresh?: string, timepicker?: { refresh_intervals: string[] } }} Dashboard
 * @typedef {{ title: string, isCollapsed: boolean, panels: Panel[] }} Section
 */

/** @param {string} uid @param {AbortSignal} [signal] @returns {Promise<Dashboard>} */
export const load = (uid, signal) => get(new URL(`../../dashboards/${uid}.json`, import.meta.url).pathname, { signal });

/** The rows of a dashboard with their panels. @param {Dashboard} dashboard */
export function sections({ panels }) {
  /** @type {Section[]} */
  const found = [];
  for (const panel of panels) {
    if (panel.type === "row") found.push({ title: panel.title, isCollapsed: Boolean(panel.collapsed), panels: [...(panel.panels ?? [])] });
    else if (found.length) found[found.length - 1].panels.push(panel);
    else found.push({ title: "", isCollapsed: false, panels: [panel] });
  }
  return found;
}

/** All panels, those of collapsed rows, too. @param {Dashboard} dashboard */
export const allPanels = (dashboard) => sections(dashboard).flatMap((section) => section.panels);

export const TYPES = ["timeseries", "stat", "table", "state-timeline", "heatmap", "bargauge", "logs", "nodeGraph", "text"];
const TRANSFORMATIONS = ["merge", "organize"];
const MATCHERS = ["byName", "byRegexp"];
const PROPERTIES = ["displayName", "unit", "decimals", "color", "thresholds", "mappings", "links", "noValue", "min", "max", "custom.width", "custom.hideFrom.viz", "custom.cellOptions"];
const MACROS = /\$__(?!(?:rate_interval|interval|range|all|url_time_range)\b)\w+|\$\{__(?!data\.fields\.|field\.labels\.|url_time_range)[^}]*\}/g;

/** What a target asks that this page cannot. @param {Target} target */
function strangeTarget({ datasource, queryType, format = "time_series", expr = "" }) {
  const type = datasource?.type ?? "prometheus";
  const isKnown =
    type === "prometheus" ? ["time_series", "table", "heatmap"].includes(format) : type === "jaeger" ? ["search", "dependencyGraph"].includes(queryType ?? "") : type === "loki" && queryType === "range";
  return [...(isKnown ? [] : [`a target of ${type} with ${queryType ?? format}`]), ...[...expr.matchAll(MACROS)].map(([macro]) => `the macro ${macro}`)];
}

/** @param {Panel} panel */
function strangePanel(panel) {
  const { defaults = {}, overrides = [] } = panel.fieldConfig ?? {};
  const properties = overrides.flatMap((override) => override.properties);
  const units = [defaults.unit, ...properties.filter(({ id }) => id === "unit").map(({ value }) => value)].filter((unit) => unit !== undefined);
  const links = JSON.stringify([defaults.links ?? [], properties.filter(({ id }) => id === "links")]);
  return [
    ...(TYPES.includes(panel.type) ? [] : [`the type ${panel.type}`]),
    ...units.filter((unit) => !knows(unit)).map((unit) => `the unit ${unit}`),
    ...(panel.targets ?? []).flatMap(strangeTarget),
    ...(panel.transformations ?? []).filter(({ id }) => !TRANSFORMATIONS.includes(id)).map(({ id }) => `the transformation ${id}`),
    ...overrides.filter(({ matcher }) => !MATCHERS.includes(matcher.id)).map(({ matcher }) => `the matcher ${matcher.id}`),
    ...properties.filter(({ id }) => !PROPERTIES.includes(id)).map(({ id }) => `the override of ${id}`),
    ...[...(defaults.mappings ?? []), ...properties.filter(({ id }) => id === "mappings").flatMap(({ value }) => value)].filter(({ type }) => type !== "value").map(({ type }) => `a mapping by ${type}`),
    ...[...links.matchAll(MACROS)].map(([macro]) => `the macro ${macro}`),
    ...(panel.options?.reduceOptions?.calcs ?? []).filter((/** @type {string} */ calc) => calc !== "lastNotNull").map((/** @type {string} */ calc) => `the reduction ${calc}`),
  ];
}

/** What this page does not know of a dashboard: types, units, targets, transformations, variables. @param {Dashboard} dashboard @returns {string[]} */
export function strange(dashboard) {
  const panels = allPanels(dashboard).flatMap((panel) => strangePanel(panel).map((what) => `${dashboard.uid}, “${panel.title}”: ${what}`));
  const variables = dashboard.templating.list.filter((one) => one.type !== "query" || !LABEL_VALUES.test(one.query?.query ?? ""));
  const annotations = dashboard.annotations.list.filter((one) => !one.builtIn && !one.expr);
  return [
    ...panels,
    ...variables.map(({ name }) => `${dashboard.uid}: the variable ${name} is no query of label_values`),
    ...annotations.map(({ name }) => `${dashboard.uid}: the annotations ${name} have no query`),
  ];
}

/** The query of a variable: a selector, and a label. */
export const LABEL_VALUES = /^label_values\((?:(.+),)?\s*([a-zA-Z_]\w*)\)$/s;
