// The rules of structure.mjs find what they are for.
import assert from "node:assert/strict";
import { test } from "node:test";
import { reached, sent } from "../assets.mjs";
import { functions, imports, packs, policy } from "../structure.mjs";

const page = '<link rel="stylesheet" href="./style/frame.css"><script type="module" src="./app.js"></script>';

test("an import that is bare, missing or of another origin is found, and a file that nothing loads", () => {
  const files = new Map([
    ["index.html", page],
    ["style/frame.css", 'a { background: url("./missing.svg") }'],
    ["app.js", 'import "lit"; import "https://example.com/x.js"; import { a } from "./lib/gone.js"; import "./lib/here.js";'],
    ["lib/here.js", 'export const late = () => import("./late.js");'],
    ["lib/late.js", ""],
    ["lib/dead.js", ""],
  ]);
  assert.deepEqual(imports(files), [
    "style/frame.css loads style/missing.svg, which does not exist",
    "app.js loads lit: only relative addresses of this origin are allowed",
    "app.js loads https://example.com/x.js: only relative addresses of this origin are allowed",
    "app.js loads lib/gone.js, which does not exist",
    "lib/dead.js is served, but nothing loads it",
  ]);
});

test("a file counts as loaded later only if no page imports it", () => {
  const files = new Map([
    ["index.html", page],
    ["app.js", ""],
    ["pages/mesh.js", 'import "../parts/chart.js"; import("../parts/flame.js");'],
    ["pages/traces.js", 'import("../parts/chart.js")'],
    ["parts/chart.js", 'script("vendor/plot.js")'],
    ["parts/flame.js", ""],
    ["vendor/plot.js", ""],
  ]);
  const { first, direct, all } = reached(files);
  assert.deepEqual([...first].sort(), ["app.js", "index.html"]);
  assert.deepEqual([...direct].sort(), ["app.js", "index.html", "pages/mesh.js", "pages/traces.js", "parts/chart.js"]);
  assert.equal(all.size, files.size);
});

test("a function of more than 50 lines of code is found; comments and blank lines do not count", () => {
  const body = (/** @type {number} */ lines) => `const f = () => {\n${"  a();\n".repeat(lines)}\n  // why\n};\n`;
  assert.deepEqual(functions("a.js", body(50)), []);
  assert.deepEqual(functions("a.js", `\n${body(51)}`), ["a.js:2: a function of 51 lines; 50 is the limit"]);
});

test("what the content security policy blocks is found before a browser does", () => {
  const bad = ['html`<i style="left: 1px">`', "html`<i style=${x}>`", "styleMap({})", "a.innerHTML = b", "eval(a)", 'fetch("https://example.com")', "fetch('//example.com')"];
  for (const line of bad) assert.equal(policy("a.js", line).length, 1, line);
  const good = ['html`<i .style=${"left: 1px"}>`', '"http://www.w3.org/2000/svg"', "// see https://example.com", "a.style.left = b"];
  for (const line of good) assert.deepEqual(policy("a.js", line), [], line);
});

test("what the gateway sends has no comments in lines of their own, and its code on the same lines", () => {
  const source = "// why\n/** A sum.\n * @param {number} a\n */\nconst f = (/** @type {number} */ a) =>\n  a; // kept\n/** @type {string} */\nconst g = 1;\n";
  assert.equal(sent("a.js", Buffer.from(source)).toString(), "\n\n\n\nconst f = (/** @type {number} */ a) =>\na; // kept\n\nconst g = 1;\n");
  assert.deepEqual(packs("a.js", source), []);
});

test("code or a text that the gateway would take for a comment is found", () => {
  for (const text of ["f(`a\n// b\n`);", "f(`\n/* a\n*/\n`);", "/* a\n*/ f();"]) assert.equal(packs("a.js", `const a = 1;\n${text}\n`).length, 1, text);
});
