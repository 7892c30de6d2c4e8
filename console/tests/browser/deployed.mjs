// The console as it is deployed: metrics, rules and alerts are those of Prometheus, traces also in Jaeger, log lines of Loki.
import assert from "node:assert/strict";
import { crashLoop } from "./crash-loop.mjs";
import { filled, TALL } from "./panels.mjs";
import { beside } from "./stack.mjs";
import { until } from "./wait.mjs";

/** Orders that end in every way. */
const MIX = "tok_ok=80,tok_declined=8,tok_slow=4,tok_flaky=6,tok_down=2";

/** Titles and uids. */
const DASHBOARDS = ["Overview", "Service", "Flows", "Events", "Runtime", "Telemetry"].map((title) => ({ title, uid: `mesh-${title.toLowerCase()}` }));

/** What nothing in this lane can fill: a process has no memory limit here. */
const ELSEWHERE = /Only a process with a memory limit has it|Only Kubernetes has it/;

/** What the browser logs of a query that Loki cannot answer. */
const FAILED = /the server responded with a status of 500/;

const { useCase, loki } = beside(async (mesh) => {
  mesh.load(8, "--mix", MIX);
  await crashLoop(mesh);
  await until("orders are completed", async () => (await mesh.completed()) > 100, { seconds: 60 });
});

/** @param {import("playwright-core").Page} page */
const log = (page) => page.getByRole("main").getByRole("region", { name: /^Log, / });

/** The whole trace is on the page. @param {import("playwright-core").Page} page */
const waterfall = (page) => page.getByRole("main").getByRole("link", { name: "Open in Jaeger" });

useCase("an alert of Prometheus has its value drawn against its threshold", async ({ page, mesh, open }) => {
  await open("#/alerts/MeshServiceRestarting/ticket");
  const alert = page.getByRole("main").getByRole("article", { name: "MeshServiceRestarting" }).filter({ hasText: ", ticket" });
  await alert.getByText("firing, ticket").waitFor({ timeout: 60_000 });
  await alert.getByText(/notifications/).first().waitFor();
  await alert.getByText(/^since \d\d:\d\d:\d\d/).waitFor();
  await alert.getByText(/Fires where the line is .* 2/).waitFor();
  await alert.locator("canvas").first().waitFor();
  await alert.getByRole("link", { name: "Prometheus" }).waitFor();
  const { data } = await mesh.get("/prometheus/api/v1/status/buildinfo");
  assert.match(data.goVersion, /^go/, "Prometheus itself answers");
  await page.getByRole("region", { name: "Objectives" }).getByText("order-availability").waitFor();
});

for (const { title, uid } of DASHBOARDS) {
  useCase(`no panel of ${title} is empty with the real Prometheus`, async ({ page, open }) => {
    await open(`#/dashboards/${uid}?range=5m`);
    await filled(page, { elsewhere: ELSEWHERE });
  }, { viewport: TALL });
}

useCase("log panels show the lines of Loki, asked with the query of the definition", async ({ page, open }) => {
  /** @type {string[]} */
  const others = [];
  page.on("request", (request) => void (request.url().includes("/lens/v1/logs") && others.push(request.url())));
  await open("#/dashboards/mesh-service?service=orders&range=5m");
  await log(page).getByText(/^From Loki/).waitFor();
  await log(page).getByText("order placed").first().waitFor();
  const line = log(page).getByRole("listitem").filter({ hasText: "order placed" }).first();
  assert.match(await line.innerText(), /^\d\d:\d\d:\d\d\.\d{3}\s+info\s+order placed.*total_minor=\d+/s);
  assert.deepEqual(others, [], "lens is asked, too");
  if (loki.asked.length) assert.match(loki.asked[0], /^\{service_name=~"orders"\} \| line_format "/);
  await line.getByRole("link").click();
  await page.waitForURL(/#\/traces\/[0-9a-f]{32}/);
  await waterfall(page).waitFor();
}, { viewport: TALL });

useCase("the front door passes on queries of Loki, and nothing that changes it", async ({ page, mesh }) => {
  for (const [method, path] of [["POST", "/loki/api/v1/push"], ["POST", "/loki/api/v1/delete"], ["GET", "/loki/config"], ["POST", "/loki/api/v1/query_range"]]) {
    const answer = await page.request.fetch(mesh.url + path, { method });
    assert.deepEqual([answer.status(), answer.headers()["content-type"]], [403, "application/problem+json"], path);
  }
});

useCase("a Loki that fails leaves one panel without lines, which says why", async ({ page, open, allow }) => {
  if (!loki.asked.length) return;
  allow(FAILED);
  loki.isBroken = true;
  try {
    await open("#/dashboards/mesh-service?service=orders&range=5m");
    await log(page).getByRole("alert").getByText("too many outstanding requests").waitFor();
    await page.getByRole("main").getByRole("region", { name: /^Log lines, / }).locator("canvas").waitFor();
    assert.equal(await page.getByRole("main").getByRole("alert").count(), 1);
  } finally {
    loki.isBroken = false;
  }
}, { viewport: TALL });

useCase("an exemplar of Prometheus opens its trace, and the trace opens in Jaeger", async ({ page, mesh, open }) => {
  await open("#/dashboards/mesh-service?service=gateway&range=5m");
  await page.getByRole("main").getByRole("link", { name: /open its trace$/ }).first().dispatchEvent("click");
  await page.waitForURL(/#\/traces\/[0-9a-f]{32}/);
  await waterfall(page).waitFor();
  const address = await waterfall(page).getAttribute("href");
  assert.match(address ?? "", /^\/jaeger\/trace\/([0-9a-f]{32})$/);
  assert.equal((await page.request.get(`${mesh.url}${address}`)).status(), 200);
}, { viewport: TALL });

useCase("the links are those of the servers that have pages", async ({ page, open }) => {
  await open("#/alerts");
  await page.getByRole("banner").getByLabel("Links").click();
  const links = page.getByRole("banner").locator(".links a");
  await links.first().waitFor();
  const found = await links.evaluateAll((all) => all.map((link) => link.getAttribute("href")));
  for (const path of ["/jaeger/", "/prometheus/", "/alertmanager/", "/lens/"]) assert.ok(found.includes(path), `no link to ${path}: ${found}`);
  assert.ok(!found.includes("/loki/"), "Loki has no pages");
});

useCase("without lens, traces are those of Jaeger", async ({ page, mesh, open }) => {
  const about = await mesh.get("/console.json");
  about.doors = about.doors.filter((/** @type {{ path: string }} */ { path }) => path !== "/lens");
  await page.route("**/console.json", (route) => route.fulfill({ json: about }));
  const asked = page.waitForRequest((request) => request.url().includes("/jaeger/api/traces?"));
  await open("#/traces");
  await asked;
  await page.getByRole("main").getByRole("link", { name: /POST \/api\/orders/ }).first().click();
  await waterfall(page).waitFor();
});
