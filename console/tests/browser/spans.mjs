// From the click to the pixel: what the page records of itself.
import assert from "node:assert/strict";
import { chapter } from "./chapter.mjs";
import { placed, row, sender } from "./order.mjs";
import { until } from "./wait.mjs";

const useCase = chapter();

/** @param {string} address @returns {Promise<any>} */
const read = async (address) => (await fetch(address)).json();

/** The spans of a trace with their services, in Jaeger's form. @param {string} lens @param {string} trace */
async function spans(lens, trace) {
  const { data } = await read(`${lens}/api/traces/${trace}`);
  return data[0].spans.map((/** @type {any} */ span) => ({ ...span, service: data[0].processes[span.processID].serviceName }));
}

useCase("a trace begins with the click and ends when the completed order is on the screen", async ({ page, mesh, open }) => {
  await open("#/flows");
  const order = await placed(page, () => sender(page, "Place an order").click());
  await row(page, order).getByText("completed", { exact: true }).waitFor();
  const all = await until("lens has the paint of the completed order", async () => {
    const all = await spans(mesh.lens, order.trace_id);
    const isPaint = (/** @type {any} */ span) => span.operationName === "paint order" && span.tags.some((/** @type {any} */ tag) => tag.value === "completed");
    return all.some(isPaint) && all;
  });
  const [first] = all.filter((/** @type {any} */ span) => !span.references.length);
  assert.deepEqual([first.service, first.operationName], ["browser", 'click "Place an order"']);
  const start = Math.min(...all.map((/** @type {any} */ span) => span.startTime));
  assert.equal(first.startTime, start, "nothing is earlier than the click");
  const last = all.reduce((/** @type {any} */ a, /** @type {any} */ b) => (b.startTime + b.duration > a.startTime + a.duration ? b : a));
  assert.deepEqual([last.service, last.operationName], ["browser", "paint order"]);
});

useCase("the browser is a node of the topology, with its requests and the live messages that it receives", async ({ page, mesh, open }) => {
  await open("#/flows");
  const order = await placed(page, () => sender(page, "Place an order").click());
  await row(page, order).getByText("completed", { exact: true }).waitFor();
  await until("both edges of the browser", async () => {
    const { edges } = await read(`${mesh.lens}/lens/v1/topology?window=60s`);
    const has = (/** @type {string} */ source, /** @type {string} */ target, /** @type {string} */ protocol) =>
      edges.some((/** @type {any} */ edge) => edge.source === source && edge.target === target && edge.protocol === protocol);
    return has("service:browser", "service:gateway", "http") && has("service:gateway", "service:browser", "websocket");
  });
});

useCase("web vitals of the page are log records of the browser", async ({ page, mesh, open }) => {
  await open();
  await page.getByRole("button", { name: "Keys" }).click();
  await until("FCP and TTFB of the page", async () => {
    const { items } = await read(`${mesh.lens}/lens/v1/logs?service=browser&limit=100`);
    const texts = items.map((/** @type {any} */ line) => JSON.stringify(line));
    return ["FCP ", "TTFB "].every((name) => texts.some((/** @type {string} */ text) => text.includes(name)));
  });
});
