// A mesh of its own for a chapter of tests: `mesh up` in a temporary folder, on ports that no process uses.
import { execFile, spawn } from "node:child_process";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { until } from "./wait.mjs";

const run = promisify(execFile);

/** How many ports a mesh may use, from its base on. */
const SPAN = 100;
/** Below the ports that the system gives to outgoing connections. */
const PORTS = { first: 10_000, last: 32_000 };

/** @param {number} port @returns {Promise<boolean>} */
const isFree = (port) =>
  new Promise((resolve) => {
    const server = net.createServer();
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });

/** The first of the ports of a mesh, none of which is used. */
export async function freeBase() {
  if (process.env.CONSOLE_PORT_BASE) return Number(process.env.CONSOLE_PORT_BASE);
  const blocks = (PORTS.last - PORTS.first) / SPAN;
  for (let tried = 0; tried < blocks; tried += 1) {
    const base = PORTS.first + ((process.pid + tried) % blocks) * SPAN;
    const free = await Promise.all(Array.from({ length: SPAN }, (_, offset) => isFree(base + offset)));
    if (free.every(Boolean)) return base;
  }
  throw new Error(`no ${SPAN} free ports in a row from ${PORTS.first} to ${PORTS.last}`);
}

/** The services, and the supervisor. @param {{ ready: boolean }[]} processes */
const isReady = (processes) => processes.length >= 9 && processes.every(({ ready }) => ready);

export class Mesh {
  /** @type {import("node:child_process").ChildProcess[]} */
  #children = [];

  /** @param {string} binary @param {string} folder @param {number} base @param {Record<string, string>} settings */
  constructor(binary, folder, base, settings) {
    this.binary = binary;
    this.folder = folder;
    this.url = `http://127.0.0.1:${base}`;
    this.base = base;
    /** Where lens takes OTLP over HTTP. */
    this.lens = `http://127.0.0.1:${base + 7}`;
    this.settings = settings;
  }

  /**
   * Starts a mesh, and waits until all of its services are ready.
   * @param {{ arguments?: string[], settings?: Record<string, string>, base?: number }} [options]
   */
  static async start({ arguments: given = [], settings = {}, base: chosen } = {}) {
    const binary = process.env.MESH;
    if (!binary) throw new Error("MESH is not set: it is the program whose console is tested; console/tests/browser.sh sets it");
    const base = chosen ?? (await freeBase());
    const mesh = new Mesh(path.resolve(binary), mkdtempSync(path.join(os.tmpdir(), "glassmesh-console.")), base, settings);
    mesh.#spawn("up.log", ["up", "--port-base", String(base), ...given]);
    try {
      await until("all services are ready", async () => isReady(await mesh.services()), { seconds: 120 });
    } catch (error) {
      const log = mesh.log();
      await mesh.stop();
      throw new Error(`${error instanceof Error ? error.message : error}; the end of its log:\n${log}`);
    }
    return mesh;
  }

  /** A mesh that runs already: of processes that this class has not started it knows none. @param {string} url */
  static at(url) {
    const mesh = new Mesh("", mkdtempSync(path.join(os.tmpdir(), "glassmesh-console.")), Number(new URL(url).port), {});
    mesh.url = url;
    return mesh;
  }

  /** @param {string} log @param {string[]} arguments_ */
  #spawn(log, arguments_) {
    const file = openSync(path.join(this.folder, log), "a");
    const child = spawn(this.binary, arguments_, { cwd: this.folder, env: this.#environment(), stdio: ["ignore", file, file] });
    closeSync(file);
    this.#children.push(child);
    return child;
  }

  #environment() {
    return { ...process.env, NO_COLOR: "1", ...this.settings };
  }

  /** Runs one of the operator's commands. @param {string[]} arguments_ */
  async command(...arguments_) {
    const { stdout } = await run(this.binary, arguments_, { cwd: this.folder, env: this.#environment(), timeout: 60_000 });
    return stdout;
  }

  /** Places orders in the background until the mesh ends. @param {number} rate orders a second @param {string[]} more */
  load(rate, ...more) {
    return this.#spawn("load.log", ["load", "--rate", String(rate), "--duration", "15m", ...more]);
  }

  /** @returns {Promise<{ service: string, pid: number | null, ready: boolean }[]>} */
  async services() {
    return JSON.parse(await this.command("status", "--json")).services;
  }

  /** The process of a service. @param {string} service */
  async pid(service) {
    const found = (await this.services()).find((one) => one.service === service);
    if (!found?.pid) throw new Error(`${service} does not run`);
    return found.pid;
  }

  /** All of its processes, with the supervisor. */
  async pids() {
    const { services } = JSON.parse(await this.command("status", "--json"));
    return /** @type {number[]} */ (services.map((/** @type {{ pid: number | null }} */ { pid }) => pid).filter(Boolean));
  }

  /** Sends a signal to the process of a service. @param {string} service @param {NodeJS.Signals} signal */
  async signal(service, signal) {
    process.kill(await this.pid(service), signal);
  }

  /** Asks the gateway for JSON. @param {string} at */
  async get(at) {
    const answer = await fetch(this.url + at, { signal: AbortSignal.timeout(10_000) });
    if (!answer.ok) throw new Error(`${at}: status ${answer.status}: ${await answer.text()}`);
    return answer.json();
  }

  /** How many orders have been completed. */
  async completed() {
    const { data } = await this.get(`/prometheus/api/v1/query?query=${encodeURIComponent('sum(mesh_orders_status_total{status="completed"})')}`);
    return Number(data.result[0]?.value[1] ?? 0);
  }

  /** Places an order without the console. @param {{ token?: string, sku?: string, quantity?: number }} [of] @returns {Promise<{ id: string, trace_id: string }>} */
  async order({ token = "tok_ok", sku = "teapot", quantity = 1 } = {}) {
    const body = JSON.stringify({ items: [{ sku, quantity }], payment_token: token });
    const answer = await fetch(`${this.url}/api/orders`, { method: "POST", headers: { "content-type": "application/json" }, body, signal: AbortSignal.timeout(10_000) });
    if (answer.status !== 202) throw new Error(`the order was not accepted: ${await answer.text()}`);
    return answer.json();
  }

  /** The end of what the mesh has written. */
  log() {
    return readFileSync(path.join(this.folder, "up.log"), "utf8").split("\n").slice(-30).join("\n");
  }

  /** Ends all of its processes, and deletes its folder. */
  async stop() {
    for (const child of this.#children.reverse()) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      const ended = new Promise((resolve) => child.once("exit", resolve));
      child.kill("SIGTERM");
      const late = setTimeout(() => child.kill("SIGKILL"), 20_000);
      await ended;
      clearTimeout(late);
    }
    rmSync(this.folder, { recursive: true, force: true });
  }
}
