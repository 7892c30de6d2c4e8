// Walking from trace to trace: the way back, and where the reader was in each view.

import { go, href, route } from "../../lib/route.js";
import { effect, signal } from "../../lib/view.js";

/** @typedef {{ top: number, collapsed: Set<string>, range: [number, number] | undefined }} Place */

/** Views that were left by a link, oldest first. */
export const crumbs = signal(/** @type {{ to: string, label: string }[]} */ ([]));

/** The address of the last search. */
export const searched = signal(href("traces"));

/** Where the reader was, by address; the oldest are forgotten. @type {Map<string, Place>} */
const places = new Map();
const MOST_PLACES = 100;

/** @param {string} trace @param {string} span */
const key = (trace, span) => `${trace} ${span}`;

/** @param {string} trace @param {string} span @param {Place} place */
export function remember(trace, span, place) {
  places.delete(key(trace, span));
  places.set(key(trace, span), place);
  if (places.size > MOST_PLACES) places.delete(/** @type {string} */ (places.keys().next().value));
}

/** @param {string} trace @param {string} span */
export const placeOf = (trace, span) => places.get(key(trace, span));

/** Follows a link; the present view stays behind as a crumb. @param {import("./model.js").Link} link @param {string} label of the present view */
export function follow(link, label) {
  crumbs.value = [...crumbs.value, { to: addressNow(), label }];
  go(href("traces", [link.trace], { span: link.span }));
}

function addressNow() {
  const { page, path, params } = route.peek();
  return href(page, path, params);
}

/** Ends the way when the reader is back on it, by the browser's button or a crumb, or somewhere else. @returns {() => void} */
export function watch() {
  return effect(() => {
    const { page, path, params } = route.value;
    const here = href(page, path, params);
    const known = crumbs.peek();
    const at = known.findIndex(({ to }) => to === here);
    if (page !== "traces" || !path.length) crumbs.value = [];
    if (page === "traces" && !path.length) searched.value = here;
    if (at >= 0) crumbs.value = known.slice(0, at);
  });
}
