// Markdown, as far as our runbooks use it, from text to templates: no HTML of the text is ever read as such.

import { html } from "../lib/view.js";

/**
 * @typedef {{ kind: "heading", level: number, text: string }
 *   | { kind: "paragraph", text: string }
 *   | { kind: "list", isOrdered: boolean, items: string[] }
 *   | { kind: "table", head: string[], rows: string[][] }
 *   | { kind: "code", text: string }} Block
 * @typedef {{ code?: (text: string) => unknown, href?: (url: string) => string | undefined }} Options `code` may add to a code span; `href` says where a link of the text leads
 */

const ITEM = /^\s*(?:([-*+])|\d{1,3}[.)])\s+(.*)$/;
const FENCE = /^\s*```/;
const BEGINS = /^(#{1,6}\s|\s*```|\s*\||\s*[-*+]\s|\s*\d{1,3}[.)]\s)/;

/** @param {string} text @returns {Block[]} */
export function parse(text) {
  const lines = text.replaceAll("\r", "").split("\n");
  /** @type {Block[]} */
  const blocks = [];
  let at = 0;
  while (at < lines.length) {
    const [block, next] = read(lines, at);
    if (block) blocks.push(block);
    at = next;
  }
  return blocks;
}

/** The block that begins at a line, and the line after it. @param {string[]} lines @param {number} at @returns {[Block | undefined, number]} */
function read(lines, at) {
  const line = lines[at];
  if (!line.trim()) return [undefined, at + 1];
  const heading = /^(#{1,6})\s+(.*)$/.exec(line);
  if (heading) return [{ kind: "heading", level: heading[1].length, text: heading[2] }, at + 1];
  if (FENCE.test(line)) {
    const end = lines.findIndex((one, index) => index > at && FENCE.test(one));
    const last = end < 0 ? lines.length : end;
    return [{ kind: "code", text: lines.slice(at + 1, last).join("\n") }, last + 1];
  }
  if (/^\s*\|/.test(line)) return table(lines, at);
  if (ITEM.test(line)) return list(lines, at);
  let end = at + 1;
  while (end < lines.length && lines[end].trim() && !BEGINS.test(lines[end])) end += 1;
  return [{ kind: "paragraph", text: lines.slice(at, end).join(" ") }, end];
}

/** @param {string} line */
const cells = (line) =>
  line
    .trim()
    .replace(/^\||(?<!\\)\|$/g, "")
    .split(/(?<!\\)\|/)
    .map((cell) => cell.trim().replaceAll("\\|", "|"));

/** @param {string[]} lines @param {number} at @returns {[Block, number]} */
function table(lines, at) {
  let end = at;
  while (end < lines.length && /^\s*\|/.test(lines[end])) end += 1;
  const rows = lines.slice(at, end).map(cells);
  const hasHead = rows[1]?.every((cell) => /^:?-+:?$/.test(cell));
  return [{ kind: "table", head: hasHead ? rows[0] : [], rows: hasHead ? rows.slice(2) : rows }, end];
}

/** @param {string[]} lines @param {number} at @returns {[Block, number]} */
function list(lines, at) {
  /** @type {string[]} */
  const items = [];
  const isOrdered = !ITEM.exec(lines[at])?.[1];
  let end = at;
  for (; end < lines.length && lines[end].trim(); end += 1) {
    const item = ITEM.exec(lines[end]);
    if (item && !item[1] !== isOrdered) break;
    if (item) items.push(item[2]);
    else items[items.length - 1] += ` ${lines[end].trim()}`;
  }
  return [{ kind: "list", isOrdered, items }, end];
}

const INLINE = /(`+)(.+?)\1|\*\*(.+?)\*\*|\*([^*\s](?:[^*]*[^*\s])?)\*|\[([^\]]+)\]\(([^)\s]+)\)/g;

/** Where a link may lead: this origin, or the web. @param {string} url */
const isSafe = (url) => /^(https?:\/\/|\/(?!\/)|#|\.)/.test(url);

/** @param {string} text @param {Options} options @returns {unknown[]} */
export function inline(text, options) {
  const parts = [];
  let from = 0;
  for (const found of text.matchAll(INLINE)) {
    const [all, , code, bold, emphasis, label, url] = found;
    parts.push(text.slice(from, found.index));
    from = found.index + all.length;
    if (code !== undefined) parts.push(html`<code>${code}</code>${options.code?.(code) ?? ""}`);
    else if (bold !== undefined) parts.push(html`<b>${inline(bold, options)}</b>`);
    else if (emphasis !== undefined) parts.push(html`<em>${inline(emphasis, options)}</em>`);
    else parts.push(link(label, options.href?.(url) ?? url, options));
  }
  parts.push(text.slice(from));
  return parts;
}

/** @param {string} label @param {string} url @param {Options} options */
function link(label, url, options) {
  const text = inline(label, options);
  if (!isSafe(url)) return text;
  // A page of this console, as other viewers of the text find it.
  if (url.startsWith("/#/")) return html`<a href=${url.slice(1)}>${text}</a>`;
  return url.startsWith("#") ? html`<a href=${url}>${text}</a>` : html`<a href=${url} target="_blank" rel="noopener noreferrer">${text}</a>`;
}

/** @param {Block} block @param {Options} options */
function draw(block, options) {
  const text = (/** @type {string} */ one) => inline(one, options);
  switch (block.kind) {
    case "heading":
      return block.level < 3 ? html`<h3>${text(block.text)}</h3>` : html`<h4>${text(block.text)}</h4>`;
    case "paragraph":
      return html`<p>${text(block.text)}</p>`;
    case "code":
      return html`<pre tabindex="0"><code>${block.text}</code></pre>`;
    case "list": {
      const items = block.items.map((item) => html`<li>${text(item)}</li>`);
      return block.isOrdered ? html`<ol>${items}</ol>` : html`<ul>${items}</ul>`;
    }
    case "table":
      return html`<div class="scroll" tabindex="0" role="group" aria-label="table"><table>
        ${block.head.length ? html`<thead><tr>${block.head.map((cell) => (cell ? html`<th scope="col">${text(cell)}</th>` : html`<td></td>`))}</tr></thead>` : ""}
        <tbody>${block.rows.map((row) => html`<tr>${row.map((cell) => html`<td>${text(cell)}</td>`)}</tr>`)}</tbody>
      </table></div>`;
  }
}

/** Text in Markdown. @param {string} text @param {Options} [options] */
export const markdown = (text, options = {}) => html`<div class="prose">${parse(text).map((block) => draw(block, options))}</div>`;
