// The console of real pods, behind their front door: tests/kubernetes/pods.sh runs this in its cluster, under load.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { chapter } from "./chapter.mjs";
import { placed, row, sender } from "./order.mjs";
import { filled, TALL } from "./panels.mjs";
import { until } from "./wait.mjs";

const run = promisify(execFile);

const url = process.env.CONSOLE_URL;
if (!url) throw new Error("CONSOLE_URL is not set: it is the address of the pods' front door; console/tests/browser.sh --at sets it");

/** What the browser logs of requests that wait for a pod that is gone. */
const GONE = /the server responded with a status of 50[234]/;

const CLUSTER = fileURLToPath(new URL("../../../tests/kubernetes/cluster.sh", import.meta.url));

/** @param {string[]} words */
const kubectl = async (...words) => (await run(CLUSTER, ["kubectl", "-n", "glassmesh", ...words], { timeout: 60_000 })).stdout;

/** The pods of the services that are there to stay. @returns {Promise<{ service: string, name: string, uid: string, ip: string }[]>} */
async function pods() {
  const { items } = JSON.parse(await kubectl("get", "pods", "-l", "app.kubernetes.io/component=service", "-o", "json"));
  const running = items.filter((/** @type {any} */ { metadata, status }) => status.phase === "Running" && !metadata.deletionTimestamp);
  return running.map((/** @type {any} */ { metadata, status }) => ({ service: metadata.labels["app.kubernetes.io/name"], name: metadata.name, uid: metadata.uid, ip: status.podIP }));
}

/** The processes of a pod, without the one that only holds its namespaces. @param {{ uid: string }} pod */
function processes({ uid }) {
  const read = (/** @type {string} */ file) => {
    try {
      return readFileSync(file, "utf8");
    } catch {
      return ""; // it has ended in the meantime
    }
  };
  const ids = readdirSync("/proc").filter((name) => /^\d+$/.test(name) && read(`/proc/${name}/cgroup`).includes(uid));
  return ids.filter((id) => read(`/proc/${id}/cmdline`).startsWith("/mesh\0")).map(Number);
}

/** A service in the graph. @param {import("playwright-core").Page} page @param {string} service */
const node = (page, service) => page.getByRole("main").getByRole("button", { name: new RegExp(`^${service} .*, service`) });

/** A sentence at the top of the graph. @param {import("playwright-core").Page} page @param {RegExp} text */
const verdict = (page, text) => page.getByRole("main").getByRole("status").getByRole("button", { name: text });

/** Waits until each service has as many ready replicas in the graph as it has pods. @param {import("playwright-core").Page} page */
async function all(page) {
  await until("the graph has every pod", async () => {
    const known = await pods();
    await page.getByText(`${known.length} of ${known.length} ready`).waitFor({ timeout: 1_000 });
    for (const service of new Set(known.map((pod) => pod.service))) {
      const squares = await node(page, service).locator("rect.replica:not(.down)").count();
      assert.equal(squares, known.filter((pod) => pod.service === service).length, `replicas of ${service}`);
    }
    return true;
  }, { seconds: 60 });
}

const useCase = chapter({
  at: url,
  prepare: async () => {
    await kubectl("scale", "deployment/payments", "--replicas=2");
    await kubectl("rollout", "status", "deployment/payments", "--timeout=60s");
  },
});

useCase("the mesh has a square for each pod, and all are ready", async ({ page, open }) => {
  await open();
  await all(page);
  assert.equal((await pods()).filter(({ service }) => service === "payments").length, 2);
});

useCase("an order placed by a click completes, and its trace leads from the browser through the pods", async ({ page, mesh, open }) => {
  await open("#/flows");
  const order = await placed(page, () => sender(page, "Place an order").click());
  await row(page, order).getByText("completed", { exact: true }).waitFor();
  for (const store of ["lens", "jaeger"]) {
    await until(`${store} has the trace with all services`, async () => {
      const { data } = await mesh.get(`/${store}/api/traces/${order.trace_id}`);
      assert.ok(data[0].spans.some((/** @type {any} */ span) => span.operationName === "paint order"), "it ends before the page has painted the order");
      const names = new Set(Object.values(data[0].processes).map((/** @type {any} */ { serviceName }) => serviceName));
      assert.deepEqual([...names].sort(), ["browser", "catalog", "gateway", "inventory", "notifications", "orders", "payments", "shipping"]);
      return true;
    }, { seconds: 30 });
  }
  await open(`#/traces/${order.trace_id}`);
  await page.getByText('click "Place an order"').first().waitFor();
});

useCase("no panel of Overview is empty: the cluster's Prometheus answers", async ({ page, open }) => {
  await open("#/dashboards/mesh-overview?range=5m");
  await filled(page, { seconds: 40 });
}, { viewport: TALL });

useCase("Events has the topics of the cluster's Kafka, with the groups that read them", async ({ page, open }) => {
  await open("#/events");
  const topics = page.getByRole("table", { name: "Topics and consumer groups" });
  for (const name of ["orders", "payments", "shipments", "inventory"]) await topics.getByText(`${name}.events`, { exact: true }).waitFor();
  for (const group of ["inventory", "notifications", "orders", "payments", "shipping"]) await topics.getByText(group, { exact: true }).first().waitFor();
});

useCase("Services has the settings of a pod, each with its source", async ({ page, open }) => {
  const { service, ip } = (await pods()).filter((pod) => pod.service === "payments")[1];
  await open(`#/services/${service}?replica=${ip}:8081`);
  const settings = page.getByRole("table", { name: "Settings" });
  await settings.getByRole("row", { name: /kafka\.brokers kafka:9092 .*MESH_KAFKA__BROKERS/ }).waitFor();
  await page.getByRole("region", { name: service, exact: true }).getByText("Ready for traffic.").waitFor();
});

useCase("a killed pod is named within five seconds, and what comes in its place is seen", async ({ page, open, allow }) => {
  allow(GONE);
  await open();
  await all(page);
  const [pod] = (await pods()).filter(({ service }) => service === "payments");
  const [process_] = processes(pod);
  assert.ok(process_, `${pod.name} has no process`);
  process.kill(process_, "SIGKILL");
  await verdict(page, /payments (1 of 2 replicas do not answer|not ready|restarted just now)/).first().waitFor({ timeout: 5_000 });
  await all(page);
  // It counts no restart against the service, which was killed on purpose.
  await kubectl("delete", "pod", pod.name, "--wait=false");
  await verdict(page, /payments (has a new replica|not ready)/).first().waitFor();
  await all(page);
});
