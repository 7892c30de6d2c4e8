// Orders as rows: what the list of orders and the live messages say, put together. Pure.

/** @typedef {"placed" | "paid" | "dispatched" | "completed" | "cancelled"} Status */
/** @typedef {{ status: Status, at: number }} Change times in milliseconds since the epoch */
/**
 * @typedef {object} Row
 * @property {string} id
 * @property {string} customer
 * @property {{ sku: string, quantity: number }[]} items empty until the list has the order
 * @property {{ currency: string, amount_minor: number } | undefined} total
 * @property {Change[]} history oldest first
 * @property {string | undefined} reason why it was cancelled
 * @property {string | undefined} trace
 */

/** The way of an order that nothing stops. @type {Status[]} */
export const STAGES = ["placed", "paid", "dispatched", "completed"];

/** Who works on an order in a status. @type {Record<string, string>} */
export const WORKS = { placed: "payments", paid: "shipping", dispatched: "shipping" };

/** @param {Row} row @returns {Status} */
export const statusOf = (row) => row.history.at(-1)?.status ?? "placed";

/** @param {Row} row */
export const isFinal = (row) => ["completed", "cancelled"].includes(statusOf(row));

/** @param {Row} row */
export const placedAt = (row) => row.history[0]?.at ?? 0;

/** Milliseconds from the first status to the last; to `now` while the order is on its way. @param {Row} row @param {number} now */
export const lasted = (row, now) => Math.max(0, (isFinal(row) ? /** @type {Change} */ (row.history.at(-1)).at : now) - placedAt(row));

/**
 * The rows with what `GET /api/orders` says: of two histories of an order, the longer one is newer.
 * @param {Map<string, Row>} rows @param {any[]} orders @param {number} most how many rows to keep, the newest
 */
export function merged(rows, orders, most) {
  const all = new Map(rows);
  for (const order of orders) {
    const history = order.history.map((/** @type {{ status: Status, at: string }} */ { status, at }) => ({ status, at: Date.parse(at) }));
    const known = all.get(order.id);
    all.set(order.id, {
      id: order.id,
      customer: order.customer,
      items: order.items,
      total: order.total,
      history: known && known.history.length > history.length ? known.history : history,
      reason: order.reason ?? known?.reason,
      trace: order.trace_id ?? known?.trace,
    });
  }
  return newest(all, most);
}

/**
 * The rows after a live message. A message that comes twice, or after the list had its change, changes nothing.
 * @param {Map<string, Row>} rows @param {import("../../lib/live.js").Message} message @param {number} most
 */
export function applied(rows, message, most) {
  if (!message.status) return rows;
  const known = rows.get(message.order_id);
  const history = known?.history ?? [];
  const status = /** @type {Status} */ (message.status);
  if (history.some((change) => change.status === status)) return rows;
  const all = new Map(rows);
  all.set(message.order_id, {
    id: message.order_id,
    customer: message.customer,
    items: known?.items ?? [],
    total: known?.total,
    history: [...history, { status, at: Date.parse(message.at) }].sort((one, other) => one.at - other.at),
    reason: message.reason ?? known?.reason,
    trace: known?.trace ?? message.traceparent?.split("-")[1],
  });
  return newest(all, most);
}

/** @param {Map<string, Row>} rows @param {number} most */
function newest(rows, most) {
  if (rows.size <= most) return rows;
  return new Map([...rows].sort(([, one], [, other]) => placedAt(other) - placedAt(one)).slice(0, most));
}

/** The name of the group that a row is filtered by. @param {Row} row */
export function group(row) {
  const status = statusOf(row);
  if (status === "cancelled") return row.reason ?? "cancelled";
  return status === "completed" ? status : "on its way";
}

/** What the shop is to blame for; other orders end as their customers want it, or their banks. @param {Row} row */
export const isFault = ({ reason }) => reason === "payment_unavailable" || reason === "reservation_expired";

/** How many rows each group has; the usual ones are there even if they are empty. @param {Iterable<Row>} rows */
export function groups(rows) {
  const counts = new Map([["on its way", 0], ["completed", 0]]);
  for (const row of rows) counts.set(group(row), (counts.get(group(row)) ?? 0) + 1);
  return counts;
}

/** How many orders reached each stage. @param {Iterable<Row>} rows */
export function funnel(rows) {
  const counts = { placed: 0, paid: 0, dispatched: 0, completed: 0, cancelled: 0 };
  for (const row of rows) for (const { status } of row.history) counts[status] += 1;
  return counts;
}

/** The upper bounds of the bars of the histogram, in milliseconds; the last bar has no bound. A parcel takes half a second twice. */
export const BOUNDS = [50, 100, 250, 500, 1_000, 1_100, 1_250, 1_500, 2_500, 5_000, 10_000];

/** The number of a duration's bar. @param {number} ms */
export function bar(ms) {
  const found = BOUNDS.findIndex((bound) => ms <= bound);
  return found < 0 ? BOUNDS.length : found;
}

/** How many finished orders took how long. @param {Iterable<Row>} rows */
export function histogram(rows) {
  const bars = Array.from({ length: BOUNDS.length + 1 }, () => 0);
  for (const row of rows) if (isFinal(row)) bars[bar(lasted(row, 0))] += 1;
  return bars;
}

/** A share of the durations is at most this. @param {Iterable<Row>} rows @param {number} share */
export function quantile(rows, share) {
  const all = [...rows].filter(isFinal).map((row) => lasted(row, 0)).sort((one, other) => one - other);
  return all.length ? all[Math.min(all.length - 1, Math.ceil(all.length * share) - 1)] : undefined;
}

/** The time that an order spent in each status; the last part grows while the order is on its way. @param {Row} row @param {number} now @returns {{ status: Status, ms: number }[]} */
export function parts(row, now) {
  return row.history.flatMap(({ status, at }, index) => {
    const next = row.history[index + 1]?.at ?? (isFinal(row) ? at : now);
    return status === "completed" || status === "cancelled" ? [] : [{ status, ms: Math.max(0, next - at) }];
  });
}

/** Whether a row passes the filters. @param {Row} row @param {{ group?: string, bar?: number, text?: string }} filters */
export function passes(row, { group: wanted, bar: duration, text }) {
  if (wanted && group(row) !== wanted) return false;
  if (duration !== undefined && !(isFinal(row) && bar(lasted(row, 0)) === duration)) return false;
  return !text || row.id.startsWith(text) || row.customer.includes(text) || row.items.some((item) => item.sku.includes(text));
}
