// A drawer beside the page; Escape closes it, and it never covers what was clicked.

import { html } from "../lib/view.js";
import { icon } from "./icon.js";

/** @param {{ title: unknown, label: string, body: unknown, close: () => void }} options */
export const drawer = ({ title, label, body, close }) => html`<aside class="drawer" aria-label=${label} @keydown=${(/** @type {KeyboardEvent} */ event) => {
  if (event.key === "Escape") {
    event.stopPropagation();
    close();
  }
}}>
  <header>${title}<span class="space"></span><button class="button plain" aria-label="Close" @click=${close}>${icon("close", "small")}</button></header>
  <div class="body">${body}</div>
</aside>`;
