// Orders placed by clicking, watched until they end.
import assert from "node:assert/strict";
import { chapter } from "./chapter.mjs";
import { placed, row, sender } from "./order.mjs";
import { until } from "./wait.mjs";

const useCase = chapter();

useCase("an order placed by a click goes through its stages in its row until it is completed", async ({ page, open }) => {
  await open("#/flows");
  await page.getByText("8 of 8 ready").waitFor();
  const order = await placed(page, () => sender(page, "Place an order").click());
  await page.getByText(`Order ${order.id.slice(0, 8)} is placed.`).waitFor();
  await row(page, order).waitFor();
  await row(page, order).getByText("completed", { exact: true }).waitFor();
  await row(page, order).getByRole("img", { name: /placed.*paid.*dispatched/ }).waitFor();
  await page.getByRole("region", { name: "Funnel" }).getByRole("listitem").filter({ hasText: "completed" }).getByText("1", { exact: true }).waitFor();
});

useCase("a declined order ends as cancelled, with the reason in its row", async ({ page, open }) => {
  await open("#/flows");
  const order = await placed(page, () => sender(page, "Declined").click());
  await row(page, order).getByText("cancelled").waitFor();
  await row(page, order).getByText(/declined/).waitFor();
});

useCase("an order for more than there is in stock is refused with the reason", async ({ page, open, allow }) => {
  allow(/status of 409/);
  await open("#/flows");
  await sender(page, "Out of stock").click();
  await page.getByRole("status").getByText(/^Refused, as intended: Out of stock/).waitFor();
});

useCase("the filters show the orders that they name, and the address keeps them", async ({ page, open }) => {
  await open("#/flows");
  const declined = await placed(page, () => sender(page, "Declined").click());
  const completed = await placed(page, () => sender(page, "Place an order").click());
  await row(page, completed).getByText("completed", { exact: true }).waitFor();
  await page.getByRole("group", { name: "Filters" }).getByRole("button", { name: /^payment declined/ }).click();
  await row(page, completed).waitFor({ state: "detached" });
  await row(page, declined).waitFor();
  await page.reload();
  await row(page, declined).waitFor();
  assert.equal(await row(page, completed).count(), 0);
});

useCase("o places an order from the mesh, and its row in the strip fills", async ({ page, open }) => {
  await open();
  await page.getByRole("main").getByRole("button", { name: /^gateway/ }).waitFor();
  const order = await placed(page, () => page.keyboard.press("o"));
  await page.getByRole("region", { name: "Latest orders" }).getByRole("link", { name: new RegExp(`^${order.id.slice(0, 8)}.*completed`) }).waitFor();
});

/**
 * What is drawn on the canvas: how many pixels lie on the line of an edge, and how many on no line at all.
 * @param {import("playwright-core").Page} page @param {string} edge
 */
const dots = (page, edge) =>
  page.evaluate((edge) => {
    const canvas = /** @type {HTMLCanvasElement} */ (document.querySelector("mesh-dots canvas"));
    const graph = /** @type {SVGSVGElement} */ (document.querySelector("svg.graph"));
    const ratio = canvas.width / graph.viewBox.baseVal.width;
    const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext("2d", { willReadFrequently: true });
    copy?.drawImage(canvas, 0, 0);
    const pixels = copy?.getImageData(0, 0, canvas.width, canvas.height).data ?? [];
    const drawn = [];
    for (let at = 0; 4 * at < pixels.length; at += 1) if (pixels[4 * at + 3] > 128) drawn.push({ x: (at % canvas.width) / ratio, y: Math.floor(at / canvas.width) / ratio });
    const lines = [.../** @type {NodeListOf<SVGPathElement>} */ (graph.querySelectorAll(".edge .line"))].map((line) => ({
      id: /** @type {HTMLElement} */ (line.closest("[data-edge]")).dataset.edge,
      points: Array.from({ length: Math.ceil(line.getTotalLength()) }, (_, at) => line.getPointAtLength(at)),
    }));
    /** A dot has a radius of 2.5. */
    const isOn = (/** @type {{ x: number, y: number }} */ pixel, /** @type {DOMPoint[]} */ points) => points.some(({ x, y }) => Math.hypot(pixel.x - x, pixel.y - y) <= 4);
    const own = lines.find(({ id }) => id?.startsWith(edge))?.points ?? [];
    return { onEdge: drawn.filter((pixel) => isOn(pixel, own)).length, astray: drawn.filter((pixel) => !lines.some(({ points }) => isOn(pixel, points))).length };
  }, edge);

useCase("while orders flow, dots move along the line between the gateway and orders, and along lines alone", async ({ page, open, mesh }) => {
  const edge = "service:gateway>service:orders>";
  await open();
  await page.locator(`[data-edge^="${edge}"]`).first().waitFor({ state: "attached" });
  mesh.load(2);
  await until("a dot is drawn on the line", async () => {
    const { onEdge, astray } = await dots(page, edge);
    assert.equal(astray, 0, "pixels beside all lines");
    return onEdge > 0;
  }, { seconds: 30 });
  await page.getByRole("button", { name: "Pause updates" }).click();
  await until("a paused page has no dots", async () => (await dots(page, edge)).onEdge === 0);
});
