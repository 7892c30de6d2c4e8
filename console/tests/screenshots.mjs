#!/usr/bin/env node
// Screenshots of every page in both themes, wide and on a phone, for those who look at the design: under load, or while payments is
// killed. `--readme` makes the one picture that the README shows.
//
//   MESH=target/release/mesh console/tests/screenshots.mjs FOLDER [--killed] [page]...
//   MESH=target/release/mesh console/tests/screenshots.mjs --readme
import { mkdirSync, statSync } from "node:fs";
import path from "node:path";
import { launch, visit } from "./browser/browser.mjs";
import { Mesh } from "./browser/mesh.mjs";
import { PAGES, settled } from "./browser/pages.mjs";
import { until } from "./browser/wait.mjs";
import { CONSOLE } from "./assets.mjs";

const RATE = Number(process.env.RATE ?? 20);
/** Declined, slow and flaky payments, as a shop has them. */
const MIX = "tok_ok=90,tok_declined=5,tok_slow=2,tok_flaky=3";
const SIZES = [{ width: 1440, height: 900 }, { width: 390, height: 844 }];
const THEMES = /** @type {const} */ (["light", "dark"]);
/** A README that loads slowly is not read. */
const README_KIB = 150;

/** A mesh in which orders have been completed for a while: rates are those of the last minute. */
async function busy() {
  const mesh = await Mesh.start();
  mesh.load(RATE, "--mix", MIX);
  await until("orders are completed for more than a minute", async () => (await mesh.completed()) > 70 * RATE, { seconds: 240 });
  return mesh;
}

/** The views beside the pages: one of each kind. @param {Mesh} mesh */
async function views(mesh) {
  const { items } = await mesh.get("/lens/v1/flows");
  const done = items.find((/** @type {{ state: string }} */ { state }) => state === "completed") ?? items[0];
  return [
    ...PAGES,
    { name: "Mesh-node", path: "#/mesh?node=service%3Aorders" },
    { name: "Trace", path: `#/traces/${done.trace_id}` },
    { name: "Order", path: `#/events?order=${done.id}` },
    { name: "Service", path: "#/services/orders" },
    { name: "Dashboard-service", path: "#/dashboards/mesh-service?service=orders" },
  ];
}

/** @param {string} folder @param {string[]} wanted @param {boolean} isKilled */
async function all(folder, wanted, isKilled) {
  mkdirSync(folder, { recursive: true });
  const mesh = await busy();
  const browser = await launch();
  try {
    const chosen = (await views(mesh)).filter(({ name }) => !wanted.length || wanted.includes(name.toLowerCase()));
    for (const theme of THEMES) {
      for (const viewport of SIZES) {
        for (const { name, path: view } of chosen) {
          if (isKilled) await mesh.signal("payments", "SIGKILL");
          const { page, close } = await visit(browser, mesh.url, { theme, viewport });
          await page.goto(`${mesh.url}/${view}`);
          if (!isKilled) await settled(page);
          await page.waitForTimeout(2_500); // what is drawn as it arrives: dots, charts, the strip
          const file = path.join(folder, `${name.toLowerCase()}-${theme}-${viewport.width}.png`);
          await page.screenshot({ path: file });
          console.log(file);
          await close();
        }
      }
    }
  } finally {
    await browser.close();
    await mesh.stop();
  }
}

async function readme() {
  const mesh = await busy();
  const browser = await launch();
  try {
    const { page } = await visit(browser, mesh.url, { viewport: { width: 1280, height: 720 } });
    await page.goto(mesh.url);
    await settled(page);
    await page.waitForTimeout(4_000);
    const file = path.join(CONSOLE, "screenshot.png");
    await page.screenshot({ path: file });
    const kib = statSync(file).size / 1024;
    console.log(`${file}: ${kib.toFixed(0)} KiB`);
    if (kib > README_KIB) throw new Error(`it has more than ${README_KIB} KiB`);
  } finally {
    await browser.close();
    await mesh.stop();
  }
}

const [folder, ...rest] = process.argv.slice(2);
if (!folder) {
  console.error("expected a folder for the screenshots, or --readme");
  process.exit(2);
}
if (folder === "--readme") await readme();
else await all(folder, rest.filter((word) => !word.startsWith("--")), rest.includes("--killed"));
