// The pages, by the names that a user reads.
import { until } from "./wait.mjs";

export const PAGES = ["Mesh", "Flows", "Traces", "Dashboards", "Alerts", "Events", "Services"].map((name) => ({ name, path: `#/${name.toLowerCase()}` }));

/** Waits until nothing on the page is loading any more. @param {import("playwright-core").Page} page */
export async function settled(page) {
  await page.getByText("8 of 8 ready").waitFor();
  const loading = page.getByRole("main").getByRole("status", { name: "loading" });
  await until("the page has its data", async () => (await loading.count()) === 0 && (await page.getByRole("main").innerText()).trim() !== "");
}
