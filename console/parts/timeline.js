// States over time: a row for each series, a bar for each stretch of one state.

import { time } from "../lib/format.js";
import { html, nothing } from "../lib/view.js";

/** @typedef {{ from: number, to: number, text: string, state: "" | "warning" | "bad" }} Stretch seconds since the epoch */

/** Points with the same state become one stretch; where points are missing, there is none. @param {[number, number][]} points @param {number} step @param {(value: number) => { text: string, state: "" | "warning" | "bad" }} stateOf @returns {Stretch[]} */
export function stretches(points, step, stateOf) {
  /** @type {Stretch[]} */
  const found = [];
  for (const [at, value] of points) {
    const { text, state } = stateOf(value);
    const last = found.at(-1);
    if (last && last.text === text && at - last.to < step * 0.5) last.to = at + step;
    else found.push({ from: at, to: at + step, text, state });
  }
  return found;
}

/** Round times in a range, at most `most`, each with its place as a share. @param {{ from: number, to: number }} range @param {number} most */
export function ticks({ from, to }, most) {
  const step = [10, 30, 60, 120, 300, 600, 1_800, 3_600].find((one) => (to - from) / one <= most) ?? 14_400;
  const found = [];
  for (let at = Math.ceil(from / step) * step; at <= to; at += step) found.push({ share: (at - from) / (to - from), text: time(at * 1000).slice(0, step < 60 ? 8 : 5) });
  return found.filter(({ share }) => share > 0.03 && share < 0.97);
}

/** @param {{ label: string, rows: { name: string, stretches: Stretch[] }[], range: { from: number, to: number } }} given */
export function timeline({ label, rows, range }) {
  const place = (/** @type {number} */ at) => (Math.min(Math.max((at - range.from) / (range.to - range.from), 0), 1) * 100).toFixed(2);
  return html`<div class="timeline" role="group" aria-label=${label}>
    ${rows.map(({ name, stretches: found }) => {
      const now = found.at(-1);
      return html`<span class="cut" title=${name}>${name}</span>
        <div class="track" role="img" aria-label=${`${name}: ${found.map((one) => `${one.text} until ${time(one.to * 1000)}`).join(", ")}`}>
          ${found.map((one) => html`<i class=${one.state} title=${`${name}: ${one.text}, ${time(one.from * 1000)} to ${time(Math.min(one.to, range.to) * 1000)}`} .style=${`left: ${place(one.from)}%; right: ${(100 - Number(place(one.to))).toFixed(2)}%`}></i>`)}
        </div>
        <b class=${now?.state ?? ""}>${now ? now.text : nothing}</b>`;
    })}
    <span></span><div class="ticks">${ticks(range, 4).map(({ share, text }) => html`<time .style=${`left: ${(share * 100).toFixed(2)}%`}>${text}</time>`)}</div><span></span>
  </div>`;
}
