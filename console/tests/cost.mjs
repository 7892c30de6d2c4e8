#!/usr/bin/env node
// What the console costs: its first paint, the processor time and the memory of the mesh with consoles open, and scrolling through a
// large trace. It prints figures, and asserts none: a machine that does something else at the same time has others.
//
//   MESH=target/release/mesh console/tests/cost.mjs [first-paint] [consoles] [memory] [waterfall]     all of them by default
//
// Each figure that compares is of the same run: its halves alternate. For Linux (/proc).
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { launch, visit } from "./browser/browser.mjs";
import { Mesh } from "./browser/mesh.mjs";
import { sendLargeTrace } from "./large-trace.mjs";

/** Clock ticks a second in /proc/<pid>/stat. */
const TICKS = Number(execFileSync("getconf", ["CLK_TCK"], { encoding: "utf8" }));
const CONSOLES = 5;
const RATE = 50;
const BUSY_RATE = 200;
const SPANS = 10_000;
const SCROLL_SECONDS = 5;
/** How long each half of a comparison is measured, and how often. */
const WINDOW_SECONDS = 20;
const ROUNDS = 3;
/** Until caches, pools and rings have the size that they keep for a while. */
const SETTLE_SECONDS = 20;

const seconds = (/** @type {number} */ count) => pause(count * 1_000);
const median = (/** @type {number[]} */ values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
const average = (/** @type {number[]} */ values) => values.reduce((sum, value) => sum + value, 0) / values.length;

/** The processor time that the processes have used, in seconds. @param {number[]} pids */
const processorTime = (pids) =>
  pids.reduce((sum, pid) => {
    // The name, in parentheses, may have spaces.
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1].split(" ");
    return sum + (Number(fields[11]) + Number(fields[12])) / TICKS;
  }, 0);

/** The proportional set size of the processes, in MB (10^6 bytes). @param {Mesh} mesh */
const memory = async (mesh) => (await mesh.pids()).reduce((sum, pid) => sum + (Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8"))?.[1]) * 1_024) / 1e6, 0);

/** @param {string} what @param {string} value @param {string} [target] */
const figure = (what, value, target = "") => console.log(`${what.padEnd(66)} ${value.padStart(12)}  ${target}`);

/** A page that is open until the returned function is called. @param {import("playwright-core").Browser} browser @param {Mesh} mesh @param {string} path */
async function open(browser, mesh, path = "") {
  const { page, close } = await visit(browser, mesh.url);
  await page.goto(`${mesh.url}/${path}`);
  await page.getByText("8 of 8 ready").waitFor();
  return { page, close };
}

/** @param {import("playwright-core").Browser} browser @param {Mesh} mesh */
async function firstPaint(browser, mesh) {
  const paints = [];
  const answers = [];
  for (let round = 0; round < 5; round += 1) {
    const { page, close } = await open(browser, mesh);
    paints.push(await page.evaluate(() => performance.getEntriesByName("first-contentful-paint")[0].startTime));
    answers.push(await page.evaluate(() => performance.now()));
    await close();
  }
  figure("first contentful paint, empty cache, median of 5", `${median(paints).toFixed(0)} ms`, "≤ 1000 ms");
  figure("until the state of the services is there, median of 5", `${median(answers).toFixed(0)} ms`);
}

/** Processor time of the mesh at one rate, without and with consoles, in turns. @param {import("playwright-core").Browser} browser @param {Mesh} mesh */
async function consoles(browser, mesh) {
  const load = mesh.load(RATE);
  await seconds(SETTLE_SECONDS);
  const pids = await mesh.pids();
  const measure = async () => {
    const before = processorTime(pids);
    const from = performance.now();
    await seconds(WINDOW_SECONDS);
    return (processorTime(pids) - before) / ((performance.now() - from) / 1_000);
  };
  const [none, some] = [/** @type {number[]} */ ([]), /** @type {number[]} */ ([])];
  let held = 0;
  for (let round = 0; round < ROUNDS; round += 1) {
    none.push(await measure());
    const opened = [];
    for (let count = 0; count < CONSOLES; count += 1) opened.push(await open(browser, mesh));
    await seconds(2); // the first answers are those of opening, not of being open
    some.push(await measure());
    held = await memory(mesh);
    for (const { close } of opened) await close();
  }
  const percent = (/** @type {number} */ cores) => `${(cores * 100).toFixed(1)} %`;
  figure(`processor time of the mesh at ${RATE} orders/s, no console`, percent(average(none)), `of one core; ${none.map(percent).join(", ")}`);
  figure(`the same with ${CONSOLES} consoles on the start page`, percent(average(some)), `of one core; ${some.map(percent).join(", ")}`);
  figure(`${CONSOLES} consoles cost`, percent(average(some) / average(none) - 1), "≤ 10 %");
  figure(`memory (PSS) of the mesh at ${RATE} orders/s with ${CONSOLES} consoles`, `${held.toFixed(0)} MB`);
  load.kill("SIGTERM");
}

/** @param {import("playwright-core").Browser} browser */
async function memories(browser) {
  const mesh = await Mesh.start();
  try {
    await seconds(SETTLE_SECONDS);
    figure("memory (PSS) of the mesh, idle, no console", `${(await memory(mesh)).toFixed(0)} MB`, "≤ 85 MB");
    const { close } = await open(browser, mesh);
    await seconds(SETTLE_SECONDS);
    figure("the same with one console on the start page", `${(await memory(mesh)).toFixed(0)} MB`);
    mesh.load(BUSY_RATE);
    await seconds(60);
    figure(`memory (PSS) at ${BUSY_RATE} orders/s for a minute, one console`, `${(await memory(mesh)).toFixed(0)} MB`, "≤ 175 MB");
    await close();
  } finally {
    await mesh.stop();
  }
}

/** Frames a second while a trace of many spans is scrolled from its begin to its end and back. @param {import("playwright-core").Browser} browser @param {Mesh} mesh */
async function waterfall(browser, mesh) {
  const trace = await sendLargeTrace(mesh.lens, { spans: SPANS });
  const { page, close } = await open(browser, mesh, `#/traces/${trace}`);
  const spans = page.getByRole("treegrid", { name: /^Spans/ });
  await spans.getByRole("row").first().waitFor({ timeout: 60_000 });
  const { frames, slowest, rows } = await spans.evaluate(
    (element, seconds) =>
      new Promise((resolve) => {
        const end = element.scrollHeight - element.clientHeight;
        const begin = performance.now();
        let [frames, last, slowest] = [0, begin, 0];
        const step = (/** @type {number} */ now) => {
          const passed = (now - begin) / 1_000;
          slowest = Math.max(slowest, now - last);
          last = now;
          if (passed >= seconds) return resolve({ frames: frames / passed, slowest, rows: Number(element.getAttribute("aria-rowcount")) });
          frames += 1;
          const place = (passed / seconds) * 2;
          element.scrollTop = end * (place < 1 ? place : 2 - place);
          requestAnimationFrame(step);
        };
        requestAnimationFrame(step);
      }),
    SCROLL_SECONDS,
  );
  figure(`frames/s while a trace of ${rows} rows is scrolled, ${SCROLL_SECONDS} s`, frames.toFixed(1), `≥ 50; the slowest took ${slowest.toFixed(0)} ms`);
  await close();
}

const FIGURES = ["first-paint", "consoles", "memory", "waterfall"];
const wanted = process.argv.length > 2 ? process.argv.slice(2) : FIGURES;
const unknown = wanted.find((name) => !FIGURES.includes(name));
if (unknown) {
  console.error(`there is no figure ${unknown}: ${FIGURES.join(", ")}`);
  process.exit(2);
}
const browser = await launch();
try {
  if (wanted.includes("first-paint") || wanted.includes("consoles") || wanted.includes("waterfall")) {
    const mesh = await Mesh.start();
    try {
      if (wanted.includes("first-paint")) await firstPaint(browser, mesh);
      if (wanted.includes("waterfall")) await waterfall(browser, mesh);
      if (wanted.includes("consoles")) await consoles(browser, mesh);
    } finally {
      await mesh.stop();
    }
  }
  if (wanted.includes("memory")) await memories(browser);
} finally {
  await browser.close();
}
