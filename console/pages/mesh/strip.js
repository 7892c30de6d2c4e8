// The latest orders under the graph: five segments each, which fill as the order goes on.

import { get, paused, resource } from "../../lib/api.js";
import { duration } from "../../lib/format.js";
import { state as live, subscribe } from "../../lib/live.js";
import { href } from "../../lib/route.js";
import { painted, received } from "../../lib/tracing.js";
import { classMap, effect, html, nothing, signal, Widget } from "../../lib/view.js";
import { placedHere, placeOne } from "./order.js";
import { fromFlow, fromMessage, Slots, STAGES } from "./slots.js";

/** A place is at least so wide; the gap between two. As in the style sheet. */
const WIDTH = 188;
const GAP = 16;
/** On a low screen the graph needs the height of the second row. */
const rows = () => (innerHeight > 760 ? 2 : 1);
const NARROW_ROWS = 6;

/** More changes in a second cannot be read. */
const SHOW_MS = 150;

class Strip extends Widget {
  #slots = new Slots();
  #shown = signal(/** @type {(import("./slots.js").Order | undefined)[]} */ ([]));
  #flows = /** @type {ReturnType<typeof flows>} */ (/** @type {unknown} */ (undefined));
  #timer = 0;
  /** Messages that have changed a place and are not on the screen yet. @type {import("../../lib/live.js").Message[]} */
  #unpainted = [];
  /** @type {(() => void)[]} */
  #ends = [];
  #sizes = new ResizeObserver(([entry]) => {
    const { width } = entry.contentRect;
    this.#slots.resize(Math.max(1, Math.floor((width + GAP) / (WIDTH + GAP))) * (width < 500 ? NARROW_ROWS : rows()));
    this.#seeFlows(this.#flows.data.peek());
    this.#show();
  });

  view() {
    return orders(this.#shown.value, this.#flows);
  }

  connectedCallback() {
    this.#flows = flows();
    super.connectedCallback();
    this.#sizes.observe(this);
    this.#ends = [
      this.#flows.stop,
      subscribe({ everything: true }, (message) => {
        if (!paused.peek()) received(message);
        if (this.#see(fromMessage(message))) this.#unpainted.push(message);
      }, { onGap: this.#flows.again }),
      effect(() => this.#seeFlows(this.#flows.data.value)),
      effect(() => {
        if (!paused.value) this.#show();
      }),
      effect(() => {
        const own = placedHere.value;
        if (own) this.#see({ id: own.id, stage: 1, state: own.status, trace: own.trace_id ?? undefined, at: Date.now(), isOwn: true });
      }),
    ];
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    for (const end of this.#ends) end();
    this.#sizes.disconnect();
  }

  /** @param {{ items: any[] } | undefined} answer */
  #seeFlows(answer) {
    for (const flow of [...(answer?.items ?? [])].reverse()) this.#see(fromFlow(flow));
  }

  /** @param {import("./slots.js").News} news @returns {boolean} whether something is to be shown */
  #see(news) {
    const isNew = this.#slots.see(news, Date.now());
    if (isNew) this.#show();
    return isNew;
  }

  #show() {
    if (paused.peek()) return void (this.#unpainted.length = 0);
    this.#timer ||= window.setTimeout(() => {
      this.#timer = 0;
      this.#shown.value = this.#slots.orders.map((order) => order && { ...order });
      this.#unpainted.splice(0).forEach(painted);
    }, SHOW_MS);
  }
}

customElements.define("mesh-strip", Strip);

/** Live messages tell how orders go on; without them, lens is asked again. */
function flows() {
  /** @type {{ items: any[] } | undefined} */
  let last;
  const asked = resource(async (signal) => {
    if (!last || live.value.kind !== "live") last = await get("/lens/v1/flows?limit=24", { signal });
    return last;
  }, { every: 2_000 });
  /** Live messages were missed. */
  const again = () => {
    last = undefined;
    asked.refresh();
  };
  return { ...asked, again };
}

/** @param {(import("./slots.js").Order | undefined)[]} all @param {import("../../lib/api.js").Resource<any>} flows */
function orders(all, flows) {
  if (all.some(Boolean)) return html`<div class="slots">${all.map((order) => (order ? slot(order) : html`<i></i>`))}</div>`;
  if (flows.data.value === undefined && flows.error.value) return html`<p class="quiet">The latest orders are not known: ${flows.error.value.message}</p>`;
  if (flows.data.value === undefined) return nothing;
  return html`<p class="first"><b>No orders yet.</b> <span class="quiet">Place one and watch: calls reserve its stock, events carry it on to payment and shipping, and its five segments fill here.</span> <button class="button" @click=${placeOne}>Place an order <kbd class="faint">o</kbd></button></p>`;
}

/** @param {import("./slots.js").Order} order */
function slot({ id, stage, state, reason, trace, took, isOwn }) {
  const isCancelled = state === "cancelled";
  const word = isCancelled ? (reason ?? "cancelled").replaceAll("_", " ") : state;
  const content = html`<span class="mono">${id.slice(0, 8)}</span><span class="cut">${word}</span><span class="faint">${took === undefined ? "" : duration(took)}</span>
    <span class="segments" aria-hidden="true">${STAGES.map((_, index) => html`<i class=${classMap({ done: index < stage, cancelled: isCancelled })}></i>`)}</span>`;
  const classes = `slot ${isOwn ? "own" : ""} ${state === "completed" || state === "cancelled" ? "ended" : ""}`;
  return trace ? html`<a class=${classes} href=${href("traces", [trace])} title=${id}>${content}</a>` : html`<span class=${classes} title=${id}>${content}</span>`;
}
