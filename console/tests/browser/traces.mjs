// From an order to its trace, across the brokers, and back.
import assert from "node:assert/strict";
import { chapter } from "./chapter.mjs";
import { placed, row, sender } from "./order.mjs";
import { until } from "./wait.mjs";

const useCase = chapter();

/** @param {import("playwright-core").Page} page */
const spans = (page) => page.getByRole("treegrid", { name: /^Spans/ });

/** The trace of an order that has been completed. @param {import("./chapter.mjs").Stage} stage */
async function openTrace({ mesh, page, open }) {
  const { id, trace_id } = await mesh.order();
  await until("the order is completed", async () => (await mesh.get(`/api/orders/${id}`)).status === "completed");
  await open(`#/traces/${trace_id}`);
  await spans(page).getByRole("row", { name: /gateway POST \/api\/orders/ }).waitFor();
}

useCase("the trace of an order opens from its row in Flows, with all services and without errors", async ({ page, open }) => {
  await open("#/flows");
  const order = await placed(page, () => sender(page, "Place an order").click());
  await row(page, order).getByText("completed", { exact: true }).waitFor();
  await row(page, order).getByRole("link", { name: "trace" }).click();
  await page.waitForURL(new RegExp(`#/traces/${order.trace_id}`));
  await page.getByRole("heading", { level: 2, name: /Place an order/ }).waitFor();
  await page.getByRole("link", { name: order.id.slice(0, 8) }).waitFor();
  for (const service of ["gateway", "orders", "catalog", "inventory", "payments"]) await spans(page).getByRole("row", { name: new RegExp(`${service} `) }).first().waitFor();
});

useCase("a link across Kafka leads to the consumer, and Back to the same place", async (stage) => {
  const { page } = stage;
  await openTrace(stage);
  const scrolled = () => spans(page).evaluate((element) => element.scrollTop);
  await spans(page).hover();
  // `orders` publishes three times; the second time is further down.
  const sends = spans(page).getByRole("row", { name: /orders send orders\.events/ });
  await until("a later event of orders is in view", async () => {
    if (await sends.last().isVisible() && (await scrolled()) > 300) return true;
    await page.mouse.wheel(0, 100);
    return false;
  });
  await sends.last().click();
  const from = await scrolled();
  const selected = spans(page).getByRole("row", { selected: true });
  await selected.getByText("send orders.events").waitFor();
  await page.getByRole("button", { name: /^continues in .*process orders\.events/ }).first().click();
  await selected.getByText("process orders.events").waitFor();
  await page.getByRole("button", { name: /^caused by .*send orders\.events/ }).waitFor();
  await page.getByRole("navigation", { name: "Way back" }).getByRole("button", { name: "Back", exact: true }).click();
  await selected.getByText("send orders.events").waitFor();
  assert.equal(await scrolled(), from);
});

useCase("keys walk through the spans, fold them, open one and return", async (stage) => {
  const { page } = stage;
  await openTrace(stage);
  await spans(page).focus();
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("ArrowDown");
  const rows = async () => Number(await spans(page).getAttribute("aria-rowcount"));
  const all = await rows();
  await page.keyboard.press("ArrowLeft");
  await until("spans are folded", async () => (await rows()) < all);
  await page.keyboard.press("ArrowRight");
  await until("spans are unfolded", async () => (await rows()) === all);
  await page.keyboard.press("Enter");
  await spans(page).getByRole("row", { selected: true }).waitFor();
  await page.getByRole("heading", { level: 3, name: /^Attributes/ }).waitFor();
  await page.keyboard.press("Escape");
  await page.getByRole("heading", { level: 3, name: /^Attributes/ }).waitFor({ state: "detached" });
});

useCase("a search by service and attribute finds the order's trace, and its address repeats it", async ({ mesh, page, open }) => {
  const { id, trace_id } = await mesh.order();
  await open("#/traces");
  await page.getByRole("textbox", { name: "Order", exact: true }).fill(id);
  await page.getByRole("textbox", { name: "Order", exact: true }).press("Enter");
  const found = page.getByRole("list", { name: "Traces" }).getByRole("listitem").filter({ has: page.locator(`a[href*="${trace_id}"]`) });
  await until("the trace is found", async () => {
    if (await found.count()) return true;
    await page.getByRole("button", { name: "Search" }).click();
    return false;
  });
  await page.reload();
  await found.first().waitFor();
  await page.keyboard.press("/");
  await until("the search has the focus", () => page.evaluate(() => document.activeElement?.matches("input, select") ?? false));
});
