#!/usr/bin/env node
// How large each file of the console is, as the gateway compresses it. All of them together have at most 100 KiB, and 20 KiB more
// that only some views load. Grafana's dashboards are data: they are listed, and have no limit here.
import { readFileSync, readdirSync } from "node:fs";
import path from "node:path";
import { gzipSync } from "node:zlib";
import { CONSOLE, reached, served } from "./assets.mjs";

const KIB = 1024;
const LIMIT = 100 * KIB;
const LAZY = 20 * KIB;

const files = served();
const { first, direct } = reached(files);
const sizes = [...files].map(([name, contents]) => ({ name, plain: contents.length, gzip: gzipSync(contents, { level: 9 }).length }));
const kib = (/** @type {number} */ bytes) => (bytes / KIB).toFixed(1).padStart(7);
const sum = (/** @type {(one: typeof sizes[number]) => boolean} */ counts) => sizes.filter(counts).reduce((total, one) => total + one.gzip, 0);
const when = (/** @type {string} */ name) => (first.has(name) ? "first" : direct.has(name) ? "page" : "later");

console.log("   gzip   plain  loaded  file (KiB)");
for (const one of sizes.sort((a, b) => b.gzip - a.gzip)) console.log(`${kib(one.gzip)} ${kib(one.plain)}  ${when(one.name).padEnd(6)}  ${one.name}`);
const vendored = (/** @type {{ name: string }} */ { name }) => name.startsWith("vendor/");
const later = sum(({ name }) => when(name) === "later");
const total = sum(() => true);
console.log(`${kib(total)}          all: libraries ${kib(sum(vendored)).trim()}, our own ${kib(total - sum(vendored)).trim()}`);
console.log(`${kib(sum(({ name }) => first.has(name)))}          the frame, before a page`);
console.log(`${kib(later)}          loaded by some views only`);

const dashboards = path.join(CONSOLE, "../grafana/dashboards");
const data = readdirSync(dashboards).reduce((bytes, name) => bytes + gzipSync(readFileSync(path.join(dashboards, name)), { level: 9 }).length, 0);
console.log(`${kib(data)}          the definitions of the dashboards, which are data`);

const counted = total - Math.min(later, LAZY);
if (counted > LIMIT) {
  console.error(`the console has ${kib(counted).trim()} KiB beside ${kib(Math.min(later, LAZY)).trim()} KiB that some views load; ${LIMIT / KIB} KiB is the limit`);
  process.exitCode = 1;
}
