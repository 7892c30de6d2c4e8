// A chapter is a file of tests with one mesh and one browser; each test has a visitor of its own.
import { after, before, test } from "node:test";
import { keep, launch, visit } from "./browser.mjs";
import { Mesh } from "./mesh.mjs";

/** Longer than any wait inside a test; a test that hangs fails here. */
const LIMIT_MS = 120_000;

/**
 * @typedef {object} Stage
 * @property {import("playwright-core").Page} page
 * @property {Mesh} mesh
 * @property {(address?: string) => Promise<void>} open a view by its address: `#/flows`
 * @property {(pattern: RegExp) => void} allow from here on such an error in the browser is no failure
 */

/**
 * @typedef {NonNullable<Parameters<typeof Mesh.start>[0]>} Options
 * @param {{ load?: number, mesh?: Options | (() => Promise<Options>), at?: string, prepare?: (mesh: Mesh) => Promise<void>, end?: () => Promise<void> }} [options]
 *   load: orders a second; at: the address of a mesh that runs already; prepare: what happens before the first test; end: what happens after
 *   the mesh has ended
 * @returns {(name: string, play: (stage: Stage) => Promise<void>, visitor?: import("./browser.mjs").Visitor) => void}
 */
export function chapter({ load, mesh: options, at, prepare, end } = {}) {
  /** @type {Mesh} */
  let mesh;
  /** @type {import("playwright-core").Browser} */
  let browser;
  before(
    async () => {
      mesh = at ? Mesh.at(at) : await Mesh.start(typeof options === "function" ? await options() : options);
      if (load) mesh.load(load);
      await prepare?.(mesh);
      browser = await launch();
    },
    { timeout: 3 * LIMIT_MS },
  );
  after(
    async () => {
      await browser?.close();
      await mesh?.stop();
      await end?.();
    },
    { timeout: LIMIT_MS },
  );
  return (name, play, visitor) =>
    test(name, { timeout: LIMIT_MS }, async () => {
      const { page, faults, close } = await visit(browser, mesh.url, visitor);
      const open = async (address = "") => void (await page.goto(`${mesh.url}/${address}`));
      try {
        await play({ page, mesh, open, allow: faults.allow });
        if (faults.seen.size) throw new Error("the browser reported what must not happen");
      } catch (error) {
        const shot = await keep(page, name).catch((failed) => `none, because ${failed}`);
        if (!(error instanceof Error)) throw error;
        error.message += `${[...faults.seen].map((fault) => `\n  ${fault}`).join("")}\n  screenshot: ${shot}`;
        throw error;
      } finally {
        await close();
      }
    });
}
