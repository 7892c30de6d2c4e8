// An order as the browser places it.

/**
 * The order that the page places when `act` is done: the gateway's answer.
 * @param {import("playwright-core").Page} page @param {() => Promise<void>} act
 * @returns {Promise<{ id: string, trace_id: string }>}
 */
export async function placed(page, act) {
  const isAnswer = (/** @type {import("playwright-core").Response} */ response) => response.url().endsWith("/api/orders") && response.request().method() === "POST";
  const [response] = await Promise.all([page.waitForResponse(isAnswer), act()]);
  if (response.status() !== 202) throw new Error(`the order was not accepted: ${await response.text()}`);
  return response.json();
}

/** A button that sends an order. @param {import("playwright-core").Page} page @param {string} name */
export const sender = (page, name) => page.getByRole("region", { name: "Send orders" }).getByRole("button", { name, exact: true });

/** The row of an order in the table of Flows. @param {import("playwright-core").Page} page @param {{ id: string }} order */
export const row = (page, { id }) => page.getByRole("table", { name: "Orders" }).getByRole("row").filter({ hasText: id.slice(0, 8) });
