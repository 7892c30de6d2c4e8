// Events: topics and who reads them, the events of one order, and the dead letters.

import { get, resource } from "../lib/api.js";
import { stylesheet } from "../lib/assets.js";
import { route, setParams } from "../lib/route.js";
import { computed, html, nothing, signal } from "../lib/view.js";
import { icon } from "../parts/icon.js";
import { empty, skeleton, stateOf } from "../parts/state.js";
import { confirmation } from "./events/confirm.js";
import { letterPanel, letterTable } from "./events/letters.js";
import { lettersWith, rowsOf } from "./events/model.js";
import { orderPanel, orderSearch } from "./events/order.js";
import { topicTable } from "./events/topics.js";

const STYLE = new URL("../style/events.css", import.meta.url);
const ROOT = "/lens/v1/events";

/** @typedef {import("./events/model.js").Overview} Overview */
/** @typedef {import("./events/model.js").Letter} Letter */
/** @typedef {{ items: Letter[], complete: boolean, unread: string[] }} Letters */

const orderId = computed(() => route.value.params.get("order") ?? "");
const letterId = computed(() => route.value.params.get("letter") ?? "");
/** What dead letters are searched for. */
const wanted = computed(() => route.value.params.get("q") ?? "");
const isAll = computed(() => route.value.params.get("handled") === "true");

function data() {
  const optional = (/** @type {string} */ path, /** @type {string} */ id, /** @type {AbortSignal} */ signal) => (id ? get(`${ROOT}/${path}/${id.split("/").map(encodeURIComponent).join("/")}`, { signal }) : Promise.resolve(null));
  return {
    topics: /** @type {import("../lib/api.js").Resource<Overview>} */ (resource((signal) => get(`${ROOT}/topics`, { signal }), { every: 5_000 })),
    letters: /** @type {import("../lib/api.js").Resource<Letters>} */ (resource((signal) => get(`${ROOT}/dead-letters?all=${isAll.value}`, { signal }), { every: 5_000 })),
    order: /** @type {import("../lib/api.js").Resource<import("./events/model.js").Order | null>} */ (resource((signal) => optional("orders", orderId.value, signal), { every: 5_000 })),
    letter: /** @type {import("../lib/api.js").Resource<import("./events/model.js").WholeLetter | null>} */ (resource((signal) => optional("dead-letters", letterId.value, signal))),
    operate: resource((signal) => get("/lens/v1/operate", { signal })),
    style: resource(() => stylesheet(STYLE)),
  };
}

/** @param {ReturnType<typeof data>} all */
function dialogs(all) {
  const { ask, view } = confirmation();
  const topic = signal("orders.events");
  const report = signal("");
  const renew = () => Promise.all([all.letters.refresh(), all.letter.refresh(), all.topics.refresh()]);
  const topics = () => (all.topics.data.value?.topics ?? []).filter((one) => !one.dead_letters).map((one) => one.topic);
  const readers = () => (all.topics.data.value?.groups ?? []).filter((group) => group.topic === topic.value).map(({ group }) => group);
  const poison = () =>
    ask({
      title: "Send a poison event?",
      text: () => html`<label class="field">Topic <select class="input" @change=${(/** @type {Event & { target: HTMLSelectElement }} */ event) => (topic.value = event.target.value)}>
          ${topics().map((name) => html`<option ?selected=${name === topic.value}>${name}</option>`)}</select></label>
        <p>Three bytes that are no event are sent to <span class="mono">${topic.value}</span>. Each group that reads it (${readers().join(", ") || "none now"}) sets the record aside as a dead letter, counts it, and goes on: no order waits for it.</p>`,
      verb: "Send it",
      path: () => `${ROOT}/poison`,
      body: () => ({ topic: topic.peek() }),
      done: (sent) => {
        report.value = `The record ${sent.topic}/${sent.partition}/${sent.offset} was sent; its dead letters appear here in a moment.`;
        setTimeout(renew, 700);
      },
    });
  const replayAll = (/** @type {number} */ count) =>
    ask({
      title: count === 1 ? "Replay the dead letter?" : `Replay all ${count} dead letters?`,
      text: () => html`<p>Each event is sent to its topic again, the oldest first, for the one group that could not handle it. A group passes over what it has handled in the meantime; what still fails becomes a dead letter again, and so do records that cannot be decoded.</p>`,
      verb: "Replay all",
      path: () => `${ROOT}/dead-letters/replay`,
      done: ({ replayed, failed, left }) => {
        report.value = [`${replayed.length} replayed`, ...failed.map((/** @type {any} */ one) => `${one.id}: ${one.error}`), ...(left ? [`${left} not tried`] : [])].join(" · ");
        renew();
      },
    });
  return { ask, view, poison, replayAll, report, renew };
}

const teachTopics = () => empty("Kafka has no topics of the mesh", html`<code>mesh up</code> makes them, and <code>mesh topics</code> does on brokers of your own. A replay of a recorded run has none.`);

export default function open() {
  const all = data();
  const dialog = dialogs(all);
  const mayChange = () => all.operate.data.value?.enabled === true;
  const why = "This lens only reads: lens.operate.enabled is not set.";
  const teach = () => empty("No dead letters", "An event that a service cannot decode or handle is set aside here, with the reason, and blocks no other. Send a poison event to see it happen.", html`<button class="button primary" ?disabled=${!mayChange()} title=${mayChange() ? "" : why} @click=${dialog.poison}>Send a poison event</button>`);
  const closeLetter = () => setParams({ letter: undefined });
  const lettersView = (/** @type {Letters} */ { items, complete, unread }) => html`${letterTable({ items: lettersWith(items, wanted.value), selected: letterId.value || undefined, open: ({ id }) => setParams({ letter: id }, { replace: false }) })}
    ${wanted.value ? html`<p class="faint gap" role="status">${lettersWith(items, wanted.value).length} of ${items.length} have “${wanted.value}”.</p>` : nothing}
    ${unread.map((text) => html`<p class="notice">${icon("warning", "small")} ${text}</p>`)}
    ${complete ? nothing : html`<p class="faint gap">Only the newest are shown; <code>mesh dlq list</code> prints all.</p>`}`;
  const waiting = () => (all.letters.data.value?.items ?? []).filter(({ handled }) => !handled).length;
  const view = () => html`<div class="events pad">
    ${orderSearch(orderId.value)}
    ${orderId.value ? orderPanel(all.order, orderId.value) : nothing}
    <section class="panel" aria-label="Dead letters">
      <header><h2>Dead letters</h2>${waiting() ? html`<span class="badge warning">${waiting()} waiting</span>` : nothing}<span class="space"></span>
        ${all.letters.data.value?.items.length ? html`<input class="input" type="search" placeholder="reason, group, event, error" aria-label="Search dead letters" .value=${wanted.value}
          @input=${(/** @type {InputEvent} */ event) => setParams({ q: /** @type {HTMLInputElement} */ (event.target).value || undefined })}>` : nothing}
        <button class="chip" aria-pressed=${isAll.value} @click=${() => setParams({ handled: isAll.peek() ? undefined : "true" })}>also handled</button>
        ${waiting() ? html`<button class="button" ?disabled=${!mayChange()} title=${mayChange() ? "" : why} @click=${() => dialog.replayAll(waiting())}>Replay all…</button>` : nothing}
        ${all.letters.data.value?.items.length ? html`<button class="button" ?disabled=${!mayChange()} title=${mayChange() ? "" : why} @click=${dialog.poison}>Send a poison event…</button>` : nothing}</header>
      ${dialog.report.value ? html`<p class="notice plain" role="status">${dialog.report.value}<span class="space"></span><button class="button plain" aria-label="Close" @click=${() => (dialog.report.value = "")}>${icon("close", "small")}</button></p>` : nothing}
      ${stateOf(all.letters, lettersView, { lines: 4, isEmpty: ({ items, unread }) => !items.length && !unread.length, teach })}
    </section>
    ${letterId.value ? letterPanel(all.letter, { id: letterId.value, close: closeLetter, ask: dialog.ask, mayChange: mayChange(), why, done: dialog.renew }) : nothing}
    <section class="panel" aria-label="Topics">
      <header><h2>Topics</h2><span class="faint">each with the groups that read it</span></header>
      ${stateOf(all.topics, topicTable, { lines: 9, isEmpty: (overview) => !rowsOf(overview).length, teach: teachTopics })}
    </section>
    ${dialog.view()}
  </div>`;
  return {
    view: () => (all.style.at.value || all.style.error.value ? view() : skeleton(9)),
    keys: {
      "/": /** @type {[string, () => void]} */ (["search an order", () => document.getElementById("events-order")?.focus()]),
      Escape: /** @type {[string, () => void]} */ (["close the dead letter", closeLetter]),
    },
    close: () => Object.values(all).forEach((one) => one.stop()),
  };
}
