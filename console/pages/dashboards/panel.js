// <mesh-panel>: one panel, which asks while it is on the screen.

import { effect, html, nothing, signal, untracked, Widget } from "../../lib/view.js";
import { ApiError, visible } from "../../lib/api.js";
import { icon } from "../../parts/icon.js";
import { markdown } from "../../parts/markdown.js";
import { runnable } from "../../parts/runnable.js";
import { skeleton } from "../../parts/state.js";
import { age } from "../../lib/format.js";
import { about } from "../../lib/mesh.js";
import { answer, whyEmpty } from "./ask.js";
import { draw, isEmpty } from "./draw.js";

/** @typedef {import("./definition.js").Panel} Panel */
/** @typedef {import("./ask.js").Answer} Answer */
/**
 * @typedef {object} Board what the panels of one dashboard share
 * @property {import("../../vendor/signals-core/dist/signals-core.js").ReadonlySignal<import("./ask.js").Asked | undefined>} asked
 * @property {import("../../vendor/signals-core/dist/signals-core.js").ReadonlySignal<{ at: number, title: string, state?: "bad" }[]>} markers
 * @property {import("../../vendor/signals-core/dist/signals-core.js").Signal<number>} lost since when nothing answers, in milliseconds; 0 while something does
 * @property {string} group
 * @property {(from: number, to: number) => void} zoom
 * @property {() => void} unzoom
 * @property {(panel: Panel) => string} alone the address of a panel alone
 */

/** The height of a grid row and of what a panel has around its drawing. */
const ROW = 38;
const AROUND = 50;

class MeshPanel extends Widget {
  /** @type {{ panel: Panel, board: Board, section: string } | undefined} */
  given;
  #isSeen = signal(false);
  #answer = signal(/** @type {{ answer: Answer, asked: import("./ask.js").Asked, at: number, why?: string } | undefined} */ (undefined));
  #error = signal(/** @type {Error | undefined} */ (undefined));
  #isAsking = signal(false);
  #sight = new IntersectionObserver((entries) => (this.#isSeen.value = entries[entries.length - 1].isIntersecting), { rootMargin: "200px" });
  #end = () => {};
  #asking = new AbortController();

  connectedCallback() {
    super.connectedCallback();
    this.#sight.observe(this);
    this.#end = effect(() => {
      const asked = this.given?.board.asked.value;
      if (asked && this.#isSeen.value && visible.value && this.given?.panel.targets?.length) untracked(() => this.#ask(asked));
    });
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    this.#sight.disconnect();
    this.#end();
    this.#asking.abort();
  }

  /** @param {import("./ask.js").Asked} asked */
  async #ask(asked) {
    const { panel, board } = this.given ?? {};
    if (!panel || !board || this.#answer.peek()?.asked === asked) return;
    this.#asking.abort();
    const { signal: stop } = (this.#asking = new AbortController());
    this.#isAsking.value = true;
    try {
      const found = await answer(panel, asked, stop);
      const why = isEmpty(panel, found) && !panel.fieldConfig?.defaults.noValue ? await whyEmpty(panel, asked, stop) : undefined;
      this.#answer.value = { answer: found, asked, at: Date.now(), why };
      this.#error.value = undefined;
      board.lost.value = 0;
    } catch (error) {
      if (stop.aborted) return;
      if (isAway(error)) board.lost.value ||= Date.now();
      this.#error.value = error instanceof Error ? error : new Error(String(error));
    }
    if (!stop.aborted) this.#isAsking.value = false;
  }

  #body() {
    const { panel, board } = /** @type {NonNullable<MeshPanel["given"]>} */ (this.given);
    if (panel.type === "text") return markdown(panel.options?.content ?? "", { code: runnable });
    const known = this.#answer.value;
    const error = this.#error.value;
    if (!known) return error ? failure(error) : skeleton(3);
    const { answer: found, asked, why, at } = known;
    const height = Math.max(96, panel.gridPos.h * ROW - AROUND);
    const context = { span: asked.span, markers: board.markers.value, group: board.group, height, zoom: board.zoom, unzoom: board.unzoom };
    const drawn = why ? html`<div class="nothing"><b>No data</b><p>${why}</p></div>` : draw(panel, found, context);
    if (isAway(error)) return html`<div class="stale">${drawn}</div>`;
    return error ? html`<div class="notice" role="status">${icon("warning", "small")} ${error.message} · as it was ${age((Date.now() - at) / 1000)} ago</div><div class="stale">${drawn}</div>` : drawn;
  }

  view() {
    if (!this.given) return nothing;
    // Titles are unique in a section only.
    const { panel, board, section } = this.given;
    return html`<section class="panel" aria-label=${section ? `${panel.title}, ${section}` : panel.title} aria-busy=${this.#isAsking.value}>
      <header><h3 class="cut"><a href=${board.alone(panel)} title="Show it alone">${panel.title}</a></h3>
        ${panel.description && panel.type !== "text" ? html`<span class="about"><button class="button plain" aria-label=${`About ${panel.title}`}>${icon("help", "small")}</button><span role="note">${panel.description}</span></span>` : nothing}
      </header>
      <div class="body" tabindex=${["table", "nodeGraph", "logs", "text"].includes(panel.type) ? "0" : nothing} role="group" aria-label=${`${panel.title}, contents`}>${this.#body()}</div>
    </section>`;
  }
}

/** Whether the gateway itself is away, which the page says once for all panels. @param {unknown} error */
const isAway = (error) => error instanceof ApiError && error.status === 0;

/** @param {Error} error */
function failure(error) {
  const isApi = error instanceof ApiError;
  const remedy = !isApi ? "Reload the page; if it stays, the definition has something that this page does not draw, and Grafana does." : error.status === 0 || error.status >= 502 ? "It is asked again at the next refresh." : !about.data.value?.prometheus && (error.status === 400 || error.status === 422) ? "Lens evaluates a subset of PromQL within limits; a Prometheus behind the front door has no such limits." : "";
  return html`<div class="nothing" role="alert"><b>${icon("warning", "small")} ${isApi ? error.title : "This panel failed"}</b><p>${isApi ? error.detail : error.message}</p><p>${remedy}</p></div>`;
}

customElements.define("mesh-panel", MeshPanel);
