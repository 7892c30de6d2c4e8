// What is inside of one service.

import { get, resource } from "../../lib/api.js";
import { hueClass } from "../../lib/color.js";
import { age, time, utc } from "../../lib/format.js";
import { hasDoor, now } from "../../lib/mesh.js";
import { href, setParams } from "../../lib/route.js";
import { batch, html, nothing, signal, Widget } from "../../lib/view.js";
import { icon } from "../../parts/icon.js";
import "../../parts/log-level.js";
import { stateOf } from "../../parts/state.js";
import "./profile.js";
import "./settings.js";

/** How many log lines are shown; the traces page has more. */
const LATEST = 8;

/** `<service-detail .shown=${{ service, replicas, address }}>` */
class Detail extends Widget {
  #service = signal("");
  #replicas = signal(/** @type {import("./model.js").Replica[]} */ ([]));
  #replica = signal("");
  #readiness = resource((signal) => get(`/lens/v1/services/${encodeURIComponent(this.#one())}/readiness`, { signal }), { every: 3_000, shared: true });
  #lines = resource((signal) => get(`/lens/v1/logs?${new URLSearchParams({ service: this.#service.value, severity: "warn", limit: String(LATEST) })}`, { signal }), { every: 5_000, shared: true });
  close = () => {};

  /** All at once: a service with the address of another one does not exist. @param {{ service: string, replicas: import("./model.js").Replica[], address: string | null }} shown */
  set shown({ service, replicas, address }) {
    batch(() => {
      if (service !== this.#service.peek()) this.#lines.data.value = this.#readiness.data.value = undefined;
      this.#service.value = service;
      this.#replicas.value = replicas;
      this.#replica.value = address ?? replicas[0]?.instance ?? "";
    });
  }

  /** The replica that is shown, as lens names it. */
  #one() {
    return this.#replica.value ? `${this.#service.value}@${this.#replica.value}` : this.#service.value;
  }

  view() {
    const [service, one] = [this.#service.value, this.#one()];
    return html`<section class="service ${hueClass(service)}" aria-label=${service}>
      <header class="row wrap"><h2 class="stripe">${service}</h2> <span class="row wrap about">${this.#choice()} ${build(this.#replicas.value.find(({ instance }) => instance === this.#replica.value))}
        ${links(service).map(([to, word]) => html`<a href=${to} target=${to.startsWith("#") ? nothing : "_blank"} rel="noopener">${word}</a>`)}</span>
        <span class="space"></span><button class="button plain" aria-label="Close" @click=${() => this.close()}>${icon("close", "small")}</button></header>
      <div class="parts">
        ${panel("Readiness", stateOf(this.#readiness, ({ replicas: [replica] }) => readiness(replica), { lines: 3 }))}
        ${panel("Log level", html`<log-level .service=${service}></log-level>`)}
        ${panel("Warnings and errors", stateOf(this.#lines, ({ items }) => lines(items), { lines: 3 }))}
        ${panel("Settings", html`<service-settings .service=${one}></service-settings>`, "wide")}
        ${panel("CPU profile", html`<service-profile .service=${one}></service-profile>`, "wide")}
      </div>
    </section>`;
  }

  #choice() {
    const replicas = this.#replicas.value;
    if (replicas.length < 2) return replicas[0]?.instance ? html`<span class="mono faint">${replicas[0].instance}</span>` : nothing;
    return html`<select class="input" aria-label="Replica" @change=${(/** @type {Event & { target: HTMLSelectElement }} */ event) => setParams({ replica: event.target.value })}>
      ${replicas.map(({ instance }) => html`<option value=${instance ?? ""} ?selected=${instance === this.#replica.value}>${instance}</option>`)}
    </select>`;
  }
}

customElements.define("service-detail", Detail);

/** @param {string} heading @param {unknown} content @param {string} [kind] */
const panel = (heading, content, kind = "") => html`<section class="panel ${kind}"><header><h3>${heading}</h3></header><div class="body">${content}</div></section>`;

/** What the replica was built from. @param {import("./model.js").Replica | undefined} replica */
const build = (replica) => (replica?.version ? html`<span class="faint">version ${replica.version}, commit <span class="mono">${replica.revision ?? "unknown"}</span></span>` : nothing);

/** @param {string} service @returns {[to: string, word: string][]} */
const links = (service) => [
  [href("dashboards", ["mesh-service"], { service }), "Dashboard"],
  [href("traces", [], { service }), "Traces"],
  ...(service === "gateway" ? /** @type {[string, string][]} */ ([["/docs", "API"]]) : []),
  ...(hasDoor("/jaeger") ? /** @type {[string, string][]} */ ([[`/jaeger/search?service=${encodeURIComponent(service)}`, "Jaeger"]]) : []),
];

/** @param {any} replica */
function readiness(replica) {
  if (!replica?.readiness) return html`<p class="bad row">${icon("bad", "small")} Down${replica?.down_since ? html` for ${age((now() - Date.parse(replica.down_since)) / 1_000)}` : nothing}: ${replica?.error ?? "no replica is known"}</p>`;
  const { ready, missing, degraded, checks = [] } = replica.readiness;
  const ofKind = (/** @type {string} */ wanted) => checks.filter((/** @type {any} */ { kind }) => kind === wanted);
  const released = ofKind("latch").filter((/** @type {any} */ { ok }) => ok);
  return html`<p class=${ready ? "" : "bad"}>${ready ? "Ready for traffic." : `Not ready: ${missing.join(", ")}.`}</p>
    <ul class="checks">
      ${ofKind("latch").map((/** @type {any} */ { name, ok }) => (ok ? nothing : check("bad", name, "the start waits for it")))}
      ${ofKind("condition").map((/** @type {any} */ { name, ok }) => {
        const cause = degraded.find((/** @type {any} */ one) => one.name === name);
        return ok ? check("", name, "works") : check(missing.includes(name) ? "bad" : "warning", name, cause ? `since ${time(cause.since)}: ${cause.reason}` : "does not work");
      })}
    </ul>
    ${released.length ? html`<p class="faint">The start waited for ${released.map((/** @type {any} */ { name }) => name).join(", ")}.</p>` : nothing}`;
}

/** @param {string} level @param {string} name @param {string} text */
const check = (level, name, text) => html`<li class=${level}>${icon(level ? "bad" : "good", "small")} <span>${name.replaceAll("_", " ")}</span> <span class="faint">${text}</span></li>`;

/** @param {any[]} all */
function lines(all) {
  if (!all.length) return html`<p class="quiet">None among the log lines that lens has.</p>`;
  return html`<ul class="log-lines">${[...all].reverse().map((line) => {
    const text = html`<time class="faint" title=${utc(line.at)}>${time(line.at)}</time> <span class=${line.severity === "error" ? "bad" : "warning"}>${line.severity}</span> <span class="cut" title=${line.body}>${line.body}</span>`;
    return html`<li>${line.trace_id ? html`<a class="row" href=${href("traces", [line.trace_id], { span: line.span_id ?? undefined })}>${text}</a>` : html`<span class="row">${text}</span>`}</li>`;
  })}</ul>`;
}
