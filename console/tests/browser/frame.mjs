// The frame around the pages: what is there at once, keys, themes, a phone.
import assert from "node:assert/strict";
import { chapter } from "./chapter.mjs";
import { PHONE } from "./browser.mjs";
import { PAGES } from "./pages.mjs";
import { until } from "./wait.mjs";

const useCase = chapter({ load: 5 });

const NAMES = PAGES.map(({ name }) => name);

useCase("the first view names the pages, the state of the services and the rate of orders", async ({ page, open }) => {
  await open();
  const rail = page.getByRole("navigation", { name: "Pages" });
  assert.deepEqual((await rail.getByRole("link").allInnerTexts()).map((text) => text.trim().split("\n")[0]), NAMES);
  await page.getByRole("heading", { level: 1, name: "Mesh" }).waitFor();
  await page.getByText("8 of 8 ready").waitFor();
  await page.getByText(/^[\d.]+ orders\/s$/).waitFor();
  assert.equal(await page.title(), "Mesh · glassmesh");
});

useCase("each page opens by a click in the navigation, and the browser's Back returns to the last one", async ({ page, open }) => {
  await open();
  for (const name of NAMES.slice(1)) {
    await page.getByRole("navigation", { name: "Pages" }).getByRole("link", { name }).click();
    await page.getByRole("heading", { level: 1, name, exact: true }).waitFor();
  }
  await page.goBack();
  await page.getByRole("heading", { level: 1, name: "Events" }).waitFor();
});

useCase("an address without a page says so and leads back", async ({ page, open }) => {
  await open("#/nothing");
  await page.getByText("There is no page “nothing”.").waitFor();
  await page.getByRole("link", { name: "Open the mesh" }).click();
  await page.getByRole("heading", { level: 1, name: "Mesh" }).waitFor();
});

useCase("each page opens by two keys; ? lists the keys and Escape closes the list", async ({ page, open }) => {
  await open();
  await page.getByText("8 of 8 ready").waitFor();
  for (const [index, key] of [..."ftdaesm"].entries()) {
    await page.keyboard.press("g");
    await page.keyboard.press(key);
    await page.getByRole("heading", { level: 1, name: [...NAMES.slice(1), "Mesh"][index], exact: true }).waitFor();
  }
  await page.keyboard.press("?");
  const keys = page.getByRole("dialog", { name: "Keys" });
  await keys.getByText("open Flows").waitFor();
  await page.keyboard.press("Escape");
  await keys.waitFor({ state: "hidden" });
});

useCase("the theme follows the system until the user changes it, and stays after that", async ({ page, open }) => {
  const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  await open();
  const dark = await ground();
  await page.getByRole("button", { name: "Change the theme" }).click();
  const light = await until("the ground has another colour", async () => (await ground()) !== dark && ground());
  await page.reload();
  assert.equal(await ground(), light);
}, { theme: "dark" });

useCase("a paused console and a hidden one ask nothing until they go on", async ({ page, open }) => {
  await page.clock.install();
  await open();
  await page.getByText("8 of 8 ready").waitFor();
  /** @type {string[]} */
  let asked = [];
  page.on("request", (request) => void (request.url().endsWith("/console.json") || asked.push(request.url())));
  /** The requests of a minute, of which its last half counts: what was on its way has ended by then. */
  const inAMinute = async () => {
    for (let passed = 0; passed < 60; passed += 6) {
      if (passed === 30) asked = [];
      await page.clock.fastForward(6_000);
      await page.evaluate(async () => void (await (await fetch("/console.json")).text()));
    }
    return asked;
  };
  const hide = (/** @type {boolean} */ hidden) =>
    page.evaluate((hidden) => {
      Object.defineProperty(document, "hidden", { configurable: true, value: hidden });
      document.dispatchEvent(new Event("visibilitychange"));
    }, hidden);
  assert.notDeepEqual(await inAMinute(), []);
  await page.getByRole("button", { name: "Pause updates" }).click();
  await page.getByText("paused").waitFor();
  assert.deepEqual(await inAMinute(), [], "requests while it is paused");
  await page.getByRole("button", { name: "Continue updates" }).click();
  assert.notDeepEqual(await inAMinute(), []);
  await hide(true);
  assert.deepEqual(await inAMinute(), [], "requests while it is hidden");
  await hide(false);
  assert.notDeepEqual(await inAMinute(), []);
});

useCase("on a phone no page is wider than the screen, and the navigation is at its bottom", async ({ page, open }) => {
  await open();
  for (const name of NAMES) {
    await page.getByRole("navigation", { name: "Pages" }).getByRole("link", { name }).click();
    await until(`${name} is open`, async () => (await page.title()) === `${name} · glassmesh`);
    const width = await page.evaluate(() => document.documentElement.scrollWidth);
    assert.ok(width <= PHONE.width, `${name} is ${width} pixels wide`);
  }
  const rail = await page.getByRole("navigation", { name: "Pages" }).boundingBox();
  assert.ok(rail && rail.y > PHONE.height / 2, JSON.stringify(rail));
}, { viewport: PHONE });
