// The button that places an order, and the menu of the other orders worth to be tried.

import { burst, endBurst, perform, PRESETS } from "../../lib/orders.js";
import { html, nothing, signal } from "../../lib/view.js";
import { icon } from "../../parts/icon.js";

/** What became of the last click. */
const said = signal(/** @type {{ text: string, isBad: boolean } | undefined} */ (undefined));
const isSending = signal(false);

/** The orders that this page has placed: they are shown first. */
export const placedHere = signal(/** @type {import("../../lib/orders.js").Accepted | undefined} */ (undefined));

/** @param {import("../../lib/orders.js").Preset} preset */
async function send(preset) {
  isSending.value = true;
  try {
    const text = await perform(preset, (accepted) => (placedHere.value = accepted));
    // What a burst does is counted while it lasts.
    said.value = preset.many ? undefined : { text, isBad: false };
  } catch (error) {
    said.value = { text: error instanceof Error ? error.message : String(error), isBad: true };
  } finally {
    isSending.value = false;
  }
}

export const placeOne = () => void send(PRESETS[0]);

/** @param {Event} event */
function closeMenu(event) {
  const menu = /** @type {HTMLElement} */ (event.currentTarget).closest("details");
  if (menu) menu.open = false;
}

/** @param {FocusEvent} event */
function leave(event) {
  const menu = /** @type {HTMLDetailsElement} */ (event.currentTarget);
  if (!(event.relatedTarget instanceof Node && menu.contains(event.relatedTarget))) menu.open = false;
}

/** What the last click did. It stands beside the button, and moves nothing. */
export function answer() {
  const running = burst.value;
  if (running?.isOver && !said.value) return html`<p class="answer quiet" role="status">${running.accepted} of ${running.sent} accepted</p>`;
  if (running && !running.isOver) {
    return html`<p class="answer" role="status"><span class="quiet">${running.sent} of ${running.count} sent${running.refused ? html`, <span class="bad">${running.refused} refused</span>` : nothing}</span>
      <button class="button" @click=${endBurst}>Stop</button></p>`;
  }
  return html`<p class="answer" role="status"><span class="${said.value?.isBad ? "bad" : "quiet"} cut" title=${said.value?.text ?? ""}>${said.value?.text ?? ""}</span></p>`;
}

export const menu = () => html`<div class="order">
  <span class="split">
    <button class="button primary" title="Place an order (o)" ?disabled=${isSending.value} @click=${placeOne}>Place an order</button>
    <details class="menu" @focusout=${leave}>
      <summary class="button primary" aria-label="Other orders">${icon("down", "small")}</summary>
      <div class="list">
        ${PRESETS.slice(1).map((preset) => html`<button @click=${(/** @type {Event} */ event) => {
          closeMenu(event);
          send(preset);
        }}><b>${preset.label}</b><span class="quiet">${preset.shows}</span></button>`)}
      </div>
    </details>
  </span>
</div>`;
