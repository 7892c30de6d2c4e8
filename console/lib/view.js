// Templates, state, and what joins them: a view is drawn again in the next frame after something that it has read has changed.

import { html, nothing, render, svg } from "../vendor/lit-html/lit-html.js";
import { classMap } from "../vendor/lit-html/directives/class-map.js";
import { ref } from "../vendor/lit-html/directives/ref.js";
import { repeat } from "../vendor/lit-html/directives/repeat.js";
import { batch, computed, effect, signal, untracked } from "../vendor/signals-core/dist/signals-core.module.js";

export { batch, classMap, computed, effect, html, nothing, ref, render, repeat, signal, svg, untracked };

/**
 * Keeps an element showing a view. A hidden page has no frames, so nothing is drawn in it.
 * @param {HTMLElement} element
 * @param {() => unknown} view returns a template; the signals that it reads are watched
 * @returns {() => void} ends it
 */
export function mount(element, view) {
  let stop = () => {};
  let frame = 0;
  const draw = () => {
    frame = 0;
    stop();
    let isFirst = true;
    stop = effect(() => {
      if (isFirst) {
        isFirst = false;
        render(view(), element);
      } else {
        frame ||= requestAnimationFrame(draw);
      }
    });
  };
  draw();
  return () => {
    cancelAnimationFrame(frame);
    stop();
  };
}

/** An element with a view of its own, in the page's own styles: there is no shadow tree. */
export class Widget extends HTMLElement {
  #stop = () => {};

  /** @returns {unknown} */
  view() {
    return nothing;
  }

  connectedCallback() {
    this.#stop = mount(this, () => this.view());
  }

  disconnectedCallback() {
    this.#stop();
  }
}
