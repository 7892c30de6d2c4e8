// Markdown: the blocks and spans that our runbooks use, and nothing that the text smuggles in.

import assert from "node:assert/strict";
import { test } from "node:test";

import "../dom.mjs";

const { inline, parse } = await import("../../parts/markdown.js");

/** The text of templates without their tags' names. @param {any} part @returns {string} */
const flat = (part) => {
  if (Array.isArray(part)) return part.map(flat).join("");
  if (part?.strings) return part.strings.map((/** @type {string} */ text, /** @type {number} */ index) => text + (index < part.values.length ? flat(part.values[index]) : "")).join("");
  return String(part ?? "");
};

test("blocks: headings, paragraphs over lines, lists with continued items, tables, code", () => {
  const blocks = parse("## Title\n\none\ntwo\n1. first\n   goes on\n2. second\n\n- a\n\n| h | i |\n|---|---|\n| `x \\| y` | – |\n\n```\n# code\n```\nend");
  assert.deepEqual(blocks, [
    { kind: "heading", level: 2, text: "Title" },
    { kind: "paragraph", text: "one two" },
    { kind: "list", isOrdered: true, items: ["first goes on", "second"] },
    { kind: "list", isOrdered: false, items: ["a"] },
    { kind: "table", head: ["h", "i"], rows: [["`x | y`", "–"]] },
    { kind: "code", text: "# code" },
    { kind: "paragraph", text: "end" },
  ]);
});

test("spans: bold, emphasis, code, links; stars in code stay", () => {
  assert.equal(flat(inline("**Do.** *stop* `rate(a[5m]) * 2 * b` and 2 * 3 * 4", {})), "<b>Do.</b> <em>stop</em> <code>rate(a[5m]) * 2 * b</code> and 2 * 3 * 4");
  assert.match(flat(inline("[here](https://example.org/)", {})), /<a href=https:\/\/example.org\/ .*>here<\/a>/);
});

test("a link to a page of the console stays in its window", () => {
  assert.match(flat(inline("[Events](/#/events)", {})), /<a href=#\/events>Events<\/a>/);
});

test("a link to a script is text, and so are tags", () => {
  assert.equal(flat(inline("[x](javascript:alert(1))", {})), "x)");
  assert.equal(flat(inline("[x](//elsewhere.example/)", {})), "x");
  assert.deepEqual(inline("<img onerror=x>", {}), ["<img onerror=x>"]);
});

test("an unfinished fence ends with the text", () => {
  assert.deepEqual(parse("```\na"), [{ kind: "code", text: "a" }]);
});
