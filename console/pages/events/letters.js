// Dead letters: the list, and one of them as a whole.

import { hueClass } from "../../lib/color.js";
import { NONE, time, utc } from "../../lib/format.js";
import { href } from "../../lib/route.js";
import { html, nothing } from "../../lib/view.js";
import { icon } from "../../parts/icon.js";
import { stateOf } from "../../parts/state.js";
import { table } from "../../parts/table.js";
import { brief, consequence, words } from "./model.js";
import { record } from "./record.js";

/** @typedef {import("./model.js").Letter} Letter */
/** @typedef {import("./model.js").WholeLetter} WholeLetter */

/** Not colour alone: a letter that waits has an icon, one that was handled has its word. @param {Letter} letter */
const reason = ({ reason, handled }) => (handled ? html`<span class="faint">${words(reason)}, ${words(handled)}</span>` : html`<span class="badge warning">${icon("warning", "small")}${words(reason)}</span>`);

/** @type {import("../../parts/table.js").Column<Letter>[]} */
const COLUMNS = [
  { title: "Set aside", cell: (letter) => html`<span title=${utc(letter.time)}>${time(letter.time)}</span>` },
  { title: "Reason", cell: reason },
  { title: "By", cell: ({ group }) => html`<span class="row ${hueClass(group)}"><span class="dot"></span>${group || NONE}</span>` },
  { title: "Attempts", number: true, class: "far", cell: ({ attempts }) => attempts },
  { title: "Event", class: "far", cell: ({ event_type }) => brief(event_type) },
  { title: "Dead letter", class: "far mono", cell: ({ id }) => id },
  { title: "Error", class: "error", cell: ({ error }) => html`<span class="quiet" title=${error}>${error.split("\n")[0]}</span>` },
];

/** @param {{ items: Letter[], selected?: string, open: (letter: Letter) => void }} options */
export const letterTable = ({ items, selected, open }) => html`<div class="scroll list">${table({ label: "Dead letters", columns: COLUMNS, rows: [...items].reverse(), key: ({ id }) => id, selected, open })}</div>`;

/** @param {WholeLetter} letter @param {{ ask: (question: import("./confirm.js").Question) => void, mayChange: boolean, why: string, done: () => void }} options */
function whole(letter, { ask, mayChange, why, done }) {
  const question = (/** @type {"replay" | "discard"} */ how) =>
    ask({
      title: how === "replay" ? "Replay this event?" : "Discard this event?",
      text: () => html`<p>${consequence(letter, how)}</p>`,
      verb: how === "replay" ? "Replay" : "Discard",
      danger: how === "discard",
      path: () => `/lens/v1/events/dead-letters/${letter.id}/${how}`,
      done,
    });
  const isOff = !mayChange || letter.handled !== null;
  return html`<div class="whole">
    <dl class="facts">
      <dt>Error</dt><dd>${letter.error || NONE}</dd>
      <dt>Attempts</dt><dd>${letter.attempts}, by ${letter.group || "an unknown group"}</dd>
      <dt>Set aside</dt><dd><time title=${utc(letter.time)}>${time(letter.time)}</time> from <span class="mono">${letter.topic || "an unknown topic"}</span></dd>
      <dt>Key</dt><dd>${letter.key ? html`<a class="mono" href=${href("events", [], { order: letter.key })}>${letter.key}</a>` : "none"}</dd>
      ${letter.trace_id ? html`<dt>Trace</dt><dd><a class="mono" href=${href("traces", [letter.trace_id])}>${letter.trace_id}</a></dd>` : nothing}
    </dl>
    <div class="row wrap">
      <button class="button primary" ?disabled=${isOff} @click=${() => question("replay")}>Replay…</button>
      <button class="button danger" ?disabled=${isOff} @click=${() => question("discard")}>Discard…</button>
      ${letter.handled ? html`<span class="quiet">It was ${words(letter.handled)}.</span>` : mayChange ? nothing : html`<span class="quiet">${why}</span>`}
    </div>
    ${record({ ...letter, why: letter.undecodable })}
  </div>`;
}

/** @param {import("../../lib/api.js").Resource<WholeLetter | null>} resource @param {{ id: string, close: () => void } & Parameters<typeof whole>[1]} options */
export const letterPanel = (resource, { id, close, ...options }) => html`<section class="panel" aria-label="Dead letter" @keydown=${(/** @type {KeyboardEvent} */ event) => event.key === "Escape" && close()}>
  <header><h3>Dead letter</h3><span class="mono quiet cut">${id}</span><span class="space"></span>
    <button class="button plain" aria-label="Close" @click=${close}>${icon("close", "small")}</button></header>
  <div class="body">${stateOf(resource, (letter) => (letter ? whole(letter, options) : nothing), { lines: 6 })}</div>
</section>`;
