// Copies a text; the button says that it did.

import { html } from "../../lib/view.js";
import { icon } from "../../parts/icon.js";

/** @param {string} title @param {() => string} text */
export const copier = (title, text) => html`<button class="button plain" @click=${async (/** @type {Event} */ event) => {
  const label = /** @type {HTMLElement} */ (/** @type {Element} */ (event.currentTarget).querySelector("span"));
  label.textContent = (await copied(text())) ? "Copied" : "Not allowed";
  setTimeout(() => (label.textContent = title), 1_500);
}}>${icon("copy", "small")} <span class="label" role="status" .textContent=${title}></span></button>`;

/** @param {string} text */
async function copied(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // Without TLS, browsers have no clipboard, but for the older way.
    const area = document.createElement("textarea");
    area.value = text;
    document.body.append(area);
    area.select();
    const isDone = document.execCommand("copy");
    area.remove();
    return isDone;
  }
}
