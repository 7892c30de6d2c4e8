// What the page reports about itself: web vitals, errors that nothing has caught, and what the content security policy has blocked.

import { counts, event } from "./otlp.js";

/** A page that fails in each frame must not fill the logs; further ones are counted as dropped. */
const MOST_ERRORS = 20;
let errors = 0;

/** @param {string} name @param {string} body @param {import("./otlp.js").Attributes} attributes */
function failure(name, body, attributes) {
  if (++errors > MOST_ERRORS) {
    counts.dropped++;
    counts.reason = `more than ${MOST_ERRORS} errors`;
    return;
  }
  event(name, body, { "url.full": location.href, ...attributes }, 17);
}

/** @param {unknown} thrown */
export function uncaught(thrown) {
  const error = thrown instanceof Error ? thrown : new Error(String(thrown));
  failure("browser.exception", `${error.name}: ${error.message}`, { "exception.type": error.name, "exception.message": error.message, "exception.stacktrace": error.stack });
}

/** @param {Pick<SecurityPolicyViolationEvent, "effectiveDirective" | "blockedURI" | "sourceFile" | "lineNumber">} violation */
export function violated({ effectiveDirective, blockedURI, sourceFile, lineNumber }) {
  failure("browser.csp_violation", `${effectiveDirective} has blocked ${blockedURI || "inline code"}`, {
    "browser.csp.directive": effectiveDirective,
    "browser.csp.blocked": blockedURI,
    "code.file.path": sourceFile || undefined,
    "code.line.number": lineNumber || undefined,
  });
}

/** <https://opentelemetry.io/docs/specs/semconv/browser/events/> @param {import("../vendor/web-vitals/dist/web-vitals.js").Metric} metric */
export function vital({ name, value, delta, id, rating, navigationType }) {
  const shown = name === "CLS" ? value.toFixed(3) : `${Math.round(value)} ms`;
  event("browser.web_vital", `${name} ${shown}, ${rating}`, {
    "browser.web_vital.name": name.toLowerCase(),
    "browser.web_vital.value": value,
    "browser.web_vital.delta": delta,
    "browser.web_vital.id": id,
    "browser.web_vital.rating": rating,
    "browser.web_vital.navigation_type": navigationType,
  });
}

/** Reports from now on. The library is loaded when the page has nothing else to do: it learns of what was before, too. */
export function report() {
  addEventListener("error", ({ error, message }) => uncaught(error ?? message));
  addEventListener("unhandledrejection", ({ reason }) => uncaught(reason));
  document.addEventListener("securitypolicyviolation", violated);
  const idle = globalThis.requestIdleCallback ?? setTimeout;
  idle(async () => {
    const { onCLS, onFCP, onINP, onLCP, onTTFB } = await import("../vendor/web-vitals/dist/web-vitals.js");
    for (const on of [onCLS, onFCP, onINP, onLCP, onTTFB]) on(vital);
  });
}
