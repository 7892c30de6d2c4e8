// The places of the latest orders. An order keeps its place until it has ended and another one needs it: nothing moves.

/** The stages of an order, each one segment. */
export const STAGES = ["placed", "charged", "paid", "dispatched", "completed"];

/** @typedef {{ id: string, stage: number, state: string, reason?: string, trace?: string, began: number, ended?: number, took?: number, isOwn: boolean, hasBegin: boolean }} Order times in milliseconds; `took` in seconds, if its begin is known */
/** @typedef {{ id: string, stage?: number, state?: string, reason?: string, trace?: string, at: number, isOwn?: boolean, isBegin?: boolean, took?: number }} News */

const OF_STATUS = { placed: 1, paid: 3, dispatched: 4, completed: 5 };
const OF_TYPE = { OrderPlaced: 1, PaymentAuthorized: 2, OrderPaid: 3, OrderDispatched: 4, ShipmentDispatched: 4, OrderCompleted: 5 };

/** How long an order that has ended stays to be seen. */
const STAY_MS = 1_500;

/** What a live message says of its order. @param {{ order_id: string, type: string, at: string, status?: string, reason?: string, traceparent?: string, trace_id?: string }} message @returns {News} */
export function fromMessage({ order_id: id, type, at, status, reason, traceparent, trace_id: trace = traceparent?.split("-")[1] }) {
  const word = type.slice(type.lastIndexOf(".") + 1);
  const state = status ?? (word === "OrderCancelled" ? "cancelled" : undefined);
  return { id, stage: OF_TYPE[/** @type {keyof OF_TYPE} */ (word)] ?? OF_STATUS[/** @type {keyof OF_STATUS} */ (state)] ?? 0, state, reason, trace, at: Date.parse(at), isBegin: word === "OrderPlaced" || status === "placed" };
}

/** @param {{ id: string, trace_id: string, state: string | null, started_at: string, duration_ms: number | null }} flow @returns {News} */
export const fromFlow = ({ id, trace_id: trace, state, started_at: began, duration_ms: ms }) => ({
  id,
  stage: OF_STATUS[/** @type {keyof OF_STATUS} */ (state)] ?? 0,
  state: state ?? undefined,
  trace,
  at: Date.parse(began),
  isBegin: true,
  took: ms === null ? undefined : ms / 1_000,
});

export class Slots {
  /** @type {(Order | undefined)[]} */
  orders = [];
  #size = 0;

  /** @param {number} size */
  resize(size) {
    this.#size = size;
    this.orders.length = Math.min(this.orders.length, size);
  }

  /** Takes news of an order; returns whether a place has changed. @param {News} news @param {number} now @returns {boolean} */
  see(news, now) {
    const known = this.orders.find((order) => order?.id === news.id);
    if (known) return update(known, news, now);
    // An order that is under way since before the page opened has no first message; lens knows it.
    const place = this.#free(now, news);
    if (place < 0) return false;
    const order = { id: news.id, stage: 0, state: "placed", began: news.at, isOwn: false, hasBegin: false };
    this.orders[place] = order;
    update(order, news, now);
    return true;
  }

  /** A place for an order: an empty one, or that of an earlier order which has ended. One that the user has placed is shown in any case. @param {number} now @param {News} news */
  #free(now, { at, isOwn }) {
    for (let place = 0; place < this.#size; place += 1) if (!this.orders[place]) return place;
    const since = (/** @type {Order | undefined} */ order) => order?.ended ?? Infinity;
    let oldest = -1;
    this.orders.forEach((order, place) => {
      if (!isOwn && order && order.began >= at) return;
      if (oldest < 0 || since(order) < since(this.orders[oldest])) oldest = place;
    });
    if (oldest >= 0 && (isOwn || since(this.orders[oldest]) + STAY_MS <= now)) return oldest;
    return -1;
  }
}

/** @param {Order} order @param {News} news @param {number} now */
function update(order, news, now) {
  const before = JSON.stringify(order);
  order.stage = Math.max(order.stage, news.stage ?? 0);
  const isLast = order.state === "completed" || order.state === "cancelled";
  if (news.state && !isLast && (news.state === "cancelled" || (OF_STATUS[/** @type {keyof OF_STATUS} */ (news.state)] ?? 0) >= order.stage - 1)) order.state = news.state;
  order.reason ??= news.reason;
  order.trace ??= news.trace;
  order.isOwn ||= news.isOwn ?? false;
  order.hasBegin ||= news.isBegin ?? news.isOwn ?? false;
  order.began = Math.min(order.began, news.at);
  if (order.ended === undefined && (order.state === "completed" || order.state === "cancelled")) {
    order.ended = now;
    order.took = news.took ?? (order.hasBegin ? Math.max(0, (news.at - order.began) / 1_000) : undefined);
  }
  return JSON.stringify(order) !== before;
}
