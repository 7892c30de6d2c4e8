// Requests to this origin, and data that is kept fresh while somebody looks at it.

import { batch, effect, signal, untracked } from "./view.js";
import { fetch } from "./tracing.js";

/** A request that failed: what the server said, or why there is no answer. */
export class ApiError extends Error {
  /** @param {string} title @param {string} detail @param {number} status 0 without an answer */
  constructor(title, detail, status) {
    super(detail ? `${title}: ${detail}` : title);
    this.title = title;
    this.detail = detail;
    this.status = status;
  }
}

/** What the gateway says of a path that it does not serve. */
const NO_PATH = "no such path";

/** @typedef {RequestInit & { timeout?: number, span?: import("./tracing.js").Span }} Options `span` is the click that caused the request */

/** The longest wait for an answer: the gateway gives up after five seconds, a query of lens after ten. */
const TIMEOUT_MS = 15_000;

/**
 * Sends a request and reads JSON.
 * @param {string} path
 * @param {Options} [options]
 * @returns {Promise<any>}
 */
export async function request(path, { timeout = TIMEOUT_MS, signal: given, span, ...init } = {}) {
  const limit = AbortSignal.timeout(timeout);
  let answer;
  try {
    answer = await fetch(path, { ...init, signal: given ? AbortSignal.any([given, limit]) : limit }, span);
  } catch (error) {
    if (given?.aborted) throw error;
    const why = limit.aborted ? `No answer within ${timeout / 1000} s` : "The gateway does not answer";
    throw new ApiError(why, path.split("?")[0], 0);
  }
  const text = await answer.text();
  let body;
  try {
    body = text ? JSON.parse(text) : undefined;
  } catch {
    body = undefined;
  }
  if (answer.ok) return body;
  if (answer.status === 404 && body?.detail === NO_PATH && path.startsWith("/lens/")) throw new ApiError("No lens", "none is behind this front door; gateway.front_door.lens is its address", 404);
  // A problem of RFC 9457, or an error of Prometheus.
  throw new ApiError(body?.title ?? body?.errorType ?? `status ${answer.status}`, body?.detail ?? body?.error ?? text.slice(0, 200), answer.status);
}

/** @param {string} path @param {Options} [options] */
export const get = (path, options) => request(path, options);

/** @param {string} path @param {unknown} [body] @param {Options} [options] */
export const send = (path, body, options) =>
  request(path, {
    method: "POST",
    ...options,
    headers: { "content-type": "application/json", ...options?.headers },
    body: body === undefined ? undefined : JSON.stringify(body),
  });

/** Whether the page is to be seen; a hidden page asks nothing. */
export const visible = signal(typeof document === "undefined" || !document.hidden);

/** Whether the user has stopped all updates. */
export const paused = signal(false);

if (typeof document !== "undefined") {
  document.addEventListener("visibilitychange", () => {
    visible.value = !document.hidden;
  });
}

/**
 * Data of the server, asked for again and again.
 * @template T
 * @typedef {object} Resource
 * @property {import("../vendor/signals-core/dist/signals-core.js").Signal<T | undefined>} data the last answer; it stays after a failure
 * @property {import("../vendor/signals-core/dist/signals-core.js").Signal<Error | undefined>} error why the last attempt failed
 * @property {import("../vendor/signals-core/dist/signals-core.js").Signal<number>} at when the last answer came, in milliseconds; 0 before the first
 * @property {() => Promise<void>} refresh asks now
 * @property {() => void} stop ends it; call it when the page closes
 */

/** How long a shared resource goes on after its last reader has gone: the next view may read it, too. */
const LINGER_MS = 1_000;

/** Options of a signal that begin something with its first reader, and end it after the last. @param {() => void} begin @param {() => void} end */
function whileRead(begin, end) {
  let leaving = 0;
  return {
    watched: () => {
      if (leaving) clearTimeout(leaving);
      else queueMicrotask(begin);
      leaving = 0;
    },
    unwatched: () => {
      leaving = window.setTimeout(() => {
        leaving = 0;
        end();
      }, LINGER_MS);
    },
  };
}

/**
 * Asks now and `every` milliseconds while the page is visible and not paused; a slow answer delays the next question. The signals
 * that `ask` reads before its first await are watched: a change asks at once, and the answer to an older question is dropped.
 * @template T
 * @param {(signal: AbortSignal) => Promise<T>} ask
 * @param {{ every?: number, shared?: boolean }} [options] without `every` it asks once for each change; a shared one begins when a
 *   view reads its data, and ends when none does
 * @returns {Resource<T>}
 */
export function resource(ask, { every, shared = false } = {}) {
  const error = signal(/** @type {Error | undefined} */ (undefined));
  const at = signal(0);
  let timer = 0;
  let asking = new AbortController();
  const run = async () => {
    clearTimeout(timer);
    asking.abort();
    const own = (asking = new AbortController());
    try {
      const answer = await ask(own.signal);
      if (own.signal.aborted) return;
      batch(() => {
        data.value = answer;
        error.value = undefined;
        at.value = Date.now();
      });
    } catch (failed) {
      if (own.signal.aborted) return;
      error.value = failed instanceof Error ? failed : new Error(String(failed));
    }
    untracked(() => {
      if (every && visible.value && !paused.value) timer = window.setTimeout(run, every);
    });
  };
  let end = () => {};
  const begin = () => {
    end = effect(() => {
      if (!visible.value || (paused.value && at.peek() > 0)) return void clearTimeout(timer);
      run();
    });
  };
  const stop = () => {
    end();
    clearTimeout(timer);
    asking.abort();
  };
  const data = signal(/** @type {T | undefined} */ (undefined), shared ? whileRead(begin, stop) : undefined);
  if (!shared) begin();
  return {
    data,
    error,
    at,
    refresh: () => untracked(run),
    stop,
  };
}
