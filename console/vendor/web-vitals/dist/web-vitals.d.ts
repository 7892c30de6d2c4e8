// The types of what the console uses; the package's own are spread over a dozen files.

export interface Metric {
  name: "CLS" | "FCP" | "INP" | "LCP" | "TTFB";
  value: number;
  delta: number;
  id: string;
  rating: "good" | "needs-improvement" | "poor";
  navigationType: string;
}

type On = (report: (metric: Metric) => void) => void;

export const onCLS: On;
export const onFCP: On;
export const onINP: On;
export const onLCP: On;
export const onTTFB: On;
