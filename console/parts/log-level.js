// The log level of a service: shows it, and sets another one for some minutes. The service reverts it by itself.

import { get, resource, send } from "../lib/api.js";
import { time, utc } from "../lib/format.js";
import { html, nothing, signal, Widget } from "../lib/view.js";
import { stateOf } from "./state.js";

const LEVELS = ["error", "warn", "info", "debug", "trace"];
const MINUTES = [1, 5, 10, 30, 60];

/** Whether lens may change something. */
const operate = resource((signal) => get("/lens/v1/operate", { signal }), { shared: true });

/** `<log-level .service=${"payments"}>`; the service may be one replica, `payments@127.0.0.1:9004`. */
class LogLevel extends Widget {
  #service = signal("");
  #minutes = signal(10);
  #sending = signal(false);
  #refused = signal("");
  #levels = resource((signal) => get(this.#path(), { signal }), { every: 5_000, shared: true });

  /** @param {string} service */
  set service(service) {
    if (service === this.#service.peek()) return;
    this.#levels.data.value = undefined;
    this.#refused.value = "";
    this.#service.value = service;
  }

  #path() {
    return `/lens/v1/services/${encodeURIComponent(this.#service.value)}/log-level`;
  }

  /** @param {string} level */
  async #set(level) {
    this.#sending.value = true;
    try {
      this.#levels.data.value = await send(this.#path(), { level, minutes: this.#minutes.peek() }, { method: "PUT" });
      this.#refused.value = "";
    } catch (error) {
      this.#refused.value = error instanceof Error ? error.message : String(error);
    }
    this.#sending.value = false;
  }

  view() {
    return stateOf(this.#levels, ({ replicas }) => this.#switch(replicas), { lines: 2 });
  }

  /** @param {any[]} replicas */
  #switch(replicas) {
    const known = replicas.filter((one) => one.log_level);
    if (!known.length) return html`<p class="quiet">The level is not known: ${replicas[0]?.error ?? "no replica answers"}.</p>`;
    const levels = new Set(known.map((one) => one.log_level.level));
    const mayChange = operate.data.value?.enabled !== false;
    const isOff = !mayChange || this.#sending.value;
    return html`<div class="log-level">
      <div class="row wrap">
        <div class="segmented" role="group" aria-label="Log level">${LEVELS.map((level) => html`<button aria-pressed=${levels.has(level)} ?disabled=${isOff} @click=${() => this.#set(level)}>${level}</button>`)}</div>
        <label class="row quiet">for <select class="input" ?disabled=${isOff} @change=${(/** @type {Event & { target: HTMLSelectElement }} */ event) => (this.#minutes.value = Number(event.target.value))}>
          ${MINUTES.map((minutes) => html`<option value=${minutes} ?selected=${minutes === this.#minutes.value}>${minutes} min</option>`)}
        </select></label>
      </div>
      ${known.map((one) => lasts(one, known.length > 1))}
      ${this.#refused.value ? html`<p class="notice bad" role="alert">${this.#refused.value}</p>` : nothing}
      ${mayChange ? nothing : html`<p class="faint">This lens only reads. <code>MESH_LENS__OPERATE__ENABLED=true</code> lets it change levels.</p>`}
    </div>`;
  }
}

/** @param {any} replica @param {boolean} isNamed */
function lasts({ instance, log_level: { level, permanent, until } }, isNamed) {
  const name = isNamed ? html`<span class="mono">${instance}</span> ` : nothing;
  if (!until || level === permanent) return html`<p class="quiet">${name}<code>${level}</code>, until it is changed.</p>`;
  return html`<p class="warning">${name}<code>${level}</code> until <time title=${utc(until)}>${time(until)}</time>, then <code>${permanent}</code> again; the service sees to that itself.</p>`;
}

customElements.define("log-level", LogLevel);
