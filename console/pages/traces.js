// Traces: a search, a trace as a waterfall, two traces compared. The address says which.

import { failed } from "../parts/state.js";
import { route } from "../lib/route.js";
import { computed, effect, html, untracked } from "../lib/view.js";
import comparisonPage from "./traces/comparison.js";
import searchPage from "./traces/search.js";
import tracePage from "./traces/trace.js";

/** @typedef {{ view: () => unknown, keys?: import("../lib/keys.js").Bindings, close?: () => void }} Opened */

const ID = /^[0-9a-f]{1,32}$/i;

/** @type {import("../app.js").Page} */
export default function () {
  // Which view it is; other parameters belong to the views themselves.
  const which = computed(() => {
    const { page, path, params } = route.value;
    return page === "traces" ? [path[0] ?? "", params.get("compare") ?? ""].join(" ") : "";
  });
  let opened = /** @type {Opened} */ ({ view: () => "" });
  const current = computed(() => {
    const [id, other] = which.value.split(" ");
    return untracked(() => {
      opened.close?.();
      opened = open(id, other);
      return opened;
    });
  });
  const stop = effect(() => void current.value);
  const key = (/** @type {string} */ name) => () => opened.keys?.[name]?.[1]();
  return {
    view: () => current.value.view(),
    keys: Object.fromEntries(Object.entries(KEYS).map(([name, what]) => [name, [what, key(name)]])),
    close: () => {
      stop();
      opened.close?.();
    },
  };
}

/** Keys of all views of this page. */
const KEYS = { "/": "search", j: "next row", k: "previous row", z: "show only the time of the span", 0: "show the whole trace", l: "show log lines", c: "fold or unfold all spans", Escape: "back" };

/** @param {string} id @param {string} other @returns {Opened} */
function open(id, other) {
  if (!id) return searchPage();
  const wrong = [id, other].find((one) => one && !ID.test(one));
  if (wrong !== undefined) return { view: () => failed(new Error(`“${wrong.slice(0, 40)}” is not the id of a trace: up to 32 hexadecimal digits.`), html`<a href="#/traces">Search for traces</a>`) };
  return other ? comparisonPage(full(id), full(other)) : tracePage(full(id));
}

/** With the leading zeros that some programs leave out. @param {string} id */
const full = (id) => id.toLowerCase().padStart(32, "0");
