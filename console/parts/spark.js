// A line of recent values, without axes: its shape is what matters.

import { html, svg } from "../lib/view.js";

/** @param {(number | null)[]} values oldest first; a gap is null @param {{ label: string, max?: number }} options */
export function spark(values, { label, max }) {
  const top = Math.max(max ?? 0, ...values.map((value) => value ?? 0)) || 1;
  const step = 100 / Math.max(1, values.length - 1);
  let path = "";
  let pen = "M";
  values.forEach((value, index) => {
    if (value === null) return void (pen = "M");
    path += `${pen}${(index * step).toFixed(1)} ${(23 - (value / top) * 22).toFixed(1)}`;
    pen = "L";
  });
  return html`<svg class="spark" viewBox="0 0 100 24" preserveAspectRatio="none" role="img" aria-label=${label}>${svg`<path d=${path || "M0 23"}/>`}</svg>`;
}
