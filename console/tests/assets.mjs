// The files of the console that a browser may load, and which of them load which others.
import { readFileSync, readdirSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";

export const CONSOLE = fileURLToPath(new URL("../", import.meta.url));

/** As in `services/gateway/build.rs`, which embeds them. */
const KINDS = [".css", ".html", ".js", ".png", ".svg", ".woff2"];
const NOT_SERVED = ["tests", "types", "node_modules", "screenshot.png"];

/**
 * A module as the gateway sends it: without indentation and without the comments that have lines of their own. As
 * `without_comments` in `services/gateway/build.rs`.
 * @param {string} name @param {Buffer} contents
 */
export function sent(name, contents) {
  if (!name.endsWith(".js") || name.startsWith("vendor/")) return contents;
  let isInside = false;
  const lines = contents.toString().split("\n").map((text) => {
    const line = text.trim();
    const begins = !isInside && line.startsWith("/*");
    const isComment = isInside || line.startsWith("//") || (begins && (!line.includes("*/") || line.endsWith("*/")));
    if (begins || isInside) isInside = !line.includes("*/");
    return isComment ? "" : line;
  });
  return Buffer.from(lines.join("\n"));
}

/**
 * @typedef {object} References
 * @property {string[]} loaded with the file: static imports, and what HTML and CSS name
 * @property {string[]} later when code asks for it: `import()`, or a relative address in a text
 * @property {string[]} foreign imports that are not relative
 */

/** Every served file by its path below `console/`. @returns {Map<string, Buffer>} */
export function served(folder = CONSOLE, below = "") {
  const files = new Map();
  for (const entry of readdirSync(path.join(folder, below), { withFileTypes: true })) {
    const name = path.posix.join(below, entry.name);
    if (NOT_SERVED.includes(entry.name)) continue;
    if (entry.isDirectory()) {
      for (const [inner, contents] of served(folder, name)) files.set(inner, contents);
    } else if (KINDS.includes(path.extname(name))) {
      files.set(name, readFileSync(path.join(folder, name)));
    }
  }
  return files;
}

/** @param {string} name @param {string} text */
export const parse = (name, text) => ts.createSourceFile(name, text, ts.ScriptTarget.Latest, true, ts.ScriptKind.JS);

/** @param {string} name @param {string} text @returns {References} */
export function references(name, text) {
  const at = (/** @type {string} */ to) => path.posix.join(path.posix.dirname(name), to);
  if (name.endsWith(".js")) return ofModule(parse(name, text), at);
  const marks = name.endsWith(".html") ? /(?:href|src)="([^"]+)"/g : name.endsWith(".css") ? /url\(["']?([^"')]+)|@import ["']([^"']+)/g : null;
  const named = marks ? [...text.matchAll(marks)].map(([, one, other]) => one ?? other) : [];
  const own = named.filter((to) => !to.startsWith("data:"));
  return { loaded: own.filter((to) => !isForeign(to)).map(at), later: [], foreign: own.filter(isForeign) };
}

const isRelative = (/** @type {string} */ to) => /^\.\.?\//.test(to);
const isForeign = (/** @type {string} */ to) => /^[a-z]+:|^\/\//.test(to);

/** @param {ts.SourceFile} source @param {(to: string) => string} at @returns {References} */
function ofModule(source, at) {
  /** @type {References} */
  const found = { loaded: [], later: [], foreign: [] };
  const visit = (/** @type {ts.Node} */ node) => {
    if ((ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) && node.moduleSpecifier && ts.isStringLiteral(node.moduleSpecifier)) {
      const to = node.moduleSpecifier.text;
      if (isRelative(to)) found.loaded.push(at(to));
      else found.foreign.push(to);
    } else if (ts.isStringLiteralLike(node) && /\.(css|js)$/.test(node.text)) {
      // Relative to the module, or below the console as `lib/assets.js` takes it.
      found.later.push(isRelative(node.text) ? at(node.text) : node.text);
    } else {
      ts.forEachChild(node, visit);
    }
  };
  visit(source);
  return found;
}

/**
 * What the frame and the pages load, and what is loaded only when code asks for it.
 * @param {Map<string, Buffer | string>} files
 */
export function reached(files) {
  const graph = new Map([...files].map(([name, contents]) => [name, references(name, contents.toString())]));
  const follow = (/** @type {string[]} */ from, /** @type {(of: References) => string[]} */ next) => {
    const seen = new Set();
    const queue = from.filter((name) => graph.has(name));
    for (let name = queue.pop(); name; name = queue.pop()) {
      if (seen.has(name)) continue;
      seen.add(name);
      queue.push(...next(/** @type {References} */ (graph.get(name))).filter((to) => graph.has(to)));
    }
    return seen;
  };
  const pages = [...files.keys()].filter((name) => /^pages\/[^/]+\.js$/.test(name));
  const direct = follow(["index.html", ...pages], (of) => of.loaded);
  const everything = (/** @type {References} */ of) => [...of.loaded, ...of.later];
  const all = follow(["index.html", ...pages], everything);
  const first = follow(["index.html"], (of) => of.loaded);
  // What a browser loads to show a page, and what it may load later, when the user opens something there.
  const views = pages.map((page) => ({ page, loaded: new Set([...first, ...follow([page], (of) => of.loaded)]), later: new Set([...first, ...follow([page], everything)]) }));
  return { graph, first, direct, all, views };
}
