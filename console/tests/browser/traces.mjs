// From an order to its trace, across the brokers, and back.
import assert from "node:assert/strict";
import { chapter } from "./chapter.mjs";
import { placed, row, sender } from "./order.mjs";

const useCase = chapter();

useCase("the trace of an order opens from its row in Flows", async ({ page, open }) => {
  await open("#/flows");
  const order = await placed(page, () => sender(page, "Place an order").click());
  await row(page, order).getByText("completed", { exact: true }).waitFor();
  await row(page, order).getByRole("link", { name: "trace" }).click();
  await page.waitForURL(new RegExp(`#/traces/${order.trace_id}`));
});
