// Places an order and shows its events, as any client of the API can.
const list = document.getElementById("events");
let events;

function show(at, text, link) {
  const line = document.createElement("li");
  line.textContent = `${at} ${text} `;
  if (link) {
    const anchor = document.createElement("a");
    anchor.href = link;
    anchor.textContent = "trace";
    line.append(anchor);
  }
  list.append(line);
}

const clock = (at) => at.slice(11, 23);

document.getElementById("place").addEventListener("click", async () => {
  events?.close();
  list.replaceChildren();
  const answer = await fetch("/api/orders", {
    method: "POST",
    headers: { "content-type": "application/json", "idempotency-key": String(Math.random()) },
    body: JSON.stringify({
      items: [{ sku: "teapot", quantity: 1 }],
      payment_token: document.getElementById("token").value,
    }),
  });
  const order = await answer.json();
  if (!answer.ok) return show(clock(new Date().toISOString()), `${order.title}: ${order.detail}`);
  events = new EventSource(order.links.live);
  events.addEventListener("status", (event) => {
    const change = JSON.parse(event.data);
    show(clock(change.at), change.status + (change.reason ? ` (${change.reason})` : ""), order.links.trace);
    if (["completed", "cancelled"].includes(change.status)) events.close();
  });
  events.addEventListener("activity", (event) => {
    const activity = JSON.parse(event.data);
    show(clock(activity.at), activity.type);
  });
});
