// A stand-in for Loki: it answers one query of its API, with the log lines that the Collector has written to a file. It reads the
// selector of a query and not its format, which only a Loki applies.
import { readFileSync } from "node:fs";
import http from "node:http";

/** The name of an attribute as Loki stores it. @param {string} name */
const label = (name) => name.replaceAll(/\W/g, "_");

/** @param {{ key: string, value: Record<string, unknown> }[]} [attributes] @returns {Record<string, string>} */
const labels = (attributes = []) => Object.fromEntries(attributes.map(({ key, value }) => [label(key), String(Object.values(value)[0])]));

/** The records of a batch of OTLP as streams of one line. @param {any} batch */
const streams = ({ resourceLogs = [] }) =>
  resourceLogs.flatMap((/** @type {any} */ { resource, scopeLogs }) =>
    scopeLogs.flatMap((/** @type {any} */ { scope, logRecords }) =>
      logRecords.map((/** @type {any} */ { timeUnixNano, observedTimeUnixNano, severityText, severityNumber, traceId, spanId, body, attributes }) => ({
        stream: {
          ...labels(resource?.attributes), ...labels(attributes), scope_name: scope?.name ?? "", severity_text: severityText, severity_number: String(severityNumber), detected_level: severityText?.toLowerCase() ?? "unknown",
          observed_timestamp: observedTimeUnixNano, ...(traceId && { trace_id: traceId, span_id: spanId }),
        },
        // A record without a time of its own has the time at which it was seen.
        values: [[timeUnixNano ?? observedTimeUnixNano, body.stringValue]],
      })),
    ),
  );

export class StandIn {
  /** The queries that it has answered. @type {string[]} */
  asked = [];
  /** Whether it is to fail. */
  isBroken = false;
  #server = http.createServer((request, response) => {
    const { status, body } = this.#answer(new URL(request.url ?? "/", "http://loki"));
    response.writeHead(status, { "content-type": status === 200 ? "application/json" : "text/plain" }).end(body);
  });

  /** @param {string} file one batch a line */
  constructor(file) {
    this.file = file;
  }

  /** @param {URL} url */
  #answer({ pathname, searchParams }) {
    if (this.isBroken) return { status: 500, body: "too many outstanding requests" };
    if (pathname !== "/loki/api/v1/query_range") return { status: 404, body: `this stand-in has no ${pathname}` };
    const query = searchParams.get("query") ?? "";
    this.asked.push(query);
    const service = new RegExp(`^(?:${/\{service_name=~?"([^"]*)"/.exec(query)?.[1]})$`);
    const [start, end] = ["start", "end"].map((name) => BigInt(searchParams.get(name) ?? 0));
    const lines = readFileSync(this.file, "utf8").split("\n").filter(Boolean).flatMap((line) => streams(JSON.parse(line)));
    const result = lines
      .filter(({ stream, values: [[at]] }) => service.test(stream.service_name) && BigInt(at) >= start && BigInt(at) < end)
      .sort((a, b) => (a.values[0][0] < b.values[0][0] ? 1 : -1))
      .slice(0, Number(searchParams.get("limit")));
    return { status: 200, body: JSON.stringify({ status: "success", data: { resultType: "streams", result, stats: {} } }) };
  }

  /** Its address. @returns {Promise<string>} */
  start() {
    return new Promise((resolve) => this.#server.listen(0, "127.0.0.1", () => resolve(`http://127.0.0.1:${/** @type {import("node:net").AddressInfo} */ (this.#server.address()).port}`)));
  }

  async stop() {
    if (!this.#server.listening) return;
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
