// Orders placed by clicking, watched until they end.
import assert from "node:assert/strict";
import { chapter } from "./chapter.mjs";
import { placed, row, sender } from "./order.mjs";

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
