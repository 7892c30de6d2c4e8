// The expression of an alert as what it measures and when that is too much: PromQL, split at its comparison.

/** @typedef {{ left: string, op: string, right: string, labels: Record<string, string>, conditions: string[] }} Comparison */

const CLOSING = /** @type {Record<string, string>} */ ({ "(": ")", "[": "]", "{": "}" });
/** Comparisons in words. */
export const WORDS = /** @type {Record<string, string>} */ ({ ">": "above", ">=": "at or above", "<": "below", "<=": "at or below", "==": "at", "!=": "not at" });

const COMPARISON = /^(==|!=|>=|<=|>|<)/;

/** The words and operators of an expression that stand in no bracket and in no text. @param {string} text @returns {{ at: number, word: string }[]} */
function outside(text) {
  const found = [];
  /** @type {string[]} */
  const open = [];
  for (let at = 0; at < text.length; at += 1) {
    const letter = text[at];
    if (letter === '"' || letter === "'" || letter === "`") {
      at = endOfText(text, at);
    } else if (letter in CLOSING) {
      open.push(CLOSING[letter]);
    } else if (letter === open.at(-1)) {
      open.pop();
    } else if (!open.length) {
      const word = COMPARISON.exec(text.slice(at))?.[0] ?? /^[a-zA-Z_:][\w:]*/.exec(text.slice(at))?.[0];
      if (word) found.push({ at, word });
      at += (word?.length ?? 1) - 1;
    }
  }
  return found;
}

/** @param {string} text @param {number} from */
function endOfText(text, from) {
  for (let at = from + 1; at < text.length; at += 1) {
    if (text[at] === "\\") at += 1;
    else if (text[at] === text[from]) return at;
  }
  return text.length;
}

/** Parts between some of the words at the top, with the word before each; how labels are matched is left out. @param {string} text @param {string[]} words @returns {{ word: string, text: string }[]} */
function parts(text, words) {
  const cuts = outside(text).filter(({ word }) => words.includes(word));
  const starts = [{ at: 0, word: "" }, ...cuts];
  return starts.map(({ at, word }, index) => ({ word, text: text.slice(at + word.length, starts[index + 1]?.at).trim().replace(word ? /^(on|ignoring)\s*\([^)]*\)\s*/ : /^$/, "") }));
}

/** Whether the first bracket of a text ends with it. @param {string} text */
function isWhole(text) {
  let depth = 0;
  for (let at = text.indexOf("("); at < text.length; at += 1) {
    if (text[at] === '"') at = endOfText(text, at);
    else if (text[at] === "(") depth += 1;
    else if (text[at] === ")" && (depth -= 1) === 0) return at === text.length - 1;
  }
  return false;
}

/** What an expression compares; each side of an `or` by itself. Empty if there is no comparison at its top. @param {string} expression @param {Record<string, string>} [labels] that the expression adds @returns {Comparison[]} */
export function split(expression, labels = {}) {
  const text = expression.trim();
  const alternatives = parts(text, ["or"]);
  if (alternatives.length > 1) return alternatives.flatMap((one) => split(one.text, labels));
  if (text.startsWith("(") && isWhole(text)) return split(text.slice(1, -1), labels);
  const relabelled = /^label_replace\s*\(/.exec(text);
  if (relabelled && isWhole(text)) {
    const added = /^(.*),\s*"(\w+)",\s*"([^"$]*)",\s*"",\s*""\s*$/s.exec(text.slice(relabelled[0].length, -1));
    return added ? split(added[1], { ...labels, [added[2]]: added[3] }) : [];
  }
  const [main, ...conditions] = parts(text, ["and", "unless"]);
  const operator = outside(main.text).find(({ word }) => COMPARISON.test(word));
  if (!operator) return [];
  const left = main.text.slice(0, operator.at).trim();
  const right = main.text.slice(operator.at + operator.word.length).trim().replace(/^bool\b\s*/, "");
  return [{ left, op: operator.word, right, labels, conditions: conditions.map((one) => `${one.word} ${one.text}`) }];
}

/** The part of a rule that an alert comes from. @param {Comparison[]} comparisons @param {Record<string, string>} labels of the alert */
export const partOf = (comparisons, labels) => comparisons.find((one) => Object.entries(one.labels).every(([name, value]) => labels[name] === value)) ?? comparisons[0];

/** Whether a series belongs to an alert: no label that both have differs. @param {Record<string, string>} series @param {Record<string, string>} alert */
export const belongs = (series, alert) => Object.entries(series).every(([name, value]) => name === "__name__" || alert[name] === undefined || alert[name] === value);

/** The number that an expression is, if it is one. @param {string} text @returns {number | undefined} */
export const constant = (text) => (/^-?[\d.]+(e[+-]?\d+)?$/i.test(text.trim()) ? Number(text) : undefined);

/** How far a value is from firing: 1 fires, 0 is as far as can be. @param {string} op @param {number} value @param {number} threshold */
export function nearness(op, value, threshold) {
  const fires = /** @type {Record<string, boolean>} */ ({ ">": value > threshold, ">=": value >= threshold, "<": value < threshold, "<=": value <= threshold, "==": value === threshold, "!=": value !== threshold })[op];
  if (fires) return 1;
  const share = op.startsWith(">") ? value / threshold : op.startsWith("<") ? threshold / value : 0;
  return Number.isFinite(share) ? Math.min(Math.max(share, 0), 0.999) : 0;
}

/** Of several values the one that is nearest to firing. @param {string} op @param {number[]} values */
export const worst = (op, values) => (op.startsWith("<") || op === "==" ? Math.min(...values) : Math.max(...values));
