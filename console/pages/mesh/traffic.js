// Which dots are on their way: one for each message while there are few, in proportion above.

/** The most dots at once: more cannot be followed, and cost time to draw. */
export const MOST = 60;

/** @typedef {{ id: string, rate: number, errors: number, p99: number | null, delay: number }} Flow `delay` in seconds: how much later the first message comes here */
/** @typedef {{ id: string, began: number, seconds: number, isBad: boolean }} Dot */

/** How long a dot takes for an edge: a message of 1 ms is quick, one of 3 s crawls. @param {number | null} p99 in seconds */
export const seconds = (p99) => Math.min(4, 0.8 + 0.35 * Math.log2(1 + (p99 ?? 0.01) * 100));

/** The share of all messages that get a dot, so that at most `most` are on their way. @param {Flow[]} flows @param {number} [most] */
export function share(flows, most = MOST) {
  const wanted = flows.reduce((sum, { rate, p99 }) => sum + rate * seconds(p99), 0);
  return wanted > most ? most / wanted : 1;
}

export class Traffic {
  /** @type {Map<string, Flow & { credit: number, failed: number, from: number }>} */
  #flows = new Map();
  /** @type {Dot[]} */
  #dots = [];
  #share = 1;
  #at = 0;

  /** Takes the rates of now. @param {Flow[]} flows @param {number} now in seconds */
  set(flows, now) {
    const busy = flows.filter(({ rate }) => rate > 0);
    this.#share = share(busy);
    this.#flows = new Map(busy.map((flow) => {
      const known = this.#flows.get(flow.id);
      return [flow.id, { ...flow, credit: known?.credit ?? 0, failed: known?.failed ?? 0, from: known?.from ?? now + flow.delay }];
    }));
    if (!this.#at) this.#at = now;
  }

  /** Without dots, time may stand still. */
  get isIdle() {
    return this.#flows.size === 0 && this.#dots.length === 0;
  }

  stop() {
    this.#dots = [];
    this.#at = 0;
  }

  /**
   * The dots at this moment. A flow that has just begun sends its first dot at once and owes it: a single message in a window of
   * ten seconds is one dot at its beginning.
   * @param {number} now in seconds
   * @returns {Dot[]}
   */
  step(now) {
    const passed = Math.min(0.25, Math.max(0, now - this.#at));
    this.#at = now;
    this.#dots = this.#dots.filter(({ began, seconds: lasts }) => now - began < lasts);
    for (const flow of this.#flows.values()) {
      if (now < flow.from) continue;
      flow.credit = Math.min(2, flow.credit + flow.rate * this.#share * passed);
      while (flow.credit > 0 && this.#dots.length < MOST) {
        flow.credit -= 1;
        flow.failed += flow.errors;
        const isBad = flow.failed >= 1;
        if (isBad) flow.failed -= 1;
        this.#dots.push({ id: flow.id, began: now, seconds: seconds(flow.p99), isBad });
      }
    }
    return this.#dots;
  }
}
