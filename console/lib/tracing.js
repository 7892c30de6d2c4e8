// The spans of this page.
//
// A trace begins with a click and ends when its result is on the screen. Requests without a click are not traced; those that only read
// are not traced by the services that they reach, either: to look at the mesh is no load of the mesh.

import { compareClocks, now } from "./clock.js";
import { counts, keepSpan } from "./otlp.js";

/** @typedef {import("./otlp.js").Attributes} Attributes */
/** @typedef {{ order_id: string, type: string, status?: string, revision?: number, seq?: number, traceparent?: string }} Message */

const [INTERNAL, CLIENT, CONSUMER] = [1, 3, 5];
/** How many traces that began here are followed, and how many messages of other traces a second. */
const MOST_FOLLOWED = 256;
const OTHERS_PER_SECOND = 5;

const random = (/** @type {number} */ bytes) => Array.from(crypto.getRandomValues(new Uint8Array(bytes)), (byte) => byte.toString(16).padStart(2, "0")).join("");

/** A span that has begun. */
export class Span {
  /** @param {string} name @param {number} kind @param {Attributes} attributes @param {import("./otlp.js").Context} [parent] */
  constructor(name, kind, attributes, parent) {
    const { traceId = random(16), spanId: parentSpanId } = parent ?? {};
    /** @type {import("./otlp.js").SpanRecord} */
    this.record = { traceId, spanId: random(8), parentSpanId, name: name.slice(0, 90), kind, attributes, links: [], start: now() };
  }

  /** <https://www.w3.org/TR/trace-context/#traceparent-header>; each trace is recorded. */
  get traceparent() {
    return `00-${this.record.traceId}-${this.record.spanId}-01`;
  }

  /** @param {string} name @param {Attributes[string]} value */
  attribute(name, value) {
    this.record.attributes[name] = value;
  }

  /** @param {unknown} [error] */
  end(error) {
    if (this.record.end !== undefined) return;
    this.record.end = now();
    if (error !== undefined) {
      this.record.error = String(error);
      this.record.attributes["error.type"] ??= error instanceof Error ? error.name : "error";
    }
    keepSpan(this.record);
  }
}

/**
 * What a click causes is one trace. @template T
 * @param {string} name the label of what was clicked @param {Attributes} attributes @param {(span: Span) => Promise<T>} run
 * @returns {Promise<T>}
 */
export async function click(name, attributes, run) {
  const span = new Span(`click "${name.slice(0, 60)}"`, INTERNAL, { "app.widget.name": name, ...attributes });
  followed.add(span.record.traceId);
  if (followed.size > MOST_FOLLOWED) followed.delete(/** @type {string} */ (followed.values().next().value));
  try {
    const result = await run(span);
    span.end();
    return result;
  } catch (error) {
    span.end(error);
    throw error;
  }
}

/** Ids make no names: a name stands for all requests of its kind. @param {string} path */
const template = (path) => path.replace(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22,27}|\b\d+\b/g, "{id}");

/** A request; with `span`, which caused it, it is a part of that trace. @param {string} url @param {RequestInit} [init] @param {Span} [span] */
export async function fetch(url, init = {}, span) {
  const sent = now();
  const headers = new Headers(init.headers);
  if (!span) {
    if (!init.method) headers.set("traceparent", `00-${random(16)}-${random(8)}-00`);
    const answer = await globalThis.fetch(url, { ...init, headers });
    compareClocks(answer, sent, now());
    return answer;
  }
  const { href, pathname } = new URL(url, location.href);
  const method = init.method ?? "GET";
  const own = new Span(`${method} ${template(pathname)}`, CLIENT, { "http.request.method": method, "url.full": href, "url.template": template(pathname) }, span.record);
  headers.set("traceparent", own.traceparent);
  try {
    const answer = await globalThis.fetch(url, { ...init, headers });
    compareClocks(answer, sent, now());
    own.attribute("http.response.status_code", answer.status);
    if (answer.status >= 400) own.attribute("error.type", String(answer.status));
    own.end(answer.ok ? undefined : `status ${answer.status}`);
    return answer;
  } catch (error) {
    own.end(error);
    throw error;
  }
}

/** @type {Set<string>} */
const followed = new Set();
const others = { second: 0, count: 0 };
/** The span of each message that was received and is not painted yet. @type {WeakMap<Message, Span | null>} */
const unpainted = new WeakMap();

/** A live message has arrived: the end of the way from the service that sent it. @param {Message} message */
export function received(message) {
  const [, traceId, spanId] = /^00-([0-9a-f]{32})-([0-9a-f]{16})-01$/.exec(message.traceparent ?? "") ?? [];
  if (!traceId || unpainted.has(message)) return;
  unpainted.set(message, null);
  if (!followed.has(traceId) && !mayFollow()) return void counts.skipped++;
  const attributes = {
    "messaging.system": "websocket", "messaging.operation.name": "receive", "messaging.operation.type": "receive", "messaging.destination.name": "live.orders",
    "app.order.id": message.order_id, "app.order.status": message.status, "app.message.type": message.type, "app.message.sequence": message.seq,
  };
  const span = new Span("receive live.orders", CONSUMER, attributes, { traceId, spanId });
  span.record.links.push({ traceId, spanId });
  span.end();
  unpainted.set(message, span);
}

/** Each update of every order would be more than it is worth. */
function mayFollow() {
  const second = Math.floor(now() / 1_000);
  if (others.second !== second) Object.assign(others, { second, count: 0 });
  return ++others.count <= OTHERS_PER_SECOND;
}

/**
 * The page draws the message in the next frame. The span begins when it was received and ends when that frame is on the screen; a
 * hidden page paints nothing. @param {Message} message
 */
export function painted(message) {
  const cause = unpainted.get(message);
  if (!cause || globalThis.document?.hidden) return;
  unpainted.set(message, null);
  const span = new Span("paint order", INTERNAL, { "app.order.id": message.order_id, "app.order.status": message.status }, cause.record);
  span.record.start = cause.record.end ?? span.record.start;
  requestAnimationFrame(() => requestAnimationFrame(() => span.end()));
}
