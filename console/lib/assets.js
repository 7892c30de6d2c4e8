// Files beside the modules that only some pages need: a style sheet, a script that is no module.

const ROOT = new URL("../", import.meta.url).href;

/** @type {{ createScriptURL(url: string): unknown } | undefined} */
let policy;

/** The address as the policy of trusted types wants it. @param {string} url */
function trusted(url) {
  const types = /** @type {any} */ (globalThis).trustedTypes;
  if (!types) return url;
  policy ??= types.createPolicy("assets", {
    createScriptURL: (/** @type {string} */ wanted) => {
      if (!wanted.startsWith(ROOT)) throw new TypeError(`${wanted} is no file of the console`);
      return wanted;
    },
  });
  return /** @type {NonNullable<typeof policy>} */ (policy).createScriptURL(url);
}

/** @type {Map<string, Promise<void>>} */
const loaded = new Map();

/** @param {URL} url @param {(url: string) => HTMLElement} element */
function once({ href }, element) {
  let loading = loaded.get(href);
  if (!loading) {
    loading = new Promise((done, fail) => {
      const added = element(href);
      added.addEventListener("load", () => done());
      added.addEventListener("error", () => {
        loaded.delete(href);
        added.remove();
        fail(new Error(`${href.slice(ROOT.length)} cannot be loaded; the gateway may have restarted with another version`));
      });
      document.head.append(added);
    });
    loaded.set(href, loading);
  }
  return loading;
}

/** Loads a script that is no module, once. @param {URL} address relative to the module that wants it */
export const script = (address) =>
  once(address, (url) => {
    const element = document.createElement("script");
    element.src = /** @type {string} */ (trusted(url));
    return element;
  });

/** Loads a style sheet, once. @param {URL} address relative to the module that wants it */
export const stylesheet = (address) =>
  once(address, (url) => {
    const element = document.createElement("link");
    element.rel = "stylesheet";
    element.href = url;
    return element;
  });
