// The states of a view: nothing yet, loading, data, failed, out of date.

import { ApiError } from "../lib/api.js";
import { age } from "../lib/format.js";
import { html, nothing } from "../lib/view.js";
import { icon } from "./icon.js";

/** Teaches what would be here. @param {string} title @param {unknown} text @param {unknown} [action] */
export const empty = (title, text, action = nothing) => html`<div class="state"><h2>${title}</h2><p>${text}</p>${action}</div>`;

/** Lines in place of data; they appear after 300 ms. */
export const skeleton = (lines = 4) => html`<div class="skeleton" aria-label="loading" role="status">${Array.from({ length: lines }, () => html`<i></i>`)}</div>`;

/** What went wrong, why, and what to do. @param {Error} error @param {unknown} [remedy] */
export function failed(error, remedy = nothing) {
  const isApi = error instanceof ApiError;
  return html`<div class="state" role="alert">
    ${icon("warning")}
    <h2>${isApi ? error.title : "This part of the page failed"}</h2>
    <p class="quiet">${isApi ? error.detail : error.message}</p>
    ${remedy}
  </div>`;
}

/**
 * Draws a resource in the state in which it is; old data stays, with its age.
 * @template T
 * @param {import("../lib/api.js").Resource<T>} resource
 * @param {(data: T) => unknown} view
 * @param {{ lines?: number, isEmpty?: (data: T) => boolean, teach?: () => unknown, remedy?: unknown }} [options]
 */
export function stateOf(resource, view, { lines, isEmpty, teach, remedy } = {}) {
  const data = resource.data.value;
  const error = resource.error.value;
  if (data === undefined) return error ? failed(error, remedy) : skeleton(lines);
  if (error) {
    const seconds = (Date.now() - resource.at.value) / 1000;
    return html`<div class="notice" role="status">${icon("warning", "small")} ${error.message} · shown as it was ${age(seconds)} ago</div>
      <div class="stale kept">${view(data)}</div>`;
  }
  return isEmpty?.(data) && teach ? teach() : view(data);
}
