// Waiting for a condition, never for a time.
import { setTimeout as pause } from "node:timers/promises";

/**
 * Asks until the answer is true; an error counts as false.
 * @template T
 * @param {string} what completes the sentence “within 10 s it did not happen that …”
 * @param {() => T | Promise<T>} ask
 * @param {{ seconds?: number }} [options]
 * @returns {Promise<NonNullable<T>>}
 */
export async function until(what, ask, { seconds = 15 } = {}) {
  const end = Date.now() + seconds * 1_000;
  let last = "";
  do {
    try {
      const answer = await ask();
      if (answer) return answer;
      last = "";
    } catch (error) {
      last = `: ${error instanceof Error ? error.message : error}`;
    }
    await pause(100);
  } while (Date.now() < end);
  throw new Error(`within ${seconds} s it did not happen that ${what}${last}`);
}
