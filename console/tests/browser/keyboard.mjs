// Rows are walked and opened by keys alone.
import assert from "node:assert/strict";
import { chapter } from "./chapter.mjs";
import { until } from "./wait.mjs";

const useCase = chapter({ load: 3 });

/** What has the focus, in its own words. @param {import("playwright-core").Page} page */
const focused = (page) => page.evaluate(() => (/** @type {HTMLElement} */ (document.activeElement).innerText ?? "").trim().split(/\s/)[0]);

useCase("j and k walk through the services, Enter opens one, and Escape closes it", async ({ page, open }) => {
  await open("#/services");
  const rows = page.getByRole("table", { name: "Services" }).locator("tbody tr");
  await rows.filter({ hasText: "payments" }).getByText("ready").waitFor();
  await rows.filter({ hasText: "orders" }).focus();
  await page.keyboard.press("j");
  assert.equal(await focused(page), "payments");
  await page.keyboard.press("j");
  assert.equal(await focused(page), "shipping");
  await page.keyboard.press("k");
  await page.keyboard.press("Enter");
  await page.waitForURL(/#\/services\/payments$/);
  await page.getByRole("region", { name: "payments", exact: true }).getByText("Ready for traffic.").waitFor();
  await page.keyboard.press("Escape");
  await page.waitForURL(/#\/services$/);
});

useCase("j and k walk through the traces that are found, Enter opens one, j and k walk through its spans, and Escape leads back", async ({ page, open }) => {
  await open("#/traces");
  const found = page.locator(".traces .result > a");
  await until("there are traces", async () => (await found.count()) >= 3);
  const place = () => page.evaluate(() => [...document.querySelectorAll(".traces .result > a")].indexOf(/** @type {Element} */ (document.activeElement)));
  const walk = async (/** @type {string} */ keys) => {
    for (const key of keys) await page.keyboard.press(key);
    return place();
  };
  assert.equal(await walk("j"), 0);
  assert.equal(await walk("jj"), 2);
  assert.equal(await walk("k"), 1);
  const address = await found.nth(1).getAttribute("href");
  await page.keyboard.press("Enter");
  await until("the trace is open", async () => page.url().includes(String(address).split("?")[0]));
  const span = () => new URL(page.url().replace("#/", "")).searchParams.get("span");
  await page.getByRole("row", { selected: true }).or(page.locator("[aria-selected]")).first().waitFor();
  await page.keyboard.press("j");
  const first = await until("a span is selected", span);
  await page.keyboard.press("j");
  const second = await until("the next one is", () => span() !== first && span());
  await page.keyboard.press("k");
  await until("the first one is again", () => span() === first && second !== first);
  await page.keyboard.press("Escape");
  await until("the span is left, or the search is back", () => span() === null);
});

useCase("Enter opens the drawer of the node that has the focus, arrow keys lead to the next, and Escape closes the drawer", async ({ page, open }) => {
  await open();
  const node = (/** @type {string} */ name) => page.locator(`[data-node="service:${name}"]`);
  await node("gateway").waitFor();
  await node("gateway").focus();
  await page.keyboard.press("Enter");
  const drawer = page.getByRole("complementary", { name: "gateway" });
  await drawer.waitFor();
  await page.keyboard.press("Escape");
  await drawer.waitFor({ state: "detached" });
  await node("gateway").focus();
  await page.keyboard.press("ArrowRight");
  assert.notEqual(await page.evaluate(() => document.activeElement?.getAttribute("data-node")), "service:gateway");
});
