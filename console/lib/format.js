// Numbers, durations and times as people read them: three significant digits, a unit that fits.

/** @param {number | null | undefined} value */
const known = (value) => typeof value === "number" && Number.isFinite(value);

/** What stands where there is no value. */
export const NONE = "–";

/** Three significant digits: `1.04`, `18.2`, `412`, `12.3 k`. @param {number | null | undefined} value @returns {string} */
export function number(value) {
  if (!known(value)) return NONE;
  const size = Math.abs(/** @type {number} */ (value));
  if (size >= 999.5) {
    const [factor, unit] = size >= 999.5e6 ? [1e9, "G"] : size >= 999.5e3 ? [1e6, "M"] : [1e3, "k"];
    return `${digits(/** @type {number} */ (value) / factor)} ${unit}`;
  }
  return digits(/** @type {number} */ (value));
}

/** @param {number} value */
function digits(value) {
  if (value === 0 || Number.isInteger(value)) return String(value);
  const size = Math.abs(value);
  const decimals = size >= 99.95 ? 0 : size >= 9.995 ? 1 : size >= 0.9995 ? 2 : Math.min(6, 2 - Math.floor(Math.log10(size)));
  return value.toFixed(decimals);
}

/** A duration: `840 µs`, `18.2 ms`, `1.04 s`, `3 min 20 s`. @param {number | null | undefined} seconds @returns {string} */
export function duration(seconds) {
  if (!known(seconds)) return NONE;
  const value = /** @type {number} */ (seconds);
  const size = Math.abs(value);
  if (size === 0) return "0 s";
  if (size < 0.9995e-3) return `${digits(Math.round(value * 1e7) / 10)} µs`;
  if (size < 0.9995) return `${digits(value * 1e3)} ms`;
  if (size < 59.95) return `${digits(value)} s`;
  if (size < 3_599.5) return pair(value, 60, "min", 1, "s");
  if (size < 86_399.5) return pair(value, 3_600, "h", 60, "min");
  return pair(value, 86_400, "d", 3_600, "h");
}

/** @param {number} value @param {number} large @param {string} big @param {number} little @param {string} small */
function pair(value, large, big, little, small) {
  const units = Math.round(Math.abs(value) / little);
  const per = large / little;
  const rest = units % per;
  return `${value < 0 ? "-" : ""}${Math.floor(units / per)} ${big}${rest ? ` ${rest} ${small}` : ""}`;
}

/** @param {number | null | undefined} value */
export function bytes(value) {
  if (!known(value)) return NONE;
  let size = /** @type {number} */ (value);
  let unit = 0;
  while (Math.abs(size) >= 1023.5 && unit < 4) {
    size /= 1024;
    unit += 1;
  }
  return `${digits(unit ? size : Math.round(size))} ${["B", "KiB", "MiB", "GiB", "TiB"][unit]}`;
}

/** A share of one, in per cent. @param {number | null | undefined} share */
export const percent = (share) => (known(share) ? `${digits(/** @type {number} */ (share) * 100)} %` : NONE);

/** Per second. @param {number | null | undefined} value */
export const rate = (value) => (known(value) ? `${number(value)}/s` : NONE);

/** The local time of day, with milliseconds on request. @param {number | string | Date} at milliseconds since the epoch, or RFC 3339 */
export function time(at, { millis = false } = {}) {
  const date = new Date(at);
  if (Number.isNaN(date.getTime())) return NONE;
  const text = date.toLocaleTimeString("en-GB");
  return millis ? `${text}.${String(date.getMilliseconds()).padStart(3, "0")}` : text;
}

/** The time in UTC, for a `title`. @param {number | string | Date} at */
export function utc(at) {
  const date = new Date(at);
  return Number.isNaN(date.getTime()) ? "" : date.toISOString();
}

/** How long ago, in steps that do not flicker: `now`, `12 s`, `3 min`. @param {number} seconds */
export function age(seconds) {
  if (!known(seconds)) return NONE;
  if (seconds < 1.5) return "now";
  return duration(seconds < 60 ? Math.round(seconds) : Math.round(seconds / 60) * 60);
}

/** The name of an operation; the package of an RPC is the same for all of a service. @param {string} name */
export const operation = (name) => name.replace(/^(?:\w+\.)+(?=\w+\/)/, "");

/** The first digits of an id, which are enough to tell it from its neighbours. @param {string} id */
export const short = (id) => id.slice(0, 8);
