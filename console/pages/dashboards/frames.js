// Tables: the rows of several queries joined, and columns left out, renamed and ordered.

/** @typedef {Record<string, string | number>} Row */
/** @typedef {{ refId: string, samples: import("../../lib/prometheus.js").Sample[] }} Answer */
/** @typedef {{ columns: string[], rows: Row[] }} Frame */

/** @param {string[]} names */
const unique = (names) => [...new Set(names)];

/** The rows of one query: its labels, and its value below a name of its own. @param {Answer} answer @param {boolean} isAlone @returns {Frame} */
function frame({ refId, samples }, isAlone) {
  const value = isAlone ? "Value" : `Value #${refId}`;
  const rows = samples.map((sample) => ({ ...sample.labels, [value]: sample.value }));
  return { columns: [...unique(samples.flatMap(({ labels }) => Object.keys(labels))), value], rows };
}

/** One table of all queries: rows with the same labels become one. @param {Frame[]} frames @param {Set<string>} values the columns that are no labels @returns {Frame} */
function merge(frames, values) {
  const columns = unique([...frames.flatMap((one) => one.columns.filter((column) => !values.has(column))), ...frames.flatMap((one) => one.columns)]);
  /** @type {Map<string, Row>} */
  const rows = new Map();
  for (const { rows: own } of frames) {
    for (const row of own) {
      const key = JSON.stringify(Object.entries(row).filter(([name]) => !values.has(name)).sort());
      rows.set(key, { ...rows.get(key), ...row });
    }
  }
  return { columns, rows: [...rows.values()] };
}

/** @param {Frame} frame @param {{ excludeByName?: Record<string, boolean>, indexByName?: Record<string, number>, renameByName?: Record<string, string> }} options @returns {Frame} */
function organize({ columns, rows }, { excludeByName = {}, indexByName = {}, renameByName = {} }) {
  const place = (/** @type {string} */ name) => indexByName[name] ?? Infinity;
  const kept = columns.filter((name) => !excludeByName[name]).map((name, index) => ({ name, index }));
  kept.sort((a, b) => (place(a.name) === place(b.name) ? a.index - b.index : place(a.name) - place(b.name)));
  const title = (/** @type {string} */ name) => renameByName[name] || name;
  return { columns: kept.map(({ name }) => title(name)), rows: rows.map((row) => Object.fromEntries(Object.entries(row).map(([name, value]) => [title(name), value]))) };
}

/** @param {Frame} found @param {import("./definition.js").Panel} panel @returns {Frame} */
export function transformed(found, panel) {
  let result = found;
  for (const { id, options } of panel.transformations ?? []) if (id === "organize") result = organize(result, options);
  const [order] = panel.options?.sortBy ?? [];
  if (!order) return result;
  const sign = order.desc ? -1 : 1;
  const compare = (/** @type {Row} */ a, /** @type {Row} */ b) => {
    const [left, right] = [a[order.displayName], b[order.displayName]];
    return sign * (typeof left === "number" && typeof right === "number" ? left - right : String(left ?? "").localeCompare(String(right ?? "")));
  };
  return { ...result, rows: result.rows.toSorted(compare) };
}

/** The table of a panel. @param {Answer[]} answers @param {import("./definition.js").Panel} panel @returns {Frame} */
export function tableOf(answers, panel) {
  const isAlone = answers.length === 1;
  const frames = answers.map((answer) => frame(answer, isAlone));
  const values = new Set(answers.map(({ refId }) => (isAlone ? "Value" : `Value #${refId}`)));
  return transformed(merge(frames, values), panel);
}
