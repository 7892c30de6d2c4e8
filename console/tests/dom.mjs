// As much of a document as lit-html wants when it is loaded; nothing is drawn without a browser.

/** @type {any} */ (globalThis).document ??= { createTreeWalker: () => ({}), createComment: () => ({}), createElement: () => ({ style: {} }), addEventListener() {}, documentElement: {} };
/** @type {any} */ (globalThis).HTMLElement ??= class {};
/** @type {any} */ (globalThis).customElements ??= { define() {} };
/** @type {any} */ (globalThis).matchMedia ??= () => ({ matches: false, addEventListener() {} });
