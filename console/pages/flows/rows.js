// The rows of the page, kept fresh by the list of orders and by live messages.

import { get, paused, resource } from "../../lib/api.js";
import { subscribe } from "../../lib/live.js";
import { now } from "../../lib/mesh.js";
import { painted, received } from "../../lib/tracing.js";
import { batch, signal } from "../../lib/view.js";
import { applied, merged } from "./model.js";

/** As many rows as are kept: some seconds of a heavy load. */
const MOST = 500;

/** The list is read again so that totals, items and lost messages arrive. */
const LIST_EVERY_MS = 3_000;

export function liveRows() {
  const rows = signal(/** @type {Map<string, import("./model.js").Row>} */ (new Map()));
  const tick = signal(now());
  let isAsking = false;
  const list = resource(
    async (signal) => {
      isAsking = true;
      try {
        const answer = await get("/api/orders?limit=100", { signal });
        rows.value = merged(rows.peek(), answer.items, MOST);
        return true;
      } finally {
        isAsking = false;
      }
    },
    { every: LIST_EVERY_MS },
  );
  // A burst has hundreds of messages a second; the rows change once a frame.
  /** @type {import("../../lib/live.js").Message[]} */
  let arrived = [];
  let frame = 0;
  const take = () => {
    const messages = arrived;
    [frame, arrived] = [0, []];
    batch(() => {
      rows.value = messages.reduce((known, message) => applied(known, message, MOST), rows.peek());
      tick.value = now();
    });
    messages.forEach(painted);
  };
  const unsubscribe = subscribe({ everything: true }, (message) => {
    if (paused.peek()) return;
    received(message);
    arrived.push(message);
    frame ||= requestAnimationFrame(take);
  });
  const timer = setInterval(() => {
    if (document.hidden || paused.peek()) return;
    tick.value = now();
    // Messages have neither items nor total.
    if (!isAsking && ![...rows.peek().values()].every(({ total }) => total)) list.refresh();
  }, 1_000);
  return {
    rows,
    /** The present, for ages. */
    tick,
    list,
    close: () => {
      list.stop();
      unsubscribe();
      clearInterval(timer);
      cancelAnimationFrame(frame);
    },
  };
}
