// The waterfall: ten thousand spans, links between traces walked both ways, and what a span shows.
import assert from "node:assert/strict";
import { sendLargeTrace } from "../large-trace.mjs";
import { chapter } from "./chapter.mjs";
import { until } from "./wait.mjs";

const useCase = chapter();

/** Lens' address for OTLP. @param {import("./mesh.mjs").Mesh} mesh */
const lens = (mesh) => `http://127.0.0.1:${mesh.base + 7}`;

/** @param {import("playwright-core").Page} page */
const waterfall = (page) => page.getByRole("treegrid", { name: "Spans" });

/** @param {import("playwright-core").Page} page */
const selected = (page) => waterfall(page).locator("[aria-selected=true]");

/** A batch that handled the first message of each of these traces, in a trace of its own. @param {import("./mesh.mjs").Mesh} mesh @param {string[]} traces */
async function sendBatch(mesh, traces) {
  const links = [];
  for (const id of traces) {
    const found = await until(`${id} has a message`, async () => {
      const { data } = await mesh.get(`/lens/api/traces?traceID=${id}`);
      return data[0]?.spans.find((/** @type {any} */ span) => span.operationName === "send orders.events");
    });
    links.push({ traceId: id, spanId: found.spanID });
  }
  const trace = `ba7c4${Date.now()}`.padEnd(32, "0");
  const start = BigInt(Date.now()) * 1_000_000n;
  const span = { traceId: trace, spanId: "00000000000000ba", name: "process batch", kind: 5, startTimeUnixNano: String(start), endTimeUnixNano: String(start + 5_000_000n), links };
  const service = { key: "service.name", value: { stringValue: "shipping" } };
  const body = JSON.stringify({ resourceSpans: [{ resource: { attributes: [service] }, scopeSpans: [{ spans: [span] }] }] });
  const answer = await fetch(`${lens(mesh)}/v1/traces`, { method: "POST", headers: { "content-type": "application/json" }, body, signal: AbortSignal.timeout(10_000) });
  assert.equal(answer.status, 200);
  return { trace, sent: links[0].spanId };
}

useCase("of ten thousand spans only those in sight exist, and the last is one key away", async ({ page, mesh, open }) => {
  const trace = await sendLargeTrace(lens(mesh));
  await open(`#/traces/${trace}`);
  const rows = waterfall(page).getByRole("row");
  await rows.first().waitFor();
  await until("all spans are there", async () => (await waterfall(page).getAttribute("aria-rowcount")) === "10000");
  assert.ok((await rows.count()) < 100, `${await rows.count()} rows`);
  await waterfall(page).focus();
  await page.keyboard.press("End");
  await waterfall(page).locator('[aria-rowindex="10000"]').waitFor();
  await page.keyboard.press("Home");
  await page.keyboard.press("ArrowLeft");
  await until("only the root is left", async () => (await waterfall(page).getAttribute("aria-rowcount")) === "1");
  await page.keyboard.press("ArrowRight");
  await until("all are back", async () => (await waterfall(page).getAttribute("aria-rowcount")) === "10000");
});

useCase("a link leads to the batch in another trace, on to a third, and Back returns to the same row", async ({ page, mesh, open }) => {
  const orders = [await mesh.order(), await mesh.order({ token: "tok_declined" })];
  const [first, second] = orders.map(({ trace_id }) => trace_id);
  const { trace, sent } = await sendBatch(mesh, [first, second]);
  await open(`#/traces/${first}?span=${sent}`);
  const panel = page.getByRole("complementary", { name: "send orders.events" });
  await panel.getByRole("button", { name: "shipping process batch" }).click();
  await page.waitForURL(new RegExp(`#/traces/${trace}`));
  const batch = page.getByRole("complementary", { name: "process batch" });
  await batch.getByRole("button", { name: second.slice(0, 8) }).click();
  await page.waitForURL(new RegExp(`#/traces/${second}`));
  await selected(page).getByText("send orders.events").waitFor();
  const way = page.getByRole("navigation", { name: "Way back" });
  assert.equal(await way.getByRole("link").count(), 2);
  await way.getByRole("link").first().click();
  await page.waitForURL(new RegExp(`#/traces/${first}\\?span=${sent}`));
  await selected(page).getByText("send orders.events").waitFor();
  assert.equal(await way.count(), 0);
});

useCase("an attribute of a span becomes a search, which finds its trace as text and from the address", async ({ page, mesh, open }) => {
  const { id, trace_id } = await mesh.order();
  await open(`#/traces?order=${id}`);
  const found = page.locator(`a[href="#/traces/${trace_id}"]`);
  await found.waitFor();
  assert.equal(await page.getByLabel("The search as text").inputValue(), `order=${id}`);
  await found.click();
  await waterfall(page).getByText("POST /api/orders").first().click();
  await page.getByRole("complementary").getByRole("link", { name: `Search for traces with order.id ${id}` }).click();
  await page.waitForURL(/attr=order\.id/);
  await found.waitFor();
  await page.getByLabel("The search as text").fill("orders");
  await page.getByRole("button", { name: "Search", exact: true }).click();
  await page.getByRole("alert").getByText("write key=value").waitFor();
});

useCase("two orders are compared operation by operation", async ({ page, mesh, open }) => {
  const [whole, declined] = [await mesh.order(), await mesh.order({ token: "tok_declined" })];
  await until("both are there", async () => {
    const states = await Promise.all([whole, declined].map(({ id }) => mesh.get(`/api/orders/${id}`)));
    return states.every(({ status }) => ["completed", "cancelled"].includes(status));
  });
  await until("the last span has arrived", async () => JSON.stringify(await mesh.get(`/lens/api/traces?traceID=${whole.trace_id}`)).includes("deliver shipment"));
  await open(`#/traces/${whole.trace_id}?compare=${declined.trace_id}`);
  const operations = page.getByRole("table", { name: "Operations of both traces" });
  await operations.getByRole("row").filter({ hasText: "dispatch shipment" }).getByText("only in A").waitFor();
  await page.getByRole("button", { name: "only in one" }).click();
  await operations.getByRole("row").filter({ hasText: "POST /api/orders" }).waitFor({ state: "detached" });
});
