// The real Collector, Jaeger, Prometheus and Alertmanager beside a mesh whose front door leads to them, as in Compose and Kubernetes.
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { chapter } from "./chapter.mjs";
import { StandIn } from "./loki.mjs";
import { freeBase } from "./mesh.mjs";

const run = promisify(execFile);
const SCRIPT = path.resolve(import.meta.dirname, "../../../tests/bundle/stack.sh");

/** Jaeger, Prometheus and Alertmanager start in seconds. */
const LIMIT_MS = 120_000;

/** Addresses by name, as `stack.sh` prints them. @param {string} text @returns {Record<string, string>} */
const addresses = (text) => Object.fromEntries(text.trim().split("\n").map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]));

/** The settings of deploy/compose.observability.yaml, with other addresses. @param {Record<string, string>} found @param {string} loki */
const settings = (found, loki) => ({
  OTEL_EXPORTER_OTLP_ENDPOINT: `http://${found.OTLP}`,
  MESH_LENS__RULES__ENABLED: "false",
  MESH_GATEWAY__TRACE_URL: "/jaeger/trace/{trace_id}",
  MESH_GATEWAY__FRONT_DOOR__JAEGER: new URL(found.JAEGER).origin,
  MESH_GATEWAY__FRONT_DOOR__PROMETHEUS: new URL(found.PROMETHEUS).origin,
  MESH_GATEWAY__FRONT_DOOR__ALERTMANAGER: new URL(found.ALERTMANAGER).origin,
  MESH_GATEWAY__FRONT_DOOR__LOKI: loki,
});

/**
 * A chapter with these parts. Loki takes twenty minutes to build: without STACK_PARTS that names it, a stand-in has its place, with the
 * lines that the Collector would have sent to it.
 * @param {(mesh: import("./mesh.mjs").Mesh) => Promise<void>} prepare
 */
export function beside(prepare) {
  const folder = mkdtempSync(path.join(os.tmpdir(), "glassmesh-stack."));
  const loki = new StandIn(path.join(folder, "otelcol/lines.json"));
  const useCase = chapter({
    mesh: async () => {
      const base = await freeBase();
      const { stdout } = await run(SCRIPT, ["start", folder, String(base)], { timeout: LIMIT_MS });
      const found = addresses(stdout);
      return { base, settings: settings(found, found.LOKI ?? (await loki.start())) };
    },
    prepare,
    end: async () => {
      await loki.stop();
      await run(SCRIPT, ["stop", folder], { timeout: LIMIT_MS });
      rmSync(folder, { recursive: true, force: true });
    },
  });
  return { useCase, loki };
}
