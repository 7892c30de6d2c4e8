#!/usr/bin/env node
// Rules for the sources of the console that tsc does not check; unit/structure.test.js shows that each finds what it is for.
import { readFileSync, readdirSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { CONSOLE, parse, reached, sent, served } from "./assets.mjs";

/** As clippy counts in Rust: lines of a function's body with code. */
const LONGEST = 50;

/** Each import is relative and exists; each file is loaded by something. @param {Map<string, Buffer | string>} files */
export function imports(files) {
  const { graph, all } = reached(files);
  const complaints = [];
  for (const [name, { loaded, foreign }] of graph) {
    for (const to of foreign) complaints.push(`${name} loads ${to}: only relative addresses of this origin are allowed`);
    for (const to of loaded) if (!files.has(to)) complaints.push(`${name} loads ${to}, which does not exist`);
    if (!all.has(name)) complaints.push(`${name} is served, but nothing loads it`);
  }
  return complaints;
}

/** No function is longer than [`LONGEST`]. @param {string} name @param {string} text */
export function functions(name, text) {
  const source = parse(name, text);
  const complaints = /** @type {string[]} */ ([]);
  const visit = (/** @type {ts.Node} */ node) => {
    const body = ts.isFunctionLike(node) && "body" in node && node.body && ts.isBlock(/** @type {ts.Node} */ (node.body)) ? /** @type {ts.Block} */ (node.body) : null;
    const lines = body ? linesOfCode(body.getText().slice(1, -1)) : 0;
    if (lines > LONGEST) {
      const line = source.getLineAndCharacterOfPosition(node.getStart()).line + 1;
      complaints.push(`${name}:${line}: a function of ${lines} lines; ${LONGEST} is the limit`);
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return complaints;
}

const linesOfCode = (/** @type {string} */ text) => text.split("\n").filter((line) => line.trim() && !/^\s*(\/\/|\/?\*)/.test(line)).length;

/** What the content security policy blocks, or what leaves the origin. @param {string} name @param {string} text */
export function policy(name, text) {
  const rules = [
    [/[\s"]style=["$]/, "an inline style, which the policy blocks: write .style=${…} or a class"],
    [/\bstyleMap\b/, "styleMap writes inline styles, which the policy blocks: write .style=${…} or a class"],
    [/\.(inner|outer)HTML\b|insertAdjacentHTML|document\.write/, "text as HTML, which the policy blocks: write a template"],
    [/\beval\(|new Function\(/, "code from text, which the policy blocks"],
    [/["'`(](https?:)?\/\/(?!www\.w3\.org\/)[a-z]/, "an address of another origin"],
  ];
  return text.split("\n").flatMap((line, index) => rules.filter(([pattern]) => /** @type {RegExp} */ (pattern).test(line)).map(([, what]) => `${name}:${index + 1}: ${what}`));
}

/** The gateway leaves out comments, and nothing else. @param {string} name @param {string} text */
export function packs(name, text) {
  const [before, after] = [tokens(text), tokens(sent(name, Buffer.from(text)).toString())];
  const at = before.findIndex(([token], index) => token !== after[index]?.[0]);
  return at < 0 ? [] : [`${name}:${before[at][1]}: the gateway would take a part of this for a comment: begin no line of a text with // or /*, and no code after the end of a comment of several lines`];
}

/** @param {string} text @returns {[token: string, line: number][]} */
function tokens(text) {
  const source = parse("a.js", text);
  /** @type {[string, number][]} */
  const found = [];
  const visit = (/** @type {ts.Node} */ node) => {
    if (ts.isJSDoc(node)) return;
    const children = node.getChildren();
    // Indentation is left out, too, also that inside a template.
    if (!children.length) found.push([node.getText().replaceAll(/\s*\n\s*/g, "\n"), source.getLineAndCharacterOfPosition(node.getStart()).line + 1]);
    children.forEach(visit);
  };
  visit(source);
  return found;
}

function main() {
  const files = served();
  const own = [...files].filter(([name]) => !name.startsWith("vendor/")).map(([name, contents]) => /** @type {const} */ ([name, contents.toString()]));
  const tests = readdirSync(path.join(CONSOLE, "tests"), { recursive: true, encoding: "utf8" })
    .filter((name) => /\.m?js$/.test(name) && !name.startsWith("node_modules"))
    .map((name) => /** @type {const} */ ([`tests/${name}`, readFileSync(path.join(CONSOLE, "tests", name), "utf8")]));
  const scripts = own.filter(([name]) => name.endsWith(".js"));
  const complaints = [
    ...imports(files),
    ...own.flatMap(([name, text]) => policy(name, text)),
    ...scripts.flatMap(([name, text]) => packs(name, text)),
    ...[...scripts, ...tests].flatMap(([name, text]) => functions(name, text)),
  ];
  for (const complaint of complaints) console.error(complaint);
  console.log(`${own.length} files of our own and ${tests.length} of their tests read, ${complaints.length} complaints`);
  process.exitCode = complaints.length ? 1 : 0;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) main();
