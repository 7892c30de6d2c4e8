// Orders placed from the console, by any page.

import { ApiError, get, resource, send } from "./api.js";
import { click } from "./tracing.js";
import { signal } from "./view.js";

/** @typedef {{ items: { sku: string, quantity: number }[], token: string }} Order */
/** @typedef {{ id: string, status: string, trace_id: string | null, links: { order: string, live: string, trace: string | null } }} Accepted */
/** @typedef {{ name: string, label: string, shows: string, order?: Order, many?: { count: number, rate: number }, isPoison?: boolean }} Preset */

const TEAPOT = [{ sku: "teapot", quantity: 1 }];

/** What the payment tokens do; the simulated payment provider decides by them. @type {[token: string, does: string][]} */
export const TOKENS = [
  ["tok_ok", "is charged"],
  ["tok_declined", "is declined"],
  ["tok_slow", "answers after 3 s"],
  ["tok_flaky", "fails twice, then is charged"],
  ["tok_down", "never answers"],
  ["tok_lost", "is charged, and never answers"],
];

/** The orders that are worth to be tried. @type {Preset[]} */
export const PRESETS = [
  { name: "ok", label: "Place an order", shows: "gRPC, Kafka and NATS in one trace", order: { items: TEAPOT, token: "tok_ok" } },
  { name: "declined", label: "Declined", shows: "the order is cancelled, its stock released", order: { items: TEAPOT, token: "tok_declined" } },
  { name: "slow", label: "Slow", shows: "the payment takes 3 s; other orders do not wait", order: { items: TEAPOT, token: "tok_slow" } },
  { name: "flaky", label: "Flaky", shows: "the provider fails twice; retries in the trace", order: { items: TEAPOT, token: "tok_flaky" } },
  { name: "out-of-stock", label: "Out of stock", shows: "refused at once, with the reason", order: { items: [{ sku: "lantern-brass", quantity: 1 }], token: "tok_ok" } },
  { name: "poison", label: "Poison event", shows: "an unreadable record goes to the dead letters", isPoison: true },
  { name: "burst", label: "Burst", shows: "20 orders, 5 a second", order: { items: TEAPOT, token: "tok_ok" }, many: { count: 20, rate: 5 } },
];

/** The products of the shop. */
export const products = resource((signal) => get("/api/products?limit=100", { signal }), { shared: true });

/** The topic whose consumers get an unreadable record: four groups read it. */
const POISONED = "orders.events";

/** @param {string} label what was clicked, for the span @param {Order} order @returns {Promise<Accepted>} */
export const place = (label, { items, token }) =>
  click(label, { "app.payment": token }, (span) =>
    send("/api/orders", { items, payment_token: token }, { span, headers: { "idempotency-key": crypto.randomUUID() } }),
  );

/** The limits of a burst: a console is no load generator; `mesh load` is. */
export const MOST_ORDERS = 500;
export const HIGHEST_RATE = 50;

/** The burst that is on its way: how many orders were sent, accepted and refused. */
export const burst = signal(/** @type {{ count: number, rate: number, sent: number, accepted: number, refused: number, isOver: boolean, error?: Error } | undefined} */ (undefined));

let timer = 0;

/** Places orders at a rate; one burst at a time, a new one ends the one before. @param {string} label @param {Order} order @param {{ count: number, rate: number }} many @param {(accepted: Accepted) => void} [onAccepted] */
export function placeMany(label, order, many, onAccepted) {
  const count = Math.min(MOST_ORDERS, Math.max(1, Math.round(many.count)));
  const rate = Math.min(HIGHEST_RATE, Math.max(0.1, many.rate));
  endBurst();
  const own = { count, rate, sent: 0, accepted: 0, refused: 0, isOver: false };
  const show = (/** @type {Partial<typeof own> & { error?: Error }} */ changes) => {
    Object.assign(own, changes);
    if (current === own) burst.value = { ...own };
  };
  current = own;
  show({});
  const next = () => {
    show({ sent: own.sent + 1, isOver: own.sent + 1 >= count });
    place(label, order).then(
      (accepted) => {
        show({ accepted: own.accepted + 1 });
        onAccepted?.(accepted);
      },
      (error) => show({ refused: own.refused + 1, error }),
    );
    if (!own.isOver && current === own) timer = setTimeout(next, 1_000 / rate);
  };
  next();
}

/** @type {object | undefined} */
let current;

export function endBurst() {
  clearTimeout(timer);
  if (burst.peek() && !burst.peek()?.isOver) burst.value = { .../** @type {NonNullable<typeof burst.value>} */ (burst.peek()), isOver: true };
  current = undefined;
}

/** Sends a record that no consumer can read. */
export const poison = () => click("Poison event", { "app.topic": POISONED }, (span) => send("/lens/v1/events/poison", { topic: POISONED }, { span }));

/**
 * Does what a preset says. @param {Preset} preset @param {(accepted: Accepted) => void} [onAccepted]
 * @returns {Promise<string>} what happened, for the user
 */
export async function perform(preset, onAccepted) {
  if (preset.isPoison) {
    await poison();
    return `An unreadable record was sent to ${POISONED}; its consumers move it to the dead letters.`;
  }
  const order = /** @type {Order} */ (preset.order);
  if (preset.many) {
    placeMany(preset.label, order, preset.many, onAccepted);
    return `${preset.many.count} orders, ${preset.many.rate} a second`;
  }
  try {
    const accepted = await place(preset.label, order);
    onAccepted?.(accepted);
    return `Order ${accepted.id.slice(0, 8)} is ${accepted.status}.`;
  } catch (error) {
    if (error instanceof ApiError && error.status === 409) return `Refused, as intended: ${error.message}`;
    throw error;
  }
}
