// Services: what a process is made of, its log level, and where its CPU time goes.
import assert from "node:assert/strict";
import { chapter } from "./chapter.mjs";
import { until } from "./wait.mjs";

const useCase = chapter({ load: 5 });

useCase("a service is opened by its row, and its address shows it again", async ({ page, open }) => {
  await open("#/services");
  await page.getByRole("row", { name: /^payments .*ready/ }).click();
  await page.waitForURL(/#\/services\/payments$/);
  const inside = page.getByRole("region", { name: "payments", exact: true });
  await inside.getByText("Ready for traffic.").waitFor();
  await inside.getByText("database").first().waitFor();
  await page.reload();
  await inside.getByText("Ready for traffic.").waitFor();
  await page.keyboard.press("Escape");
  await page.waitForURL(/#\/services$/);
});

useCase("settings are found, with their sources", async ({ page, open }) => {
  await open("#/services/orders");
  const settings = page.getByRole("table", { name: "Settings" });
  await settings.getByRole("row", { name: /kafka\.brokers .*MESH_KAFKA__BROKERS/ }).waitFor();
  assert.equal(await settings.getByRole("row", { name: /log\.filter/ }).count(), 0, "it has its default");
  await page.getByRole("button", { name: /differs from the default/ }).click();
  await page.getByRole("searchbox", { name: "Search settings" }).fill("log.fil");
  await settings.getByRole("row", { name: /log\.filter info default/ }).waitFor();
  await until("only the found setting is left", async () => (await settings.getByRole("row").count()) === 2);
});

useCase("a log level is set, says for how long, and is set back", async ({ page, open }) => {
  await open("#/services/shipping");
  const level = page.getByRole("group", { name: "Log level" });
  await level.getByRole("button", { name: "debug" }).click();
  await page.getByText(/debug until .*, then info again/).waitFor();
  await level.getByRole("button", { name: "info" }).click();
  await page.getByText("info, until it is changed.").waitFor();
});

useCase("a profile is taken and drawn, and its functions are found", async ({ page, open }) => {
  await open("#/services/gateway");
  await page.getByRole("button", { name: /Take a profile/ }).click();
  await page.getByRole("progressbar", { name: "Recording" }).waitFor();
  const graph = page.getByRole("img", { name: /Flame graph/ });
  await graph.waitFor({ timeout: 40_000 });
  await graph.focus();
  await page.keyboard.press("ArrowDown");
  await page.getByText(/% of the time, .*in itself/).waitFor();
  await page.getByRole("searchbox", { name: "Search functions" }).fill("tokio");
  await page.getByText(/% in functions that match/).waitFor();
});
