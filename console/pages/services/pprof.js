// Reads a CPU profile in pprof's format, and adds its samples up to a tree. https://github.com/google/pprof/blob/main/proto/profile.proto

/**
 * A function, called from those above it.
 * @typedef {object} Frame
 * @property {string} name
 * @property {number} total samples in it and in what it calls
 * @property {number} self samples in it alone
 * @property {Frame | null} parent
 * @property {Frame[]} children the heaviest first
 * @property {number} depth
 * @property {number} start samples to the left of it
 */

/** The deepest frame that is drawn; deeper ones count for it. */
const DEEPEST = 200;

/** The fields of a protobuf message, one after the other: numbers and bytes. @param {Uint8Array} bytes @returns {Generator<[field: number, value: number | Uint8Array]>} */
function* fields(bytes) {
  let at = 0;
  const varint = () => {
    let value = 0;
    for (let shift = 1; ; shift *= 128) {
      if (at >= bytes.length || shift > 2 ** 63) throw new Error("the profile ends in the middle of a number");
      const byte = bytes[at++];
      value += (byte & 127) * shift;
      if (byte < 128) return value;
    }
  };
  while (at < bytes.length) {
    const key = varint();
    if (key % 8 === 0) yield [Math.floor(key / 8), varint()];
    else if (key % 8 === 2) {
      const length = varint();
      if (at + length > bytes.length) throw new Error("the profile ends in the middle of a field");
      yield [Math.floor(key / 8), bytes.subarray(at, (at += length))];
    } else throw new Error(`the profile has a field of type ${key % 8}, which pprof does not use`);
  }
}

/** @param {Uint8Array} bytes packed numbers */
function numbers(bytes) {
  const all = [];
  let value = 0;
  let scale = 1;
  for (const byte of bytes) {
    value += (byte & 127) * scale;
    scale *= 128;
    if (byte >= 128) continue;
    all.push(value);
    [value, scale] = [0, 1];
  }
  return all;
}

/** Field by field, the last value of each. @param {number | Uint8Array} message @returns {any} */
const message = (message) => Object.fromEntries(fields(/** @type {Uint8Array} */ (message)));

/**
 * @param {Uint8Array} bytes without gzip
 * @returns {{ root: Frame, comment: string }}
 */
export function decode(bytes) {
  const decoder = new TextDecoder();
  const strings = /** @type {string[]} */ ([]);
  const [samples, locations, functions] = [/** @type {any[]} */ ([]), new Map(), new Map()];
  let comment = 0;
  for (const [field, value] of fields(bytes)) {
    if (field === 2) samples.push(message(value));
    if (field === 4) ((one) => locations.set(one[1], message(one[4] ?? new Uint8Array())[1]))(message(value));
    if (field === 5) ((one) => functions.set(one[1], one[2]))(message(value));
    if (field === 6) strings.push(decoder.decode(/** @type {Uint8Array} */ (value)));
    if (field === 13) comment = Number(value);
  }
  const root = frame("all threads", null);
  for (const { 1: stack, 2: values, 3: label } of samples) {
    const thread = strings[message(label ?? new Uint8Array())[2]];
    const names = numbers(stack ?? new Uint8Array()).map((location) => strings[functions.get(locations.get(location))] ?? "[unknown]");
    add(root, [...names, ...(thread ? [thread] : [])].reverse(), numbers(values ?? new Uint8Array())[0] ?? 0);
  }
  place(root, 0);
  return { root, comment: strings[comment] ?? "" };
}

/** @param {string} name @param {Frame | null} parent @returns {Frame & { known: Map<string, Frame> }} */
const frame = (name, parent) => ({ name, parent, total: 0, self: 0, children: [], depth: parent ? parent.depth + 1 : 0, start: 0, known: new Map() });

/** @param {ReturnType<typeof frame>} root @param {string[]} stack the outermost first @param {number} count */
function add(root, stack, count) {
  let at = root;
  at.total += count;
  for (const name of stack.slice(0, DEEPEST)) {
    let next = /** @type {ReturnType<typeof frame> | undefined} */ (at.known.get(name));
    if (!next) {
      next = frame(name, at);
      at.known.set(name, next);
      at.children.push(next);
    }
    at = next;
    at.total += count;
  }
  at.self += count;
}

/** @param {Frame} frame @param {number} start */
function place(frame, start) {
  frame.start = start;
  frame.children.sort((one, other) => other.total - one.total || (one.name < other.name ? -1 : 1));
  for (const child of frame.children) {
    place(child, start);
    start += child.total;
  }
}

/**
 * The tree without frames that only pass the call on: async Rust has dozens of them between two functions of interest. A frame stays
 * if it has samples of its own, calls several functions, or is one that `keeps` names.
 * @param {Frame} root @param {(frame: Frame) => boolean} keeps
 */
export function condensed(root, keeps) {
  const copy = (/** @type {Frame} */ from, /** @type {Frame | null} */ parent) => {
    const own = frame(from.name, parent);
    Object.assign(own, { total: from.total, self: from.self });
    own.children = from.children.map((child) => {
      while (child.children.length === 1 && !child.self && !keeps(child)) child = child.children[0];
      return copy(child, own);
    });
    return own;
  };
  const all = copy(root, null);
  place(all, 0);
  return all;
}

/** Where to look first: the innermost frame that still has nearly all samples. @param {Frame} root @returns {Frame} */
export function trunk(root) {
  const next = root.children[0];
  return next && next.total >= root.total * 0.97 && next.children.length ? trunk(next) : root;
}

/** Every frame, from the root down. @param {Frame} root @returns {Generator<Frame>} */
export function* every(root) {
  yield root;
  for (const child of root.children) yield* every(child);
}

/** The functions with the most samples of their own. @param {Frame} root @param {number} most */
export function heaviest(root, most) {
  const own = new Map();
  for (const { name, self } of every(root)) if (self) own.set(name, (own.get(name) ?? 0) + self);
  return [...own].sort((one, other) => other[1] - one[1]).slice(0, most);
}

/** The samples in functions whose names have this text; a function within one of them counts once. @param {Frame} root @param {string} text in lower case @returns {number} */
export function matching(root, text) {
  if (root.depth && root.name.toLowerCase().includes(text)) return root.total;
  return root.children.reduce((sum, child) => sum + matching(child, text), 0);
}

/** A name without type parameters and hashes, for a narrow box: `tokio::runtime::park`. @param {string} name */
export function brief(name) {
  let [text, depth] = ["", 0];
  const inner = name.startsWith("<") ? name.slice(1).split(/ as |>::/)[0] + (name.match(/>::[^>]*$/)?.[0].slice(1) ?? "") : name;
  for (const letter of inner) {
    if (letter === "<") depth += 1;
    if (!depth) text += letter;
    if (letter === ">" && depth) depth -= 1;
  }
  return text.replaceAll("::{{closure}}", "").replaceAll("::{closure#0}", "").replace(/::h[0-9a-f]{16}$/, "").replace(/::+/g, "::") || name;
}

/** The crate of a function. @param {string} name */
export const crateOf = (name) => name.match(/^[<&*( ]*(?:dyn |mut |const )*([a-z_][a-z0-9_]*)::/i)?.[1] ?? "";
