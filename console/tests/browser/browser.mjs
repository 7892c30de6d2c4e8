// Chromium, and what must never happen in it: an error in the console, a violation of the content security policy, a request that
// leaves this origin.
import { mkdirSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { chromium } from "playwright-core";

/** Where the screenshot of a failed test is kept. */
const SHOTS = process.env.CONSOLE_SHOTS ?? path.join(os.tmpdir(), "glassmesh-console-failures");

/** The longest wait for an element or an action. */
const PATIENCE_MS = 30_000;

export const DESKTOP = { width: 1280, height: 800 };
export const PHONE = { width: 390, height: 844 };

/** Everything but this machine is behind a proxy that does not exist: such a request fails, whoever makes it. */
const NOWHERE = { server: "http://127.0.0.1:1", bypass: "127.0.0.1" };

export const launch = () =>
  chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--force-color-profile=srgb"],
    proxy: NOWHERE,
    timeout: 60_000,
  });

/** What Chromium writes to the console when the gateway is away. */
export const AWAY = /ERR_CONNECTION_(REFUSED|RESET|CLOSED)|ERR_EMPTY_RESPONSE|ERR_INCOMPLETE_CHUNKED_ENCODING|ERR_SOCKET_NOT_CONNECTED|WebSocket/;

/**
 * A visitor with a browser profile of their own.
 * @typedef {{ viewport?: { width: number, height: number }, theme?: "light" | "dark", calm?: boolean }} Visitor
 */

/**
 * @param {import("playwright-core").Browser} browser
 * @param {string} origin
 * @param {Visitor} [visitor] calm: prefers reduced motion
 */
export async function visit(browser, origin, { viewport = DESKTOP, theme = "light", calm = false } = {}) {
  const context = await browser.newContext({ viewport, colorScheme: theme, reducedMotion: calm ? "reduce" : "no-preference", locale: "en-GB", timezoneId: "UTC" });
  context.setDefaultTimeout(PATIENCE_MS);
  const page = await context.newPage();
  return { page, faults: observe(page, origin), close: () => context.close() };
}

/** Collects what must not happen. @param {import("playwright-core").Page} page @param {string} origin */
function observe(page, origin) {
  /** @type {Set<string>} */
  const seen = new Set();
  /** @type {RegExp[]} */
  const allowed = [];
  const note = (/** @type {string} */ what) => {
    if (!allowed.some((pattern) => pattern.test(what))) seen.add(what);
  };
  page.on("console", (message) => {
    // A violation of the policy is an error of the console, too.
    if (message.type() === "error" || message.type() === "warning") note(`${message.type()} in the console: ${message.text()} (${message.location().url})`);
  });
  page.on("pageerror", (error) => note(`uncaught error: ${error.stack ?? error.message}`));
  page.on("request", (request) => {
    const { protocol } = new URL(request.url());
    if (!["data:", "blob:"].includes(protocol) && !request.url().startsWith(`${origin}/`)) note(`a request left the origin: ${request.url()}`);
  });
  page.on("websocket", (socket) => {
    if (new URL(socket.url()).host !== new URL(origin).host) note(`a WebSocket left the origin: ${socket.url()}`);
  });
  return {
    seen,
    /** From here on this is no fault: the test provokes it, and Chromium writes each failed request to the console. */
    allow: (/** @type {RegExp} */ pattern) => void allowed.push(pattern),
  };
}

/** Keeps what the page shows. @param {import("playwright-core").Page} page @param {string} name */
export async function keep(page, name) {
  mkdirSync(SHOTS, { recursive: true });
  const file = path.join(SHOTS, `${name.replaceAll(/[^\w]+/g, "-").slice(0, 100)}.png`);
  await page.screenshot({ path: file, timeout: 10_000 });
  return file;
}
