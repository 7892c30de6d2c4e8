// The dashboards of grafana/, drawn by the console: no panel is empty while everything happens.
import assert from "node:assert/strict";
import { chapter } from "./chapter.mjs";
import { until } from "./wait.mjs";

/** Orders that end in every way. */
const MIX = "tok_ok=80,tok_declined=8,tok_slow=4,tok_flaky=6,tok_down=2";

/** What a panel about a part says where that part does not run: in `mesh up` lens is collector, trace store and Prometheus. */
const ELSEWHERE = /Compose and Kubernetes have (it|a Prometheus)\.$/;

/** Titles and uids. */
const DASHBOARDS = ["Overview", "Service", "Flows", "Events", "Runtime", "Telemetry"].map((title) => ({ title, uid: `mesh-${title.toLowerCase()}` }));

/** Every panel is on the screen: one that is not asks nothing. */
const TALL = { width: 1280, height: 8_000 };

const useCase = chapter({
  prepare: async (mesh) => {
    mesh.load(10, "--mix", MIX);
    await until("orders are completed", async () => (await mesh.completed()) > 50, { seconds: 60 });
    await mesh.signal("payments", "SIGKILL");
    await until("orders are completed after payments was killed", async () => (await mesh.completed()) > 400, { seconds: 120 });
  },
});

/**
 * The panels without data, each with what it says; undefined while some are still asking.
 * @param {import("playwright-core").Page} page
 */
async function empty(page) {
  const found = await page.getByRole("main").getByRole("region").evaluateAll((panels) =>
    panels.map((panel) => {
      const text = /** @type {HTMLElement} */ (panel).innerText.trim();
      const isAsking = panel.querySelector('[aria-label="loading"]') !== null;
      const isEmpty = /\bNo data\b/.test(text) || panel.querySelector('[role="alert"]') !== null || panel.lastElementChild?.childElementCount === 0;
      return { isAsking, isEmpty, text: text.replaceAll(/\s+/g, " ").slice(0, 200) };
    }),
  );
  if (!found.length || found.some(({ isAsking }) => isAsking)) return undefined;
  return found.filter(({ text, isEmpty }) => isEmpty && !ELSEWHERE.test(text)).map(({ text }) => text);
}

for (const { title, uid } of DASHBOARDS) {
  useCase(`no panel of ${title} is empty under load`, async ({ page, open }) => {
    await open(`#/dashboards/${uid}?range=5m`);
    await page.getByRole("main").getByRole("region").first().waitFor();
    for (const closed of await page.getByRole("main").locator("details.section:not([open]) > summary").all()) await closed.click();
    /** @type {string[] | undefined} */
    let last;
    await until("all panels have data", async () => (last = await empty(page))?.length === 0, { seconds: 60 }).catch(() => assert.deepEqual(last, []));
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
