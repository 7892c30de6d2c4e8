// Takes a CPU profile of a replica, and draws it.

import { percent } from "../../lib/format.js";
import { fetch } from "../../lib/tracing.js";
import { computed, html, nothing, signal, Widget } from "../../lib/view.js";
import { brief, condensed, crateOf, decode, heaviest, matching } from "./pprof.js";
import { shares } from "./flame.js";

/** @typedef {import("./pprof.js").Frame} Frame */
/** @typedef {{ root: Frame, comment: string, at: number }} Profile */

const SECONDS = 10;
/** How many functions the list beside the graph has. */
const LISTED = 8;
/** The crates of this repository beside that of the service. */
const OWN = ["chassis", "proto", "mesh", "embedded_kafka", "embedded_nats", "embedded_limits", "promql", "promrules", "timeseries", "profiler", "registry"];

/** Profiles of this visit: another service and back shows the last one again. @type {Map<string, Profile>} */
const taken = new Map();

/** `<service-profile .service=${"payments@127.0.0.1:9004"}>` */
class ServiceProfile extends Widget {
  #service = signal("");
  #profile = signal(/** @type {Profile | undefined} */ (undefined));
  #elapsed = signal(/** @type {number | undefined} */ (undefined));
  #refused = signal("");
  #search = signal("");
  #frame = signal(/** @type {Frame | undefined} */ (undefined));
  #whole = signal(false);
  #own = computed(() => new Set([this.#service.value.split("@")[0], ...OWN]));
  /** What is drawn. */
  #root = computed(() => {
    const root = this.#profile.value?.root;
    return root && !this.#whole.value ? condensed(root, ({ name, depth }) => depth < 2 || this.#own.value.has(crateOf(name))) : root;
  });
  #asking = new AbortController();

  /** @param {string} service */
  set service(service) {
    if (service === this.#service.peek()) return;
    this.#asking.abort();
    this.#service.value = service;
    this.#show(taken.get(service));
    this.#refused.value = "";
  }

  /** @param {Profile | undefined} profile */
  #show(profile) {
    this.#profile.value = profile;
    this.#frame.value = undefined;
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    this.#asking.abort();
  }

  async #record() {
    const asking = (this.#asking = new AbortController());
    const [service, begun] = [this.#service.peek(), Date.now()];
    const tick = setInterval(() => (this.#elapsed.value = (Date.now() - begun) / 1_000), 250);
    this.#elapsed.value = 0;
    this.#refused.value = "";
    try {
      const profile = { ...(await record(service, asking.signal)), at: Date.now() };
      taken.set(service, profile);
      if (!asking.signal.aborted) this.#show(profile);
    } catch (error) {
      if (!asking.signal.aborted) this.#refused.value = error instanceof Error ? error.message : String(error);
    }
    clearInterval(tick);
    if (asking === this.#asking) this.#elapsed.value = undefined;
  }

  view() {
    const [profile, elapsed] = [this.#profile.value, this.#elapsed.value];
    const isTaking = elapsed !== undefined;
    return html`<div class="row wrap">
        <button class="button" ?disabled=${isTaking} @click=${() => this.#record()}>${profile ? "Take another" : "Take a profile"} of ${SECONDS} s</button>
        ${isTaking ? html`<progress max=${SECONDS} .value=${Math.min(elapsed, SECONDS)} aria-label="Recording"></progress><span class="quiet">${elapsed < SECONDS ? `${Math.max(0, Math.ceil(SECONDS - elapsed))} s to go` : "names are looked up"}</span>` : nothing}
        ${profile ? html`<input class="input" type="search" placeholder="Search functions" aria-label="Search functions" .value=${this.#search.value} @input=${(/** @type {Event & { target: HTMLInputElement }} */ event) => (this.#search.value = event.target.value)}>
          <button class="chip" aria-pressed=${this.#whole.value} title="Also functions of libraries that only call the next one" @click=${() => (this.#whole.value = !this.#whole.peek())}>whole stacks</button>${this.#found(profile.root)}` : nothing}
      </div>
      ${this.#refused.value ? html`<p class="notice bad" role="alert">${this.#refused.value}</p>` : nothing}
      ${profile ? this.#graph(profile) : isTaking ? nothing : html`<p class="quiet">Which functions use the CPU: each thread is sampled 99 times in a second of its CPU time. An idle service has few samples, so send orders meanwhile. For a terminal: <code>go tool pprof ${location.origin}/lens/v1/services/${this.#service.value}/profile</code></p>`}`;
  }

  /** @param {Frame} root */
  #found(root) {
    const text = this.#search.value.trim().toLowerCase();
    return text ? html`<span class="quiet" role="status">${percent(matching(root, text) / root.total)} in functions that match</span>` : nothing;
  }

  /** @param {Profile} profile */
  #graph({ root, comment }) {
    if (!root.total) return html`<p class="quiet">No thread used the CPU for as long as a sample takes. Send orders while the profile is taken.</p>`;
    const frame = this.#frame.value;
    return html`<p class="flame-line">${frame ? html`<span class="mono cut" title=${frame.name}>${frame.name}</span> <span class="quiet">${shares(frame, root)}</span>` : html`<span class="quiet">${root.total} samples; functions of this repository have the service's colour. Click a box to zoom in; arrow keys walk, Enter zooms, Escape goes back.${comment ? ` ${comment}` : ""}</span>`}</p>
      <flame-graph .own=${this.#own.value} .root=${this.#root.value} .search=${this.#search.value.trim().toLowerCase()} .onframe=${(/** @type {Frame | undefined} */ now) => (this.#frame.value = now)}></flame-graph>
      <h4>Most time in themselves</h4>
      <ol class="heaviest">${heaviest(root, LISTED).map(([name, self]) => html`<li><span class="number">${percent(self / root.total)}</span> <button class="link mono cut" title=${name} @click=${() => (this.#search.value = name)}>${brief(name)}</button></li>`)}</ol>`;
  }
}

/** @param {string} service @param {AbortSignal} signal */
async function record(service, signal) {
  const answer = await fetch(`/lens/v1/services/${encodeURIComponent(service)}/profile?seconds=${SECONDS}`, { signal });
  if (!answer.ok || !answer.body) {
    const problem = await answer.json().catch(() => undefined);
    throw new Error(problem?.detail ?? `No profile: status ${answer.status}.`);
  }
  const unzipped = answer.body.pipeThrough(new DecompressionStream("gzip"));
  return decode(new Uint8Array(await new Response(unzipped).arrayBuffer()));
}

customElements.define("service-profile", ServiceProfile);
