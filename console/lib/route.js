// Where the user is: `#/page/path?name=value`. Each view has an address that shows it again.

import { signal } from "./view.js";

/** @typedef {{ page: string, path: string[], params: URLSearchParams }} Route */

/** @param {string} hash @returns {Route} */
export function parse(hash) {
  const [path, query] = hash.replace(/^#\/?/, "").split("?");
  const [page, ...rest] = path.split("/").filter(Boolean).map(decoded);
  return { page: page ?? "mesh", path: rest, params: new URLSearchParams(query ?? "") };
}

/** @param {string} part */
function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

export const route = signal(parse(typeof location === "undefined" ? "" : location.hash));

if (typeof window !== "undefined") {
  window.addEventListener("hashchange", () => {
    route.value = parse(location.hash);
  });
}

/**
 * The address of a view.
 * @param {string} page
 * @param {string[]} [path]
 * @param {Record<string, string | number | undefined> | URLSearchParams} [params] empty values are left out
 */
export function href(page, path = [], params = {}) {
  const entries = params instanceof URLSearchParams ? [...params] : Object.entries(params);
  const query = new URLSearchParams(entries.filter(([, value]) => value !== undefined && value !== "").map(([name, value]) => [name, String(value)]));
  return `#/${[page, ...path].map(encodeURIComponent).join("/")}${query.size ? `?${query}` : ""}`;
}

/** Opens a view. @param {string} to an address by `href` @param {{ replace?: boolean }} [options] */
export function go(to, { replace = false } = {}) {
  if (replace) history.replaceState(null, "", to);
  else history.pushState(null, "", to);
  route.value = parse(to);
}

/** Changes some of the parameters of the present view. @param {Record<string, string | number | undefined>} changes @param {{ replace?: boolean }} [options] */
export function setParams(changes, options = { replace: true }) {
  const { page, path, params } = route.peek();
  go(href(page, path, { ...Object.fromEntries(params), ...changes }), options);
}
