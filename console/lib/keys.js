// Keys: sequences like `g m`, and single ones. The last scope that knows a key has it.

/** @typedef {{ [keys: string]: [description: string, act: () => void] }} Bindings */

/** @type {Bindings[]} */
const scopes = [];
let pending = "";
let timer = 0;

/** Adds keys until the returned function is called. @param {Bindings} bindings */
export function bind(bindings) {
  scopes.push(bindings);
  return () => void scopes.splice(scopes.indexOf(bindings), 1);
}

/** All keys that work now, with what they do. @returns {[keys: string, description: string][]} */
export function all() {
  const seen = new Map(scopes.flatMap((bindings) => Object.entries(bindings).map(([keys, [description]]) => [keys, description])));
  return [...seen];
}

/** @param {KeyboardEvent} event */
function onKey(event) {
  const target = event.target instanceof Element ? event.target : null;
  const typing = target?.closest("input, textarea, select, [contenteditable]");
  if (event.ctrlKey || event.metaKey || event.altKey || (typing && event.key !== "Escape")) return;
  // An open dialog has its own keys: Escape closes it.
  if (document.querySelector("dialog[open]")) return;
  // Enter and Space belong to what has the focus.
  if ((event.key === "Enter" || event.key === " ") && target?.closest("a, button, summary, [role=button], [role=row]")) return;
  const keys = pending ? `${pending} ${event.key}` : event.key;
  clearTimeout(timer);
  pending = "";
  const found = scopes.findLast((bindings) => keys in bindings) ?? scopes.findLast((bindings) => event.key in bindings);
  const binding = found?.[keys] ?? found?.[event.key];
  if (binding) {
    event.preventDefault();
    return binding[1]();
  }
  if (scopes.some((bindings) => Object.keys(bindings).some((known) => known.startsWith(`${event.key} `)))) {
    pending = event.key;
    timer = window.setTimeout(() => (pending = ""), 1_000);
  }
}

if (typeof document !== "undefined") document.addEventListener("keydown", onKey);
