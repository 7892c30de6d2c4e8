// Live updates of orders: one WebSocket to the gateway for all subscribers. `/asyncapi.json` describes its messages.

import { signal } from "../vendor/signals-core/dist/signals-core.module.js";

/**
 * `idle`: there is no subscriber, or the page is hidden; `waiting`: the next attempt is at `retryAt`, in milliseconds.
 * @typedef {{ kind: "idle" | "live" | "connecting" | "waiting", retryAt?: number, reason?: string }} State
 */
/**
 * Something that happened to an order. An update from the order's history has no `seq` and no `traceparent`.
 * @typedef {{ seq?: number, order_id: string, customer: string, type: string, at: string, status?: string, reason?: string, revision?: number, traceparent?: string, trace_id?: string }} Message
 */
/** @typedef {{ order: string } | { customer: string } | { everything: true }} Topic */
/** Updates may be missing before the next one; `advice` says what to do. @typedef {{ reason: "other_process" | "too_old" | "lapse", advice: string, seq: number }} Gap */
/** @typedef {{ type: string, title: string, detail: string, status: number }} Problem */
/** @typedef {{ onGap?: (gap: Gap) => void, onRefused?: (problem: Problem) => void }} Others */
/** @typedef {Others & { to: Topic, onMessage: (message: Message) => void, after?: { epoch: string, seq: number }, isActive: boolean, revision: number }} Subscription */

export const state = signal(/** @type {State} */ ({ kind: "idle" }));

/** What is known of the server's clock: how far it is ahead of this one, in milliseconds, and the round trip it was measured with. */
export const clock = signal(/** @type {{ ahead: number, roundTrip?: number }} */ ({ ahead: 0 }));

/** Measured with the clock of spans, which does not jump. */
const localNow = () => performance.timeOrigin + performance.now();

/** The server's time, in milliseconds since the Unix epoch. */
export const serverNow = () => localNow() + clock.peek().ahead;

const PING_MS = 10_000;
/** The connection is dead without any message for so long. */
const SILENCE_MS = 25_000;
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 15_000;
/** A connection that lasts so long begins a new series of pauses when it breaks. */
const STABLE_MS = 5_000;
/** How long the connection stays for the next subscriber, and how long for a hidden page. */
const LINGER_MS = 1_000;
const HIDDEN_MS = 30_000;
/** How many measurements of the clock the best one is chosen of: the round trip changes with the network. */
const MEASUREMENTS = 8;

/** @type {Map<string, Subscription>} */
const subscriptions = new Map();
let lastId = 0;
/** @type {WebSocket | undefined} */
let socket;
let epoch = "";
/** Every update up to this number has arrived for each active subscription. */
let seen = 0;
let attempts = 0;
let openedAt = 0;
let heardAt = 0;
/** @type {Map<string, number>} */
let pings = new Map();
/** @type {{ ahead: number, roundTrip: number }[]} */
let measured = [];
/** @type {Record<string, ReturnType<typeof setTimeout> | undefined>} */
const timers = {};

/** @param {string} name @param {number} ms @param {() => void} run */
function later(name, ms, run) {
  clearTimeout(timers[name]);
  timers[name] = setTimeout(run, ms);
}

/**
 * Calls `onMessage` for each update from now on; one to an order begins with the order's history. After an interruption it
 * continues where it was; `onGap` is called if the gateway no longer has what was missed.
 * @param {Topic} to @param {(message: Message) => void} onMessage @param {Others} [others]
 * @returns {() => void} ends it
 */
export function subscribe(to, onMessage, others = {}) {
  const id = `s${++lastId}`;
  subscriptions.set(id, { to, onMessage, ...others, isActive: false, revision: 0 });
  clearTimeout(timers.linger);
  if (isOpen()) request(id);
  else if (!socket && state.peek().kind !== "waiting") connect();
  return () => {
    if (!subscriptions.delete(id)) return;
    if (isOpen()) send({ type: "unsubscribe", id });
    if (!subscriptions.size) later("linger", LINGER_MS, () => rest(1000));
  };
}

const isOpen = () => socket?.readyState === 1 && epoch !== "";

/** @param {object} message */
const send = (message) => socket?.send(JSON.stringify(message));

/** @param {string} id */
function request(id) {
  const { to, after } = /** @type {Subscription} */ (subscriptions.get(id));
  send({ type: "subscribe", id, to, ...(after && { after }) });
}

function connect() {
  clearTimeout(timers.retry);
  if (socket || !subscriptions.size || (isHidden() && state.peek().kind === "idle")) return;
  state.value = { kind: "connecting" };
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  const own = new WebSocket(`${scheme}://${location.host}/api/live`);
  socket = own;
  epoch = "";
  own.onmessage = ({ data }) => {
    if (socket === own) receive(JSON.parse(data));
  };
  own.onclose = ({ code, reason }) => {
    if (socket === own) interrupted(reason || (code === 1006 ? "the gateway does not answer" : `closed with code ${code}`));
  };
  later("silence", SILENCE_MS, () => lost(own));
}

/** A connection that is dead may take minutes to say so. @param {WebSocket} own */
function lost(own) {
  if (socket !== own) return;
  const quiet = localNow() - heardAt;
  if (epoch && quiet < SILENCE_MS) return later("silence", SILENCE_MS - quiet, () => lost(own));
  interrupted(`nothing came for ${SILENCE_MS / 1_000} s`);
  own.close();
}

/** Forgets the connection; the subscriptions remember where they were. */
function detach() {
  const old = socket;
  socket = undefined;
  for (const one of subscriptions.values()) {
    if (one.isActive) one.after = { epoch, seq: seen };
    one.isActive = false;
  }
  clearTimeout(timers.ping);
  clearTimeout(timers.silence);
  return old;
}

/** @param {string} reason */
function interrupted(reason) {
  if (epoch && localNow() - openedAt >= STABLE_MS) attempts = 0;
  detach();
  if (!subscriptions.size) return void (state.value = { kind: "idle" });
  const pause = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** attempts++) * (0.5 + Math.random() / 2);
  state.value = { kind: "waiting", retryAt: Date.now() + pause, reason };
  later("retry", pause, connect);
}

/** @param {number} code */
function rest(code) {
  clearTimeout(timers.retry);
  attempts = 0;
  detach()?.close(code);
  state.value = { kind: "idle" };
}

/** @param {any} message */
function receive(message) {
  heardAt = localNow();
  switch (message.type) {
    case "hello":
      // Subscriptions that are not active yet remember for themselves where they were.
      [epoch, seen] = [message.epoch, 0];
      openedAt = heardAt;
      state.value = { kind: "live" };
      for (const id of subscriptions.keys()) request(id);
      return ping();
    case "updates":
      return message.updates.forEach(deliver);
    case "subscribed":
      return subscribed(message);
    case "gap":
      for (const id of message.ids) subscriptions.get(id)?.onGap?.(message);
      return;
    case "pong":
      seen = Math.max(seen, message.seq);
      return measure(message);
    case "error":
      return refused(message);
  }
}

/** @param {{ id: string, seq: number }} message */
function subscribed({ id, seq }) {
  const one = subscriptions.get(id);
  if (!one) return;
  seen = Math.max(seen, seq);
  one.isActive = true;
}

/** @param {Message & { ids: string[] }} delivery */
function deliver({ ids, ...message }) {
  for (const id of ids) {
    const one = subscriptions.get(id);
    if (!one) continue;
    if (message.seq && !one.isActive) one.after = { epoch, seq: message.seq };
    else if (message.seq) seen = Math.max(seen, message.seq);
    // The history of an order repeats what is known.
    if ("order" in one.to && message.revision) {
      if (message.revision <= one.revision) continue;
      one.revision = message.revision;
    }
    one.onMessage(message);
  }
}

/** @param {{ id?: string, problem: Problem }} message */
function refused({ id, problem }) {
  const one = subscriptions.get(id ?? "");
  if (!id || !one || one.isActive) return;
  // What a service could not answer, or what came too fast, may succeed later.
  if (problem.status >= 500 || problem.type.endsWith("/too-many-messages")) {
    later(id, 2_000, () => subscriptions.has(id) && isOpen() && request(id));
    return;
  }
  subscriptions.delete(id);
  one.onRefused?.(problem);
}

function ping() {
  const id = String(++lastId);
  pings = new Map([...pings, /** @type {[string, number]} */ ([id, localNow()])].slice(-4));
  send({ type: "ping", id });
  later("ping", PING_MS, ping);
}

/** The server read its clock half a round trip ago; the shortest of the last ones is the most exact. @param {{ id: string, now_ms: number }} pong */
function measure({ id, now_ms }) {
  const sent = pings.get(id);
  if (sent === undefined) return;
  pings.delete(id);
  const roundTrip = heardAt - sent;
  measured = [...measured, { ahead: now_ms + roundTrip / 2 - heardAt, roundTrip }].slice(-MEASUREMENTS);
  clock.value = measured.reduce((best, one) => (one.roundTrip < best.roundTrip ? one : best));
}

const isHidden = () => typeof document !== "undefined" && document.hidden;

function visibilityChanged() {
  clearTimeout(timers.hidden);
  if (isHidden()) {
    later("hidden", HIDDEN_MS, () => rest(1000));
  } else if (!socket) {
    attempts = 0;
    connect();
  }
}

if (typeof document !== "undefined") document.addEventListener("visibilitychange", visibilityChanged);
