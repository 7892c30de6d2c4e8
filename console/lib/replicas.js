// Which processes count.

/**
 * The processes that should be ready: all but those that drain while others of their service go on, as in a rollout.
 * @template {{ service: string, draining?: boolean }} Process
 * @param {Process[]} known
 */
export const expected = (known) => known.filter((one) => !one.draining || !known.some(({ service, draining }) => service === one.service && !draining));
