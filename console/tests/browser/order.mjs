// An order as the browser places it.

/**
 * The order that the page places when `act` is done: the gateway's answer.
 * @param {import("playwright-core").Page} page @param {() => Promise<void>} act
 * @returns {Promise<{ id: string, trace_id: string }>}
 */
export async function placed(page, act) {
  const answer = page.waitForResponse((response) => response.url().endsWith("/api/orders") && response.request().method() === "POST");
  await act();
  const response = await answer;
  if (response.status() !== 202) throw new Error(`the order was not accepted: ${await response.text()}`);
  return response.json();
}

/** The row of an order in the table of Flows. @param {import("playwright-core").Page} page @param {{ id: string }} order */
export const row = (page, { id }) => page.getByRole("table", { name: "Orders" }).getByRole("row").filter({ hasText: id.slice(0, 8) });
