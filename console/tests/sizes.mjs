#!/usr/bin/env node
// How large each file of the console is, as the gateway sends it. To show a page, a browser loads at most 100 KiB, and at most 20 KiB
// more when the user opens something there. Grafana's dashboards are data: they are listed, and have no limit here.
import { readFileSync, readdirSync } from "node:fs";
import path from "node:path";
import { gzipSync } from "node:zlib";
import { CONSOLE, reached, sent, served } from "./assets.mjs";

const KIB = 1024;
const LIMIT = 100 * KIB;
const MORE = 20 * KIB;

const files = served();
const { first, direct, views } = reached(files);
const sizes = [...files].map(([name, contents]) => ({ name, plain: contents.length, gzip: gzipSync(sent(name, contents), { level: 9 }).length }));
const kib = (/** @type {number} */ bytes) => (bytes / KIB).toFixed(1).padStart(7);
const sum = (/** @type {(name: string) => boolean} */ counts) => sizes.filter(({ name }) => counts(name)).reduce((total, one) => total + one.gzip, 0);
const when = (/** @type {string} */ name) => (first.has(name) ? "first" : direct.has(name) ? "page" : "later");

console.log("   gzip   plain  loaded  file (KiB)");
for (const one of sizes.sort((a, b) => b.gzip - a.gzip)) console.log(`${kib(one.gzip)} ${kib(one.plain)}  ${when(one.name).padEnd(6)}  ${one.name}`);
const libraries = sum((name) => name.startsWith("vendor/"));
const total = sum(() => true);
console.log(`${kib(total)}          all: libraries ${kib(libraries).trim()}, our own ${kib(total - libraries).trim()}`);
console.log(`${kib(sum((name) => first.has(name)))}          the frame, before a page`);
for (const { page, loaded, later } of views) {
  const [shown, most] = [loaded, later].map((files) => sum((name) => files.has(name)));
  console.log(`${kib(shown)}          the frame and ${page}; ${kib(most).trim()} with all that it may load later`);
  if (shown > LIMIT || most > LIMIT + MORE) {
    console.error(`${page} loads ${kib(shown).trim()} KiB, later up to ${kib(most).trim()} KiB; ${LIMIT / KIB} and ${(LIMIT + MORE) / KIB} KiB are the limits`);
    process.exitCode = 1;
  }
}
const dashboards = path.join(CONSOLE, "../grafana/dashboards");
const data = readdirSync(dashboards).reduce((bytes, name) => bytes + gzipSync(readFileSync(path.join(dashboards, name)), { level: 9 }).length, 0);
console.log(`${kib(data)}          the definitions of the dashboards, which are data`);
