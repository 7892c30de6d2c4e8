// Two traces, operation by operation.

import { resource } from "../../lib/api.js";
import { hueClass } from "../../lib/color.js";
import { duration, operation, short, time } from "../../lib/format.js";
import { go, href } from "../../lib/route.js";
import { html, nothing, signal } from "../../lib/view.js";
import { icon } from "../../parts/icon.js";
import { empty, failed, skeleton } from "../../parts/state.js";
import { compared, counted } from "./compare.js";
import { modelOf } from "./model.js";
import * as source from "./source.js";
import { searched } from "./walk.js";

/** @typedef {import("./model.js").Trace} Trace */
/** @typedef {import("./compare.js").Pair} Pair */

/** The most rows; a comparison of more is not read. */
const MOST = 500;

/** @param {string} a @param {string} b @returns {import("../traces.js").Opened} */
export default function (a, b) {
  const both = resource(async (stop) => {
    const raws = await Promise.all([a, b].map((id) => source.trace(id, stop)));
    const traces = raws.map((raw) => raw && modelOf(raw));
    return { traces, pairs: traces[0] && traces[1] ? compared(traces[0], traces[1]) : [] };
  });
  const onlyOne = signal(false);
  return {
    view: () => {
      const { data, error } = both;
      if (!data.value) return error.value ? failed(error.value, html`<button class="button" @click=${both.refresh}>Try again</button>`) : skeleton(12);
      const [left, right] = data.value.traces;
      if (!left || !right) return empty("A trace is missing", html`Trace <span class="mono">${short(left ? b : a)}</span> is not here: it was not sampled, or newer ones have taken its place.`, html`<a class="button" href=${href("traces")}>Search for traces</a>`);
      return page(left, right, data.value.pairs, onlyOne);
    },
    keys: { Escape: ["back", () => go(searched.peek())], "/": ["search", () => go(searched.peek())] },
    close: both.stop,
  };
}

/** @param {Trace} a @param {Trace} b @param {Pair[]} pairs @param {import("../../vendor/signals-core/dist/signals-core.js").Signal<boolean>} onlyOne */
function page(a, b, pairs, onlyOne) {
  const isAlone = (/** @type {Pair} */ pair) => !pair.a.spans || !pair.b.spans;
  const wanted = onlyOne.value ? pairs.filter(isAlone) : pairs;
  const most = Math.max(1, ...pairs.map((pair) => Math.abs(pair.difference)));
  const alone = pairs.filter(isAlone).length;
  return html`<div class="traces comparison">
    <header class="head">
      <div class="sides"><a class="button plain" title="Back to the search (Esc)" aria-label="Back to the search" href=${searched.value}>${icon("back", "small")}</a>${side("A", a)} ${side("B", b)}
        <span class="row"><b>B ${difference(b.duration - a.duration)}</b></span>
        <a class="button plain" href=${href("traces", [b.id], { compare: a.id })}>${icon("refresh", "small")} Swap</a></div>
      <div class="row"><button class="chip" aria-pressed=${onlyOne.value} @click=${() => (onlyOne.value = !onlyOne.value)}>only in one: ${alone}</button>
        <span class="faint">${counted(wanted.length, MOST)}; time of all spans of an operation together</span></div>
    </header>
    <div class="scroll" tabindex="0" role="region" aria-label="Operations, side by side"><table class="table" aria-label="Operations of both traces">
      <thead><tr><th scope="col">Service and operation</th><th scope="col" class="number">A</th><th scope="col" class="number">B</th><th scope="col" class="number">B − A</th><th scope="col" class="diff">shorter · longer</th></tr></thead>
      <tbody>${wanted.slice(0, MOST).map((pair) => row(pair, most))}</tbody>
    </table></div>
  </div>`;
}

/** @param {string} name @param {Trace} trace */
const side = (name, trace) => html`<a class="row side" href=${href("traces", [trace.id])}><b>${name}</b> <span class="dot ${hueClass(trace.roots[0].service)}"></span> ${trace.roots[0].name}
  <b>${duration(trace.duration / 1e6)}</b> <span class="quiet">${trace.spans.length} spans · ${time(trace.start / 1_000)} · <span class="mono">${short(trace.id)}</span></span>${trace.errors ? html` <span class="badge bad">${trace.errors} errors</span>` : nothing}</a>`;

/** @param {number} micros */
const difference = (micros) => (micros === 0 ? "takes as long" : `is ${duration(Math.abs(micros) / 1e6)} ${micros > 0 ? "longer" : "shorter"}`);

/** @param {Pair} pair @param {number} most */
function row(pair, most) {
  const cell = (/** @type {import("./compare.js").Side} */ { spans, time, errors }) => (spans ? html`${spans > 1 ? html`<span class="faint">${spans} ×</span> ` : nothing}${errors ? html`<span class="bad">${icon("bad", "small")}</span> ` : nothing}${duration(time / 1e6)}` : html`<span class="faint">–</span>`);
  const isAlone = !pair.a.spans || !pair.b.spans;
  const width = (Math.abs(pair.difference) / most) * 50;
  const sign = pair.difference > 0 ? "+" : "−";
  return html`<tr class=${isAlone ? "alone" : ""}>
    <td><span class="row" .style=${`padding-left:${Math.min(pair.depth, 24) * 9}px`}><span class="dot ${hueClass(pair.service)}"></span><span class="quiet">${pair.service}</span> <span title=${pair.name}>${operation(pair.name)}</span>${isAlone ? html` <span class="badge">only in ${pair.a.spans ? "A" : "B"}</span>` : nothing}</span></td>
    <td class="number">${cell(pair.a)}</td><td class="number">${cell(pair.b)}</td>
    <td class="number">${pair.difference ? `${sign}${duration(Math.abs(pair.difference) / 1e6)}` : html`<span class="faint">0</span>`}</td>
    <td class="diff"><span class="both"><i class=${pair.difference > 0 ? "longer" : "shorter"} .style=${`width:${width}%;${pair.difference > 0 ? "left:50%" : "right:50%"}`}></i></span></td>
  </tr>`;
}
