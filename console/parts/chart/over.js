// What lies over a chart's canvas: labels, markers, exemplars, the time below the cursor.

import { time, utc } from "../../lib/format.js";
import { formatOf } from "../../lib/units.js";
import { html, nothing } from "../../lib/view.js";
import { last, spread, valueAt } from "./data.js";

/** @typedef {import("../chart.js").Spec} Spec */
/** @typedef {import("../chart.js").Line} Line */
/** @typedef {import("./options.js").Plot} Plot */

/** The height of a label. */
export const LABEL = 16;

/** The range has so many places for exemplars; more hide the lines. */
const PLACES = 24;

/** @param {Plot} plot @param {number} at */
const isInside = (plot, at) => at >= (plot.scales.x.min ?? 0) && at <= (plot.scales.x.max ?? 0);

/** @param {Spec} spec @param {Plot} plot */
export function marks(spec, plot) {
  const markers = (spec.markers ?? []).filter(({ at }) => isInside(plot, at));
  const top = plot.scales.y.max ?? 0;
  const inside = (spec.exemplars ?? []).filter(({ at, value }) => isInside(plot, at) && value <= top);
  // The largest are those that somebody looks for.
  const shown = [...new Map(inside.sort((a, b) => a.value - b.value).map((one) => [Math.floor((plot.valToPos(one.at, "x") / plot.over.clientWidth) * PLACES), one])).values()];
  return html`${markers.map(({ at, title, state }) => html`<i class="marker ${state ?? ""}" .style=${`left: ${plot.valToPos(at, "x")}px`} title=${`${title} · ${time(at * 1000)}`}></i>`)}
    ${shown.map(({ at, value, href, title }) => {
      const text = title ?? `${formatOf(spec.unit)(value)} at ${time(at * 1000)}: open its trace`;
      return html`<a class="exemplar" tabindex="-1" href=${href} title=${text} aria-label=${text} .style=${`left: ${plot.valToPos(at, "x")}px; top: ${plot.valToPos(value, "y")}px`} @mousedown=${stop}></a>`;
    })}`;
}

/** Dragging begins beside an exemplar, not on it. @param {Event} event */
const stop = (event) => event.stopPropagation();

/** The value of a line below the cursor, or its last one. @param {Line} line @param {Plot} plot @param {number} column @param {number | null} index @param {boolean | undefined} isStacked */
function valueOf(line, plot, column, index, isStacked) {
  if (index === null) return last(line.points);
  if (!isStacked) return valueAt(/** @type {import("./data.js").Column} */ (plot.data[column]), index);
  const at = plot.data[0][index];
  return line.points.find(([seconds]) => seconds === at)?.[1] ?? null;
}

/** Labels without the address of the process and the ending that all topics have, if they differ without these, too. @param {string[]} labels */
function namesOf(labels) {
  const bare = labels.map((label) => label.replace(/ \S+:\d+$/, "").replace(/\.events\b/, ""));
  return new Set(bare).size === bare.length ? bare : labels;
}

/** Where the label of a line stands: at its last value. @param {Plot} plot @param {number} column */
function height(plot, column) {
  const values = /** @type {import("./data.js").Column} */ (plot.data[column]);
  const value = values.findLast((one) => typeof one === "number");
  const place = plot.valToPos(value ?? 0, "y");
  // An axis without values has no places.
  return (Number.isFinite(place) ? place : plot.height / 2) + plot.over.offsetTop - LABEL / 2;
}

/**
 * @param {{ spec: Spec, plot: Plot, lines: Line[], colors: string[], index: number | null, isNarrow: boolean, more: number, all: boolean, toggle: () => void }} given
 */
export function labels({ spec, plot, lines, colors, index, isNarrow, more, all, toggle }) {
  const format = formatOf(spec.unit);
  const end = plot.height - (more > 0 ? LABEL * 2 : 0) - 4;
  const isList = isNarrow || lines.length * LABEL > end;
  const places = isList ? [] : spread(lines.map((_, line) => height(plot, line + 1)), LABEL, end);
  const at = index === null ? undefined : plot.data[0][index] * 1000;
  const near = at === undefined ? undefined : spec.markers?.find((marker) => Math.abs(plot.valToPos(marker.at, "x") - plot.valToPos(at / 1000, "x")) < 5);
  const names = namesOf(lines.map(({ label }) => label));
  return html`${at === undefined ? nothing : html`<time title=${utc(at)}>${time(at)}${near ? html` · ${near.title}` : nothing}</time>`}
    <ul class=${isList ? "list" : ""} tabindex=${isList ? "0" : nothing} aria-label=${isList ? "values" : nothing}>
      ${lines.map((line, number) => html`<li .style=${isList ? "" : `top: ${places[number]}px`} title=${line.label}>
        <i class=${line.dashed ? "dashed" : ""} .style=${`border-color: ${colors[number]}`}></i><span>${names[number]}</span><b>${format(valueOf(line, plot, number + 1, index, spec.stacked))}</b>
      </li>`)}
    </ul>
    ${more > 0 ? html`<button class="more" @click=${toggle}>${all ? "fewer" : `${more} more`}</button>` : nothing}`;
}

