// One hue a service, the same on every page. `style/tokens.css` has their values in both themes.

/** In the order of their hues. */
const KNOWN = ["gateway", "orders", "payments", "inventory", "catalog", "shipping", "notifications", "lens"];

/** The number of a service's hue, 0 to 7. @param {string} service */
export function hue(service) {
  const name = service.replace(/@.*/, "");
  const known = KNOWN.indexOf(name);
  if (known >= 0) return known;
  let hash = 0;
  for (const letter of name) hash = (hash * 31 + letter.charCodeAt(0)) >>> 0;
  return hash % KNOWN.length;
}

/** The class that sets `--hue` to the colour of a service. @param {string} service */
export const hueClass = (service) => `hue-${hue(service)}`;

/** The token of the hue of a series' service, if the service tells it from the others. @param {Record<string, string>} labels @param {Record<string, string>[]} all */
export const hueOf = ({ service }, all) => (service && all.filter((one) => one.service === service).length === 1 ? `--hue-${hue(service)}` : undefined);

/** The value of a token at present, for a canvas. @param {string} name as `--text` @param {Element} [element] */
export const token = (name, element = document.documentElement) => getComputedStyle(element).getPropertyValue(name).trim();
