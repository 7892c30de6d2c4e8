// The AsyncAPI document of a gateway is valid, and what the gateway sends is what the document says.

import assert from "node:assert/strict";
import { Parser } from "@asyncapi/parser";
import Ajv from "ajv";
import { WebSocket } from "ws";

const gateway = process.argv[2];
const answer = await fetch(`${gateway}/asyncapi.json`);
assert.equal(answer.status, 200);
const document = await answer.json();

const ERROR = 0;
const WARNING = 1;

/** What the parser complains about: errors and warnings. */
async function complaints(text) {
  const { diagnostics } = await new Parser().parse(text);
  return diagnostics.filter(({ severity }) => severity === ERROR || severity === WARNING);
}

assert.deepEqual(await complaints(JSON.stringify(document)), []);
// The validation must be able to fail: a reference to nothing.
const broken = structuredClone(document);
broken.operations.receive_ping.channel.$ref = "#/channels/nothing";
assert.notDeepEqual(await complaints(JSON.stringify(broken)), []);

const ajv = new Ajv({ strict: false, validateFormats: false });
ajv.addSchema(document, "asyncapi");
const payload = (type) => ajv.getSchema(`asyncapi#/components/messages/${type}/payload`) ?? assert.fail(`${type} is not in the document`);

// The parser does not compare examples with the schemas of AsyncAPI 3.
for (const [type, { examples }] of Object.entries(document.components.messages)) {
  for (const example of examples) assert.ok(payload(type)(example.payload), JSON.stringify([example, payload(type).errors]));
  assert.ok(!payload(type)({ ...examples[0].payload, type: "another" }), `${type} may be another message`);
}
assert.ok(!payload("pong")({ ...document.components.messages.pong.examples[0].payload, seq: "seven" }));

const socket = new WebSocket(`${gateway.replace("http", "ws")}/api/live`);
const received = [];
let arrived = () => {};
socket.on("error", (error) => assert.fail(error));
socket.on("message", (data) => {
  const message = JSON.parse(data);
  const validate = payload(message.type);
  assert.ok(validate(message), `${data}\n${JSON.stringify(validate.errors, undefined, 2)}`);
  received.push(message);
  arrived();
});

/** The first message, of those that came and those that come, that fits. */
async function until(fits) {
  for (;;) {
    const found = received.find(fits);
    if (found) return found;
    await new Promise((resolve) => (arrived = resolve));
  }
}

function send(message) {
  if (message.type in document.components.messages) assert.ok(payload(message.type)(message), JSON.stringify(message));
  socket.send(JSON.stringify(message));
}

const { epoch } = await until(({ type }) => type === "hello");
send({ type: "subscribe", id: "all", to: { everything: true } });
await until(({ type, id }) => type === "subscribed" && id === "all");
const order = await fetch(`${gateway}/api/orders`, {
  method: "POST",
  headers: { "content-type": "application/json" },
  body: JSON.stringify({ items: [{ sku: "teapot", quantity: 1 }], payment_token: "tok_declined" }),
});
assert.equal(order.status, 202);
const { id } = await order.json();
const of = (name) => (message) => message.updates?.some((update) => update.ids.includes(name) && update.order_id === id && update.status === "cancelled");
await until(of("all"));
send({ type: "subscribe", id: "mine", to: { order: id } });
await until(of("mine"));
send({ type: "subscribe", id: "old", to: { customer: "guest" }, after: { epoch: "another", seq: 1 } });
await until(({ type }) => type === "gap");
send({ type: "unsubscribe", id: "old" });
await until(({ type }) => type === "unsubscribed");
send({ type: "shout" });
await until(({ type }) => type === "error");
send({ type: "ping", id: "1" });
await until(({ type }) => type === "pong");

const sent = Object.values(document.operations).filter(({ action }) => action === "send").map(({ messages }) => messages[0].$ref.split("/").at(-1));
const missing = sent.filter((type) => !received.some((message) => message.type === type));
assert.deepEqual(missing, [], "messages that the gateway did not send here");
assert.ok(epoch);
socket.close();
console.log(`${received.length} messages of ${sent.length} kinds are as the document says`);
