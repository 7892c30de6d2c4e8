// The gateway dies and returns: the page says so, and has missed nothing.
import { AWAY } from "./browser.mjs";
import { chapter } from "./chapter.mjs";
import { placed, row, sender } from "./order.mjs";

const useCase = chapter();

useCase("after the gateway's restart the page is live again and shows what happened meanwhile", async ({ mesh, page, open, allow }) => {
  const bar = page.getByRole("banner");
  await open("#/flows");
  await bar.getByText("live", { exact: true }).waitFor();
  const order = await placed(page, () => sender(page, "Place an order").click());
  allow(AWAY);
  await mesh.signal("gateway", "SIGKILL");
  await bar.getByText(/^reconnecting/).waitFor();
  await bar.getByText("live", { exact: true }).waitFor({ timeout: 30_000 });
  await row(page, order).getByText("completed", { exact: true }).waitFor();
  const next = await placed(page, () => sender(page, "Place an order").click());
  await row(page, next).getByText("completed", { exact: true }).waitFor();
});
