// A record's content and its headers, side by side.

import { bytes } from "../../lib/format.js";
import { html } from "../../lib/view.js";
import { icon } from "../../parts/icon.js";

/** @typedef {import("./model.js").Header} Header */

/** @param {{ body: unknown, why: string | null, hexadecimal: string | null, size: number, headers: Header[] }} record */
export const record = ({ body, why, hexadecimal, size, headers }) => html`<div class="record">
  <section aria-label="Content"><h4>Content <span class="faint">${bytes(size)}</span></h4>
    ${why === null
      ? html`<pre class="mono" tabindex="0">${JSON.stringify(body, null, 2)}</pre>`
      : html`<p class="row warning">${icon("warning", "small")}<span>It cannot be decoded: ${why}</span></p><pre class="mono bytes" tabindex="0">${hexadecimal || "no bytes"}</pre>`}
  </section>
  <section aria-label="Headers"><h4>Headers</h4>
    ${headers.length ? html`<dl class="facts mono">${headers.map(([name, value]) => html`<dt>${name}</dt><dd>${value ?? html`<span class="faint">no value</span>`}</dd>`)}</dl>` : html`<p class="quiet">None.</p>`}
  </section>
</div>`;
