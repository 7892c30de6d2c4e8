// Each page can be used by everybody: axe-core finds no violation, in both themes, with data.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { chapter } from "./chapter.mjs";
import { PHONE } from "./browser.mjs";
import { PAGES, settled } from "./pages.mjs";

const AXE = createRequire(import.meta.url).resolve("axe-core/axe.min.js");

const useCase = chapter({ load: 3 });

/** What is wrong with the page as it is now: rule, explanation, elements. @param {import("playwright-core").Page} page */
const violations = (page) =>
  page.evaluate(async () => {
    const { axe } = /** @type {any} */ (globalThis);
    const found = await axe.run(document, { resultTypes: ["violations"] });
    const describe = (/** @type {any} */ { id, help, nodes }) => `${id}: ${help}: ${nodes.slice(0, 3).map((/** @type {any} */ node) => `${node.html.slice(0, 160)} — ${node.any[0]?.message ?? node.all[0]?.message ?? node.none[0]?.message ?? ""}`).join(" | ")} (${nodes.length})`;
    return /** @type {string[]} */ (found.violations.map(describe));
  });

/** What opens above a page or beside it. @type {{ name: string, path: string, show: (page: import("playwright-core").Page) => Promise<void> }[]} */
const OPENED = [
  {
    name: "Mesh with the drawer of a service",
    path: "#/mesh",
    show: async (page) => {
      await page.locator('[data-node="service:payments"]').click();
      await page.getByRole("complementary", { name: "payments" }).getByRole("group", { name: "Log level" }).waitFor();
    },
  },
  {
    name: "Mesh with the menu of orders",
    path: "#/mesh",
    show: async (page) => {
      await page.getByLabel("Other orders").click();
      await page.getByRole("button", { name: /^Declined/ }).waitFor();
    },
  },
  {
    name: "Events with the question of a dialog",
    path: "#/events",
    show: async (page) => {
      await page.getByRole("button", { name: "Send a poison event", exact: true }).click();
      await page.getByRole("dialog").getByRole("button", { name: "Send it" }).waitFor();
    },
  },
  {
    name: "The list of keys",
    path: "#/traces",
    show: async (page) => {
      await page.keyboard.press("?");
      await page.getByRole("dialog", { name: "Keys" }).waitFor();
    },
  },
  {
    name: "Services with the menu of links, beside an opened service",
    path: "#/services/payments",
    show: async (page) => {
      await page.getByRole("region", { name: "payments", exact: true }).getByText("Ready for traffic.").waitFor();
      await page.getByLabel("Links").click();
      await page.getByRole("link", { name: /API/ }).first().waitFor();
    },
  },
];

for (const theme of /** @type {const} */ (["light", "dark"])) {
  for (const { name, path, show } of OPENED) {
    useCase(`${name} has no violation of axe-core in the ${theme} theme`, async ({ page, open }) => {
      await page.addInitScript({ path: AXE });
      await open(path);
      await settled(page);
      await show(page);
      assert.deepEqual(await violations(page), []);
    }, { theme, calm: true });
  }
  for (const { name, path } of PAGES) {
    useCase(`${name} has no violation of axe-core in the ${theme} theme`, async ({ page, open }) => {
      await page.addInitScript({ path: AXE });
      await open(path);
      await settled(page);
      assert.deepEqual(await violations(page), []);
    }, { theme, calm: true });
  }
}

for (const { name, path } of PAGES) {
  useCase(`${name} has no violation of axe-core on a phone`, async ({ page, open }) => {
    await page.addInitScript({ path: AXE });
    await open(path);
    await settled(page);
    assert.deepEqual(await violations(page), []);
  }, { viewport: PHONE, calm: true });
}
