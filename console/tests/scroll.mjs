#!/usr/bin/env node
// Measures how a trace of ten thousand spans scrolls: node scroll.mjs http://127.0.0.1:8080 TRACE_ID. `large-trace.mjs` makes one.
// The CPU of the page's thread is what the waterfall costs; frames a second depend on the machine, too.

import { launch, visit } from "./browser/browser.mjs";

const FRAMES = 200;
/** Pixels a frame: four rows. */
const STEP = 88;

const [gateway, trace] = process.argv.slice(2);
if (!gateway || !trace) {
  console.error("expected the gateway's address and a trace: node scroll.mjs http://127.0.0.1:8080 0af7651916cd43dd8448eb211c80319c");
  process.exit(2);
}
const browser = await launch();
const { page } = await visit(browser, gateway);
await page.goto(`${gateway}/#/traces/${trace}`);
await page.locator("trace-waterfall [role=row]").first().waitFor();
const session = await page.context().newCDPSession(page);
await session.send("Performance.enable", { timeDomain: "threadTicks" });
const cpu = async () => (await session.send("Performance.getMetrics")).metrics.find(({ name }) => name === "TaskDuration")?.value ?? 0;
const before = await cpu();
const seconds = await page.evaluate(
  ([frames, step]) =>
    new Promise((done) => {
      const waterfall = /** @type {HTMLElement} */ (document.querySelector("trace-waterfall"));
      const start = performance.now();
      let drawn = 0;
      const next = () => {
        waterfall.scrollTop += step;
        drawn += 1;
        if (drawn < frames) requestAnimationFrame(next);
        else done((performance.now() - start) / 1_000);
      };
      requestAnimationFrame(next);
    }),
  [FRAMES, STEP],
);
const milliseconds = ((await cpu()) - before) * 1_000;
console.log(`${(FRAMES / Number(seconds)).toFixed(0)} frames/s, ${(milliseconds / FRAMES).toFixed(1)} ms of the page's CPU a frame`);
await browser.close();
