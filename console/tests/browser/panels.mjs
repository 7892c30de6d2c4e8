// The panels of a dashboard: whether they have data.
import assert from "node:assert/strict";
import { until } from "./wait.mjs";

/** What a panel about a part says where that part does not run: in `mesh up` lens is collector, trace store and Prometheus. */
const ELSEWHERE = /Compose and Kubernetes have (it|a Prometheus)\.$/;

/** Every panel is on the screen: one that is not asks nothing. */
export const TALL = { width: 1280, height: 8_000 };

/**
 * The panels without data, each with what it says; undefined while some are still asking.
 * @param {import("playwright-core").Page} page
 * @param {RegExp} elsewhere what a panel says that nothing can fill here
 */
async function empty(page, elsewhere) {
  const found = await page.getByRole("main").getByRole("region").evaluateAll((panels) =>
    panels.map((panel) => {
      const text = /** @type {HTMLElement} */ (panel).innerText.trim();
      const isAsking = panel.querySelector('[aria-label="loading"]') !== null;
      const isEmpty = /\bNo data\b/.test(text) || panel.querySelector('[role="alert"]') !== null || panel.lastElementChild?.childElementCount === 0;
      return { isAsking, isEmpty, text: text.replaceAll(/\s+/g, " ") };
    }),
  );
  if (!found.length || found.some(({ isAsking }) => isAsking)) return undefined;
  return found.filter(({ text, isEmpty }) => isEmpty && !elsewhere.test(text)).map(({ text }) => text.slice(0, 200));
}

/** Waits until every panel of the open dashboard has data. @param {import("playwright-core").Page} page @param {{ seconds?: number, elsewhere?: RegExp }} [options] */
export async function filled(page, { seconds = 60, elsewhere = ELSEWHERE } = {}) {
  await page.getByRole("main").getByRole("region").first().waitFor();
  for (const closed of await page.getByRole("main").locator("details.section:not([open]) > summary").all()) await closed.click();
  /** @type {string[] | undefined} */
  let last;
  await until("all panels have data", async () => (last = await empty(page, elsewhere))?.length === 0, { seconds }).catch(() => assert.deepEqual(last, []));
}
