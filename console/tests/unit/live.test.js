import assert from "node:assert/strict";
import test, { mock } from "node:test";

/** The page's end of a WebSocket; a test plays the gateway. */
class FakeSocket {
  /** @type {FakeSocket[]} */
  static all = [];
  static get last() {
    return FakeSocket.all.at(-1);
  }
  readyState = 0;
  sent = [];
  closedWith = undefined;
  constructor(url) {
    this.url = url;
    FakeSocket.all.push(this);
  }
  send(text) {
    assert.equal(this.readyState, 1, "sent before it was open");
    this.sent.push(JSON.parse(text));
  }
  close(code) {
    this.readyState = 3;
    this.closedWith = code;
  }
  says(...messages) {
    this.readyState = 1;
    for (const message of messages) this.onmessage({ data: JSON.stringify(message) });
  }
  breaks(code = 1006, reason = "") {
    this.readyState = 3;
    this.onclose({ code, reason });
  }
  of(type) {
    return this.sent.filter((message) => message.type === type);
  }
}

const START = Date.parse("2026-03-14T09:26:53Z");
mock.timers.enable({ apis: ["setTimeout", "Date"], now: START });
mock.method(performance, "now", () => Date.now() - performance.timeOrigin);
mock.method(Math, "random", () => 1);
const page = Object.assign(new EventTarget(), { hidden: false });
Object.assign(globalThis, { WebSocket: FakeSocket, location: { protocol: "http:", host: "mesh.test:8080" }, document: page });
const { clock, serverNow, state, subscribe } = await import("../../lib/live.js");

const ORDER = "6f0c9d9e-0d58-5e0c-9d54-1f5f0f6f2c11";
const hello = (epoch = "e1", seq = 0) => ({ type: "hello", epoch, seq, now_ms: Date.now(), limits: {} });
const update = (ids, seq, more = {}) => ({ type: "updates", updates: [{ ids, seq, order_id: ORDER, customer: "guest", type: "x", at: "", ...more }] });
const subscribed = (id, seq) => ({ type: "subscribed", id, seq });
const show = (hidden) => {
  page.hidden = hidden;
  page.dispatchEvent(new Event("visibilitychange"));
};

/** A test begins and ends without a connection. */
function story(name, run) {
  test(name, () => {
    FakeSocket.all = [];
    show(false);
    const ends = [];
    const messages = [];
    const follow = (to, others) => {
      const end = subscribe(to, (message) => messages.push(message.seq ?? `r${message.revision}`), others);
      ends.push(end);
      return end;
    };
    try {
      run({ follow, messages });
    } finally {
      for (const end of ends) end();
      mock.timers.tick(60_000);
      assert.equal(state.value.kind, "idle");
    }
  });
}

/** Follows everything, on an open connection. */
function opened(follow, others) {
  follow({ everything: true }, others);
  FakeSocket.last.says(hello());
  const { id } = FakeSocket.last.of("subscribe")[0];
  FakeSocket.last.says(subscribed(id, 0));
  return id;
}

story("the connection opens with the first subscriber, is shared, and closes a while after the last", ({ follow, messages }) => {
  assert.equal(FakeSocket.all.length, 0);
  const endOne = follow({ everything: true });
  const endOther = follow({ order: ORDER });
  assert.equal(state.value.kind, "connecting");
  assert.equal(FakeSocket.all.length, 1);
  assert.equal(FakeSocket.last.url, "ws://mesh.test:8080/api/live");
  FakeSocket.last.says(hello());
  assert.equal(state.value.kind, "live");
  const [one, other] = FakeSocket.last.of("subscribe");
  assert.deepEqual([one.to, other.to], [{ everything: true }, { order: ORDER }]);
  FakeSocket.last.says(subscribed(one.id, 0), subscribed(other.id, 0), update([one.id, other.id], 1), update([one.id], 2));
  assert.deepEqual(messages, [1, 1, 2]);
  endOne();
  assert.deepEqual(FakeSocket.last.of("unsubscribe"), [{ type: "unsubscribe", id: one.id }]);
  endOther();
  assert.equal(FakeSocket.last.closedWith, undefined);
  mock.timers.tick(1_000);
  assert.equal(FakeSocket.last.closedWith, 1000);
  assert.equal(state.value.kind, "idle");
});

story("a subscriber that comes before the connection closes keeps it", ({ follow }) => {
  opened(follow);
  const end = follow({ customer: "guest" });
  end();
  mock.timers.tick(500);
  follow({ customer: "guest" });
  mock.timers.tick(5_000);
  assert.equal(FakeSocket.all.length, 1);
  assert.equal(FakeSocket.last.closedWith, undefined);
});

story("after an interruption it says when it tries again, and continues after the last update", ({ follow, messages }) => {
  const id = opened(follow);
  FakeSocket.last.says(update([id], 7), { type: "pong", id: "no ping of ours", now_ms: 0, seq: 9 });
  FakeSocket.last.breaks(1001, "the gateway stops; connect again");
  assert.deepEqual(state.value, { kind: "waiting", retryAt: Date.now() + 500, reason: "the gateway stops; connect again" });
  mock.timers.tick(500);
  assert.equal(state.value.kind, "connecting");
  FakeSocket.last.says(hello("e1", 12));
  assert.deepEqual(FakeSocket.last.of("subscribe")[0].after, { epoch: "e1", seq: 9 });
  FakeSocket.last.says(update([id], 10), subscribed(id, 12));
  assert.deepEqual(messages, [7, 10]);
});

story("an interruption while it catches up continues within what was caught up", ({ follow }) => {
  const id = opened(follow);
  FakeSocket.last.says(update([id], 3));
  FakeSocket.last.breaks();
  mock.timers.tick(500);
  FakeSocket.last.says(hello("e1", 50), update([id], 4), update([id], 5));
  FakeSocket.last.breaks();
  mock.timers.tick(1_000);
  FakeSocket.last.says(hello("e1", 60));
  assert.deepEqual(FakeSocket.last.of("subscribe")[0].after, { epoch: "e1", seq: 5 });
});

story("numbers of another process count from its beginning", ({ follow }) => {
  const gaps = [];
  const id = opened(follow, { onGap: (gap) => gaps.push(gap.reason) });
  FakeSocket.last.says(update([id], 900));
  FakeSocket.last.breaks();
  mock.timers.tick(500);
  FakeSocket.last.says(hello("e2", 4), { type: "gap", ids: [id], reason: "other_process", advice: "", seq: 4 }, subscribed(id, 4), update([id], 5));
  assert.deepEqual(gaps, ["other_process"]);
  FakeSocket.last.breaks();
  mock.timers.tick(10_000);
  FakeSocket.last.says(hello("e2", 6));
  assert.deepEqual(FakeSocket.last.of("subscribe")[0].after, { epoch: "e2", seq: 5 });
});

story("pauses grow to 15 s, and begin anew after a connection that lasted", ({ follow }) => {
  follow({ everything: true });
  const pauses = [];
  for (let attempt = 0; attempt < 8; attempt++) {
    FakeSocket.last.breaks();
    pauses.push(state.value.retryAt - Date.now());
    mock.timers.tick(pauses.at(-1));
  }
  assert.deepEqual(pauses, [500, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000, 15_000]);
  assert.equal(state.value.reason, undefined);
  FakeSocket.last.says(hello());
  FakeSocket.last.breaks();
  assert.equal(state.value.retryAt - Date.now(), 15_000, "it was refused at once");
  assert.equal(state.value.reason, "the gateway does not answer");
  mock.timers.tick(15_000);
  FakeSocket.last.says(hello());
  mock.timers.tick(5_000);
  FakeSocket.last.breaks();
  assert.equal(state.value.retryAt - Date.now(), 500);
});

story("a connection on which nothing comes is replaced", ({ follow }) => {
  opened(follow);
  const first = FakeSocket.last;
  mock.timers.tick(20_000);
  first.says({ type: "pong", id: "x", now_ms: 0, seq: 0 });
  mock.timers.tick(20_000);
  assert.equal(state.value.kind, "live");
  mock.timers.tick(5_000);
  assert.equal(first.readyState, 3);
  assert.deepEqual([state.value.kind, state.value.reason], ["waiting", "nothing came for 25 s"]);
  first.says(update(["s1"], 99));
  mock.timers.tick(500);
  assert.equal(FakeSocket.all.length, 2);
});

story("a hidden page keeps its connection for 30 s, and continues when it is seen again", ({ follow }) => {
  const id = opened(follow);
  show(true);
  mock.timers.tick(20_000);
  show(false);
  FakeSocket.last.says(update([id], 3));
  mock.timers.tick(20_000);
  FakeSocket.last.says(update([id], 4));
  assert.equal(FakeSocket.last.closedWith, undefined);
  show(true);
  mock.timers.tick(20_000);
  FakeSocket.last.says({ type: "pong", id: "x", now_ms: 0, seq: 4 });
  mock.timers.tick(10_000);
  assert.equal(FakeSocket.last.closedWith, 1000);
  assert.equal(state.value.kind, "idle");
  follow({ customer: "guest" });
  assert.equal(FakeSocket.all.length, 1, "a hidden page opens no connection");
  show(false);
  assert.equal(FakeSocket.all.length, 2);
  FakeSocket.last.says(hello());
  assert.deepEqual(FakeSocket.last.of("subscribe").map((message) => message.after), [{ epoch: "e1", seq: 4 }, undefined]);
});

story("a page that is seen again does not wait for the next attempt", ({ follow }) => {
  follow({ everything: true });
  for (let attempt = 0; attempt < 6; attempt++) {
    FakeSocket.last.breaks();
    if (attempt < 5) mock.timers.tick(15_000);
  }
  const before = FakeSocket.all.length;
  show(true);
  show(false);
  assert.equal(FakeSocket.all.length, before + 1);
});

story("the history of an order is not repeated", ({ follow, messages }) => {
  follow({ order: ORDER });
  FakeSocket.last.says(hello());
  const { id } = FakeSocket.last.of("subscribe")[0];
  const revision = (number) => update([id], undefined, { revision: number, status: "paid" });
  FakeSocket.last.says(revision(1), revision(2), subscribed(id, 8), update([id], 9), revision(1), revision(2), revision(3));
  assert.deepEqual(messages, ["r1", "r2", 9, "r3"]);
});

story("a refused subscription says why; one that a service could not answer is tried again", ({ follow }) => {
  const refused = [];
  follow({ order: "x" }, { onRefused: (problem) => refused.push(problem.status) });
  FakeSocket.last.says(hello());
  const { id } = FakeSocket.last.of("subscribe")[0];
  const error = (status) => ({ type: "error", id, problem: { type: "/problems/x", title: "X", status, detail: "" } });
  FakeSocket.last.says(error(503));
  mock.timers.tick(2_000);
  assert.equal(FakeSocket.last.of("subscribe").length, 2);
  FakeSocket.last.says(error(422));
  mock.timers.tick(2_000);
  assert.deepEqual(refused, [422]);
  assert.equal(FakeSocket.last.of("subscribe").length, 2);
});

story("the server's clock is measured by the ping with the shortest round trip", ({ follow }) => {
  opened(follow);
  const pong = (roundTrip, ahead) => {
    const sent = Date.now();
    mock.timers.tick(roundTrip);
    FakeSocket.last.says({ type: "pong", id: FakeSocket.last.of("ping").at(-1).id, now_ms: sent + roundTrip / 2 + ahead, seq: 0 });
  };
  pong(10, 5_000);
  assert.deepEqual(clock.value, { ahead: 5_000, roundTrip: 10 });
  assert.equal(serverNow(), Date.now() + 5_000);
  mock.timers.tick(9_990);
  pong(4, 5_001);
  mock.timers.tick(9_996);
  pong(90, 5_080);
  assert.deepEqual(clock.value, { ahead: 5_001, roundTrip: 4 });
});
