// Links of Grafana's definitions as addresses of the console.

import { href, route } from "../../lib/route.js";

/** @param {string | undefined} url @param {Record<string, unknown>} fields of the row @param {Record<string, string>} labels of the series @returns {string | undefined} */
export function linkOf(url, fields, labels) {
  if (!url) return undefined;
  const filled = url
    .replace(/\$\{__data\.fields\.([^}]+)\}/g, (_, name) => encodeURIComponent(String(fields[name] ?? "")))
    .replace(/\$\{__field\.labels\.([^}]+)\}/g, (_, name) => encodeURIComponent(labels[name] ?? ""))
    .replace(/&?\$\{__url_time_range\}/g, "");
  const found = /^\/d\/([\w-]+)(?:\?(.*))?$/.exec(filled);
  if (!found) return /^\/(?!\/)/.test(filled) ? filled.replace(/^\/\.\.\//, "/") : undefined;
  const present = route.peek().params;
  /** @type {Record<string, string | undefined>} */
  const params = { range: present.get("range") ?? undefined, from: present.get("from") ?? undefined, to: present.get("to") ?? undefined };
  for (const [name, value] of new URLSearchParams(found[2] ?? "")) {
    if (name.startsWith("var-")) params[name.slice(4)] = value;
    if (name === "viewPanel") params.panel = value.replace(/^panel-/, "");
  }
  return href("dashboards", [found[1]], params);
}
