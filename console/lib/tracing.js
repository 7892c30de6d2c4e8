// Spans of the browser.

/** @type {(url: string, init?: RequestInit) => Promise<Response>} */
export const fetch = (url, init) => globalThis.fetch(url, init);
