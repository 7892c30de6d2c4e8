// What to send: presets, and a form for any order or burst.

import { burst, endBurst, HIGHEST_RATE, MOST_ORDERS, perform, place, placeMany, PRESETS, products, TOKENS } from "../../lib/orders.js";
import { html, nothing, signal } from "../../lib/view.js";

/** On a phone the orders are not to be below the form. */
const NARROW = matchMedia("(max-width: 860px)").matches;

/** @param {FormData} form */
async function sendAny(form) {
  const order = { items: [{ sku: String(form.get("sku")), quantity: Number(form.get("quantity")) }], token: String(form.get("token")) };
  const count = Number(form.get("count"));
  if (count > 1) {
    placeMany("Send", order, { count, rate: Number(form.get("rate")) });
    return "";
  }
  const accepted = await place("Send", order);
  return `Order ${accepted.id.slice(0, 8)} is ${accepted.status}.`;
}

const options = () => {
  const known = products.data.value?.items ?? [{ sku: "teapot", name: "Teapot" }];
  return known.map((/** @type {{ sku: string, name: string }} */ { sku, name }) => html`<option value=${sku} ?selected=${sku === "teapot"}>${name}</option>`);
};

/** @param {(form: FormData) => void} act */
const fields = (act) => html`<details class="any" ?open=${!NARROW}><summary><h3>Any order</h3></summary><form class="fields" @submit=${(/** @type {SubmitEvent} */ event) => {
  event.preventDefault();
  act(new FormData(/** @type {HTMLFormElement} */ (event.target)));
}}>
  <label class="field">Product<select class="input" name="sku">${options()}</select></label>
  <label class="field">The payment<select class="input" name="token">${TOKENS.map(([token, does]) => html`<option value=${token}>${does}</option>`)}</select></label>
  <div class="three">
    <label class="field">Quantity<input class="input" type="number" name="quantity" min="1" max="1000" value="1" required></label>
    <label class="field">Orders<input class="input" type="number" name="count" min="1" max=${MOST_ORDERS} value="1" required></label>
    <label class="field">A second<input class="input" type="number" name="rate" min="0.1" max=${HIGHEST_RATE} step="any" value="5" required></label>
  </div>
  <button class="button">Send</button>
  ${products.error.value && !products.data.value ? html`<p class="faint">The products are not known: ${products.error.value.message}</p>` : nothing}
</form></details>`;

function progress() {
  const now = burst.value;
  if (!now) return nothing;
  return html`<div class="burst" role="status">
    <progress max=${now.count} .value=${now.accepted + now.refused} aria-label="Orders answered"></progress>
    <div class="row"><span>${now.accepted} of ${now.count} accepted${now.refused ? html`, <span class="bad">${now.refused} refused</span>` : nothing}</span>
      <span class="space"></span>${now.isOver ? nothing : html`<button class="button plain" @click=${endBurst}>Stop</button>`}</div>
    ${now.error ? html`<p class="bad">${now.error.message}</p>` : nothing}
  </div>`;
}

export function orderForm() {
  const said = signal(/** @type {{ text: string, isBad?: boolean } | undefined} */ (undefined));
  /** @param {() => Promise<string>} act */
  async function report(act) {
    try {
      said.value = { text: await act() };
    } catch (error) {
      said.value = { text: error instanceof Error ? error.message : String(error), isBad: true };
    }
  }
  const presets = () => html`<ul class="presets">${PRESETS.map((preset) => html`<li>
    <button class="button ${preset.name === "ok" ? "primary" : ""}" @click=${() => report(() => perform(preset))}>${preset.label}</button>
    <span class="faint">${preset.shows}</span>
  </li>`)}</ul>`;
  return {
    placeOne: () => void report(() => perform(PRESETS[0])),
    close: endBurst,
    view: () => html`<header><h2>Send orders</h2></header>
      <div class="body">
        ${presets()}
        ${said.value?.text ? html`<p class=${said.value.isBad ? "notice bad" : "said"} role="status">${said.value.text}</p>` : nothing}
        ${progress()} ${fields((form) => report(() => sendAny(form)))}
      </div>`,
  };
}
