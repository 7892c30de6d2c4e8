// What breaks is seen at once and says what it is; what comes back is seen, too.
import { chapter } from "./chapter.mjs";
import { until } from "./wait.mjs";

/** What the browser logs of requests that wait for the service. */
const GONE = /the server responded with a status of 50[234]/;

const useCase = chapter({ load: 5 });

useCase("a killed service is named within five seconds, and is well again afterwards", async ({ page, mesh, open, allow }) => {
  allow(GONE);
  await open();
  await page.getByText("8 of 8 ready").waitFor();
  const payments = page.getByRole("main").getByRole("button", { name: /^payments .*, service/ });
  await payments.waitFor();
  await mesh.signal("payments", "SIGKILL");
  // It starts again in less than a second: either is what an operator wants to know.
  const verdict = page.getByRole("main").getByRole("status").getByRole("button", { name: /payments (does not answer|restarted just now)/ });
  await verdict.waitFor({ timeout: 5_000 });
  await until("payments is ready again", async () => (await mesh.services()).every(({ ready }) => ready));
  await page.getByText("8 of 8 ready").waitFor();
});

useCase("a frozen service does not answer, and the sentence goes when it does", async ({ page, mesh, open, allow }) => {
  allow(GONE);
  await open();
  await page.getByText("8 of 8 ready").waitFor();
  await mesh.signal("payments", "SIGSTOP");
  try {
    await page.getByText("7 of 8 ready").waitFor();
    await page.getByRole("main").getByRole("status").getByRole("button", { name: /payments does not answer/ }).waitFor();
  } finally {
    await mesh.signal("payments", "SIGCONT");
  }
  await page.getByText("8 of 8 ready").waitFor();
});
