// Spans of the browser.

/** @typedef {{ attribute: (name: string, value: string | number) => void }} Span */

/** @type {(url: string, init?: RequestInit, span?: Span) => Promise<Response>} */
export const fetch = (url, init) => globalThis.fetch(url, init);

/** @template T @param {string} name @param {Record<string, string | number>} attributes @param {(span: Span | undefined) => Promise<T>} run @returns {Promise<T>} */
export function click(name, attributes, run) {
  void name;
  void attributes;
  return run(undefined);
}
