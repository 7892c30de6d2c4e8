// How the services are meant to talk. The graph shows these edges, faint, before the first call has been seen, so that it has
// its shape from the start; edges between services that are not scraped are left out, and what is seen needs no line here.

/** @type {[source: string, target: string, protocol: string][]} */
export const PLAN = [
  ["service:browser", "service:gateway", "http"],
  ["service:gateway", "service:browser", "websocket"],
  ["service:gateway", "service:orders", "grpc"],
  ["service:gateway", "service:catalog", "grpc"],
  ["service:gateway", "service:inventory", "grpc"],
  ["service:orders", "service:catalog", "grpc"],
  ["service:orders", "service:inventory", "grpc"],
  ["service:orders", "topic:orders.events", "kafka"],
  ["topic:orders.events", "service:payments", "kafka"],
  ["topic:orders.events", "service:inventory", "kafka"],
  ["topic:orders.events", "service:shipping", "kafka"],
  ["service:payments", "external:provider", "http"],
  ["service:payments", "topic:payments.events", "kafka"],
  ["service:inventory", "topic:inventory.events", "kafka"],
  ["service:shipping", "topic:shipments.events", "kafka"],
  ...["inventory", "payments", "shipments"].map((name) => /** @type {[string, string, string]} */ ([`topic:${name}.events`, "service:orders", "kafka"])),
  ...["inventory", "orders", "payments", "shipments"].map((name) => /** @type {[string, string, string]} */ ([`topic:${name}.events`, "service:notifications", "kafka"])),
  ["service:notifications", "subject:live.orders.{customer}.{order}", "nats"],
  ["subject:live.orders.{customer}.{order}", "service:gateway", "nats"],
];

/** Services with a database: it has its place before it is known. */
export const STORES = ["catalog", "inventory", "orders", "payments", "shipping"].map((name) => `service:${name}`);
