// Icons of one stroke, drawn in a square of 18.

import { html, svg } from "../lib/view.js";

const PATHS = {
  mesh: svg`<path d="M4 9h3.5M10 7.6l3-2.6M10 10.4l3 2.6"/><circle cx="3" cy="9" r="1.5"/><circle cx="9" cy="9" r="1.7"/><circle cx="14.3" cy="4.2" r="1.5"/><circle cx="14.3" cy="13.8" r="1.5"/>`,
  flows: svg`<path d="M3 5h9l-2.5-2.5M3 13h9l-2.5 2.5M6 9h9"/>`,
  traces: svg`<path d="M3 4h7M6 9h6M10 14h5"/>`,
  dashboards: svg`<path d="M3 3h5v5H3zM10 3h5v3h-5zM10 8h5v7h-5zM3 10h5v5H3z"/>`,
  alerts: svg`<path d="M9 2.5 16 15H2zM9 7v4M9 13v.2"/>`,
  events: svg`<path d="M3 5c0-1 2.7-2 6-2s6 1 6 2-2.7 2-6 2-6-1-6-2zM3 5v8c0 1 2.7 2 6 2s6-1 6-2V5M3 9c0 1 2.7 2 6 2s6-1 6-2"/>`,
  services: svg`<path d="M3 3h12v5H3zM3 10h12v5H3zM6 5.5h.2M6 12.5h.2"/>`,
  links: svg`<path d="M7.5 10.5l3-3M8 5.5 9.8 3.7a3 3 0 0 1 4.5 4.5L12.5 10M10 12.5l-1.8 1.8a3 3 0 0 1-4.5-4.5L5.5 8"/>`,
  close: svg`<path d="M4.5 4.5l9 9M13.5 4.5l-9 9"/>`,
  pause: svg`<path d="M6.5 4v10M11.5 4v10"/>`,
  play: svg`<path d="M6 4l8 5-8 5z"/>`,
  theme: svg`<circle cx="9" cy="9" r="6"/><path d="M9 3v12a6 6 0 0 0 0-12z" fill="currentColor"/>`,
  help: svg`<circle cx="9" cy="9" r="6.5"/><path d="M7 7.2A2 2 0 1 1 9 9.4v1M9 12.8v.2"/>`,
  search: svg`<circle cx="8" cy="8" r="4.5"/><path d="M11.5 11.5 15 15"/>`,
  back: svg`<path d="M10.5 4 5.5 9l5 5"/>`,
  forward: svg`<path d="M7.5 4l5 5-5 5"/>`,
  down: svg`<path d="M4 7l5 5 5-5"/>`,
  up: svg`<path d="M4 11l5-5 5 5"/>`,
  copy: svg`<path d="M6 6h9v9H6zM3 12V3h9"/>`,
  open: svg`<path d="M7 4H4v10h10v-3M10 3h5v5M15 3l-6 6"/>`,
  warning: svg`<path d="M9 2.5 16 15H2zM9 7v4M9 13v.2"/>`,
  bad: svg`<circle cx="9" cy="9" r="6.5"/><path d="M6.7 6.7l4.6 4.6M11.3 6.7l-4.6 4.6"/>`,
  good: svg`<path d="M4 9.5l3.5 3.5L14 6"/>`,
  refresh: svg`<path d="M14.5 8A5.7 5.7 0 1 0 14 11.5M14.8 3.5V8h-4.5"/>`,
};

/** @param {keyof typeof PATHS} name @param {"small" | ""} [size] */
export const icon = (name, size = "") => html`<svg class="icon ${size}" viewBox="0 0 18 18" aria-hidden="true">${PATHS[name]}</svg>`;
