// The settings of a replica with their sources.

import { get, resource } from "../../lib/api.js";
import { html, nothing, signal, Widget } from "../../lib/view.js";
import { empty, stateOf } from "../../parts/state.js";
import { table } from "../../parts/table.js";
import { filtered, isChanged, shown } from "./model.js";

/** @typedef {import("./model.js").Setting} Setting */

/** `<service-settings .service=${"payments@127.0.0.1:9004"}>` */
class Settings extends Widget {
  #service = signal("");
  #text = signal("");
  #changed = signal(true);
  #settings = resource((signal) => get(`/lens/v1/services/${encodeURIComponent(this.#service.value)}/config`, { signal }), { every: 30_000, shared: true });

  /** @param {string} service */
  set service(service) {
    if (service === this.#service.peek()) return;
    this.#settings.data.value = undefined;
    this.#service.value = service;
  }

  view() {
    return stateOf(this.#settings, ({ replicas: [replica] }) => {
      if (!replica?.config) return html`<p class="quiet">The settings are not known: ${replica?.error ?? "no replica answers"}. They are read from the process, which has to run.</p>`;
      return this.#list(replica.config);
    });
  }

  /** @param {Setting[]} all */
  #list(all) {
    const [text, changed] = [this.#text.value, this.#changed.value];
    const rows = filtered(all, { text, changed });
    return html`<div class="row wrap">
        <input class="input" id="settings-search" type="search" placeholder="Search settings" aria-label="Search settings" .value=${text} @input=${(/** @type {Event & { target: HTMLInputElement }} */ event) => (this.#text.value = event.target.value)}>
        <button class="chip" aria-pressed=${changed} @click=${() => (this.#changed.value = !changed)}>differs from the default <b>${all.filter(isChanged).length}</b></button>
        <span class="faint">${rows.length} of ${all.length}</span>
      </div>
      ${rows.length ? html`<div class="scroll" tabindex="0" role="region" aria-label="Found settings">${table({ label: "Settings", columns: COLUMNS, rows, key: ({ key }) => key })}</div>` : empty("No setting matches", text ? "Search finds keys, values and sources." : "Each setting has its default.", changed ? html`<button class="button" @click=${() => (this.#changed.value = false)}>Show all ${all.length}</button>` : nothing)}`;
  }
}

/** @type {import("../../parts/table.js").Column<Setting>[]} */
const COLUMNS = [
  { title: "Setting", class: "mono", cell: ({ key }) => key },
  { title: "Value", class: "mono", cell: ({ value }) => html`<span title=${shown(value)}>${shown(value)}</span>` },
  { title: "Source", cell: ({ source }) => html`<span class=${source === "default" ? "faint" : ""} title=${source}>${source}</span>` },
];

customElements.define("service-settings", Settings);
