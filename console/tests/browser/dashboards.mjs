// The dashboards of grafana/, drawn by the console: no panel is empty while everything happens.
import assert from "node:assert/strict";
import { chapter } from "./chapter.mjs";
import { filled, TALL } from "./panels.mjs";
import { until } from "./wait.mjs";

/** Orders that end in every way. */
const MIX = "tok_ok=80,tok_declined=8,tok_slow=4,tok_flaky=6,tok_down=2";

/** Titles and uids. */
const DASHBOARDS = ["Overview", "Service", "Flows", "Events", "Runtime", "Telemetry"].map((title) => ({ title, uid: `mesh-${title.toLowerCase()}` }));

const useCase = chapter({
  prepare: async (mesh) => {
    mesh.load(10, "--mix", MIX);
    await until("orders are completed", async () => (await mesh.completed()) > 50, { seconds: 60 });
    await mesh.signal("payments", "SIGKILL");
    await until("orders are completed after payments was killed", async () => (await mesh.completed()) > 400, { seconds: 120 });
  },
});

for (const { title, uid } of DASHBOARDS) {
  useCase(`no panel of ${title} is empty under load`, async ({ page, open }) => {
    await open(`#/dashboards/${uid}?range=5m`);
    await filled(page);
  }, { viewport: TALL });
}

useCase("Runbooks shows the text of each runbook", async ({ page, open }) => {
  await open("#/dashboards/mesh-runbooks");
  const runbooks = page.getByRole("main").getByRole("region");
  await runbooks.first().waitFor();
  for (const text of await runbooks.allInnerTexts()) assert.ok(text.length > 200, text);
});

useCase("the time range is in the address, and the panels follow it", async ({ page, open }) => {
  await open("#/dashboards/mesh-overview");
  await page.getByRole("group", { name: "Time range" }).getByRole("button", { name: "5 min", exact: true }).click();
  await page.waitForURL(/range=5m/);
  const asked = page.waitForRequest((request) => /query_range/.test(request.url()));
  await page.reload();
  const { searchParams } = new URL((await asked).url());
  assert.equal(Math.round((Number(searchParams.get("end")) - Number(searchParams.get("start"))) / 60), 5);
});

useCase("a panel's exemplar opens its trace", async ({ page, open }) => {
  await open("#/dashboards/mesh-service?service=gateway&range=5m");
  await page.getByRole("main").getByRole("region").first().waitFor();
  // They may lie over each other, so it is no click at a point.
  await page.getByRole("main").getByRole("link", { name: /open its trace$/ }).first().dispatchEvent("click");
  await page.waitForURL(/#\/traces\/[0-9a-f]{32}/);
}, { viewport: TALL });
