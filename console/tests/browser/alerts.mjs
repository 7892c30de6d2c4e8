// An alert fires, and says what to do.
import assert from "node:assert/strict";
import { chapter } from "./chapter.mjs";
import { crashLoop } from "./crash-loop.mjs";
import { until } from "./wait.mjs";

const useCase = chapter({ load: 2, prepare: crashLoop });

/** @param {import("playwright-core").Page} page */
const restarting = (page) => page.getByRole("main").getByRole("article", { name: "MeshServiceRestarting" }).filter({ hasText: ", page" });

useCase("an alert fires, is counted on every page, and opens its runbook and its expression", async ({ page, open }) => {
  await open("#/alerts");
  await restarting(page).getByText("firing, page").waitFor({ timeout: 60_000 });
  await page.getByRole("banner").getByRole("link", { name: /^[1-9]\d* alerts?$/ }).waitFor();
  await page.getByRole("navigation", { name: "Pages" }).getByRole("link", { name: /^Alerts [1-9]/ }).waitFor();
  await restarting(page).getByText(/notifications/).first().waitFor();
  await restarting(page).getByRole("button", { name: /MeshServiceRestarting/ }).click();
  await page.waitForURL(/#\/alerts\/MeshServiceRestarting/);
  await restarting(page).getByRole("heading", { name: /runbook/i }).waitFor();
  await restarting(page).getByText("Expression", { exact: true }).click();
  await restarting(page).getByText(/process_start_time_seconds/).first().waitFor();
  await until("the expression is drawn", async () => (await restarting(page).locator("canvas").count()) > 0);
});

useCase("the address of an alert opens it, and Escape closes it", async ({ page, open }) => {
  await open("#/alerts/MeshServiceRestarting/page");
  await restarting(page).getByRole("heading", { name: /runbook/i }).waitFor();
  await page.keyboard.press("Escape");
  await restarting(page).getByRole("heading", { name: /runbook/i }).waitFor({ state: "detached" });
  assert.match(page.url(), /#\/alerts$/);
});

useCase("an alert that does not exist says so", async ({ page, open }) => {
  await open("#/alerts/Nothing");
  await page.getByText("No such alert").waitFor();
});

useCase("objectives show their target and what is left of their budget", async ({ page, open }) => {
  await open("#/alerts");
  const objectives = page.getByRole("region", { name: "Objectives" });
  await objectives.getByText("order-availability").waitFor({ timeout: 60_000 });
});
