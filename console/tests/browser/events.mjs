// What Kafka has, on the page Events: an order's events, and a poison event from its dead letters to their end.
import assert from "node:assert/strict";
import { chapter } from "./chapter.mjs";
import { placed, row, sender } from "./order.mjs";
import { until } from "./wait.mjs";

const useCase = chapter();

/** @param {import("playwright-core").Page} page */
const letters = (page) => page.getByRole("table", { name: "Dead letters" }).locator("tbody tr");

useCase("a poison event is set aside by each group that reads it, one is discarded, and the others are replayed and come back", async ({ page, open }) => {
  await open("#/events");
  await page.getByRole("main").getByRole("heading", { name: "No dead letters" }).waitFor();
  await page.getByRole("button", { name: "Send a poison event", exact: true }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByText(/sets the record aside as a dead letter/).waitFor();
  await dialog.getByRole("button", { name: "Send it" }).click();
  await until("four dead letters", async () => (await letters(page).count()) === 4);
  await letters(page).first().getByText("undecodable").waitFor();

  await letters(page).first().click();
  const letter = page.getByRole("region", { name: "Dead letter", exact: true });
  await letter.getByText("ffffff").waitFor();
  await letter.getByText(/It cannot be decoded: /).waitFor();
  await letter.getByRole("button", { name: "Discard…" }).click();
  await dialog.getByText(/will never handle this event/).waitFor();
  await dialog.getByRole("button", { name: "Discard", exact: true }).click();
  await letter.getByText("It was given up.").waitFor();
  await until("three dead letters", async () => (await letters(page).count()) === 3);
  assert.equal(await letter.getByRole("button", { name: "Replay…" }).isDisabled(), true);

  const search = page.getByRole("searchbox", { name: "Search dead letters" });
  const group = (await letters(page).last().getByRole("cell").nth(2).innerText()).trim();
  await search.fill(group.toUpperCase());
  await until("only the dead letter of that group is left", async () => (await letters(page).count()) === 1 && (await letters(page).getByText(group, { exact: true }).count()) === 1);
  await page.getByText(`1 of 3 have “${group.toUpperCase()}”.`).waitFor();
  await page.reload();
  await until("the address keeps the search", async () => (await letters(page).count()) === 1);
  await search.fill("");
  await until("all three are back", async () => (await letters(page).count()) === 3);

  const ids = async () => (await letters(page).locator("td.mono").allTextContents()).sort();
  const before = await ids();
  await page.getByRole("button", { name: "Replay all…" }).click();
  await dialog.getByText(/the oldest first/).waitFor();
  await dialog.getByRole("button", { name: "Replay all" }).click();
  await page.getByRole("status").getByText("3 replayed").waitFor();
  await until("the three come back as new dead letters", async () => {
    const now = await ids();
    return now.length === 3 && now.every((id) => !before.includes(id));
  });
});

useCase("an order's events are shown in their sequence, decoded, and lead to its trace", async ({ page, open }) => {
  await open("#/flows");
  const order = await placed(page, () => sender(page, "Place an order").click());
  await row(page, order).getByText("completed", { exact: true }).waitFor();
  await open("#/events");
  await page.getByRole("textbox", { name: "The id of an order" }).fill(order.id);
  await page.getByRole("button", { name: "Show its events" }).click();
  const events = page.getByRole("region", { name: "Events of the order" });
  await events.getByRole("heading", { name: "OrderCompleted" }).waitFor();
  const names = await events.getByRole("listitem").getByRole("heading", { level: 3 }).allTextContents();
  assert.equal(names[0], "OrderPlaced");
  await events.getByText('"sku": "teapot"').waitFor();
  assert.match(page.url(), new RegExp(`#/events\\?order=${order.id}$`));
  await events.getByRole("link", { name: "Trace" }).first().click();
  await until("the trace is open", async () => /#\/traces\/[0-9a-f]{32}/.test(page.url()));
});

useCase("an order is searched for with the keyboard alone", async ({ page, open }) => {
  await open("#/events");
  await page.getByRole("table", { name: "Topics and consumer groups" }).waitFor();
  await page.keyboard.press("/");
  await page.keyboard.type("no-such-order");
  await page.keyboard.press("Enter");
  await page.getByText("Kafka has no events of this order").waitFor();
  await page.waitForURL(/#\/events\?order=no-such-order$/);
});

useCase("topics are listed with their groups, and an order that nothing knows is explained", async ({ page, open }) => {
  await open("#/events?order=no-such-order");
  const topics = page.getByRole("table", { name: "Topics and consumer groups" });
  await topics.getByText("orders.events").first().waitFor();
  for (const group of ["inventory", "payments", "shipping", "notifications"]) await topics.getByText(group).first().waitFor();
  await page.getByText("Kafka has no events of this order").waitFor();
});
