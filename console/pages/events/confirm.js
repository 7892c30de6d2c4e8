// Asks once before something changes, and says what will happen.

import { send } from "../../lib/api.js";
import { html, nothing, signal } from "../../lib/view.js";

/** @typedef {{ title: string, text: () => unknown, verb: string, danger?: boolean, path: () => string, body?: () => unknown, done?: (answer: any) => void }} Question */

/** A dialog for one question at a time. */
export function confirmation() {
  const question = signal(/** @type {Question | undefined} */ (undefined));
  const sending = signal(false);
  const refused = signal("");
  const dialog = () => /** @type {HTMLDialogElement | null} */ (document.getElementById("events-confirm"));
  /** @param {Question} asked */
  const ask = (asked) => {
    refused.value = "";
    question.value = asked;
    dialog()?.showModal();
  };
  const act = async (/** @type {Question} */ asked) => {
    sending.value = true;
    refused.value = "";
    try {
      const answer = await send(asked.path(), asked.body?.());
      dialog()?.close();
      asked.done?.(answer);
    } catch (error) {
      refused.value = error instanceof Error ? error.message : String(error);
    }
    sending.value = false;
  };
  const view = () => {
    const asked = question.value;
    return html`<dialog class="dialog events-confirm" id="events-confirm" aria-labelledby="events-confirm-title">
      ${asked
        ? html`<h2 id="events-confirm-title">${asked.title}</h2>
            <div class="text">${asked.text()}</div>
            ${refused.value ? html`<p class="notice bad" role="alert">${refused.value}</p>` : nothing}
            <form method="dialog" class="row">
              <span class="space"></span><button class="button" autofocus>Cancel</button>
              <button type="button" class="button ${asked.danger ? "danger" : "primary"}" ?disabled=${sending.value} @click=${() => act(asked)}>${asked.verb}</button>
            </form>`
        : nothing}
    </dialog>`;
  };
  return { ask, view };
}
