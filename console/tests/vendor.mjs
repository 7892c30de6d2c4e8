#!/usr/bin/env node
// Compares the vendored libraries with the packages of the registry, and with vendor.json; `--write` writes vendor.json.
import { createHash } from "node:crypto";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";

const vendor = fileURLToPath(new URL("../vendor/", import.meta.url));
const list = path.join(vendor, "vendor.json");
const known = JSON.parse(readFileSync(list, "utf8"));
const sha256 = (/** @type {string} */ file) => createHash("sha256").update(readFileSync(file)).digest("hex");
const filesBelow = (/** @type {string} */ folder) =>
  readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((name) => statSync(path.join(folder, name)).isFile()).sort();

const problems = [];
for (const library of known.libraries) {
  const folder = path.join(vendor, library.folder);
  const here = filesBelow(folder);
  const own = new Set(library.own ?? []);
  if (process.argv.includes("--write")) library.sha256 = Object.fromEntries(here.filter((name) => !own.has(name)).map((name) => [name, sha256(path.join(folder, name))]));
  const listed = Object.keys(library.sha256);
  for (const name of here) if (!own.has(name) && !listed.includes(name)) problems.push(`${library.folder}/${name} is not in vendor.json`);
  if (!here.some((name) => name.startsWith("LICENSE"))) problems.push(`${library.folder} has no licence file`);
  const temporary = mkdtempSync(path.join(os.tmpdir(), "vendor-"));
  const [tarball] = JSON.parse(execFileSync("npm", ["pack", "--json", "--silent", "--pack-destination", temporary, `${library.package}@${library.version}`], { encoding: "utf8" }));
  execFileSync("tar", ["-xzf", path.join(temporary, tarball.filename), "-C", temporary]);
  const manifest = JSON.parse(readFileSync(path.join(temporary, "package/package.json"), "utf8"));
  if (manifest.license !== library.license) problems.push(`${library.folder}: the licence is ${manifest.license}, vendor.json says ${library.license}`);
  for (const [name, expected] of Object.entries(library.sha256)) {
    const [ours, theirs] = [path.join(folder, name), path.join(temporary, "package", name)].map(sha256);
    if (ours !== expected) problems.push(`${library.folder}/${name} is not what vendor.json says`);
    if (ours !== theirs) problems.push(`${library.folder}/${name} differs from ${library.package}@${library.version}`);
  }
  rmSync(temporary, { recursive: true });
}
if (process.argv.includes("--write")) writeFileSync(list, `${JSON.stringify(known, null, 2)}\n`);
for (const problem of problems) console.error(problem);
console.log(`${known.libraries.length} libraries compared with their packages, ${problems.length} problems`);
process.exitCode = problems.length ? 1 : 0;
