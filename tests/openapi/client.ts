// A client that was generated from the document: its requests and answers have the types of the document.
import createClient from "openapi-fetch";

import type { paths } from "./api";

const shop = createClient<paths>({ baseUrl: process.argv[2] });

function expect<T>(what: string, data: T | undefined, error: unknown): T {
  if (data === undefined) throw new Error(`${what}: ${JSON.stringify(error)}`);
  return data;
}

const products = await shop.GET("/api/products", { params: { query: { limit: 1 } } });
const [product] = expect("products", products.data, products.error).items;

const placed = await shop.POST("/api/orders", {
  params: { header: { "Idempotency-Key": "generated-client" } },
  body: { items: [{ sku: product.sku, quantity: 1 }], payment_token: "tok_ok" },
});
const { id } = expect("the order", placed.data, placed.error);

const read = await shop.GET("/api/orders/{id}", { params: { path: { id } } });
const order = expect("the order again", read.data, read.error);
if (order.id !== id || order.items[0].sku !== product.sku) throw new Error(`another order: ${JSON.stringify(order)}`);

const listed = await shop.GET("/api/orders");
const orders = expect("all orders", listed.data, listed.error).items;
if (!orders.some((one) => one.id === id)) throw new Error(`not listed: ${JSON.stringify(orders)}`);

// The order's events as a stream of text, up to the last one.
const live = await shop.GET("/api/orders/{id}/live", { params: { path: { id } }, parseAs: "stream" });
let events = "";
const text = expect("the events", live.data ?? undefined, live.error).pipeThrough(new TextDecoderStream());
for await (const piece of text) events += piece;
if (!events.includes('"status":"completed"')) throw new Error(`the order is not completed: ${events}`);

const refused = await shop.GET("/api/products/{sku}", { params: { path: { sku: "unicorn" } } });
if (refused.response.status !== 404 || refused.error?.status !== 404) throw new Error(JSON.stringify(refused));
console.log(`order ${id} was placed, read, listed and followed by a generated client`);
