// Places an order and shows its story, as any client of the API could.
const story = document.getElementById("story");
let events;

function tell(at, text, link) {
  const line = document.createElement("li");
  line.textContent = `${at} ${text} `;
  if (link) {
    const anchor = document.createElement("a");
    anchor.href = link;
    anchor.textContent = "trace";
    line.append(anchor);
  }
  story.append(line);
}

const clock = (at) => at.slice(11, 23);

document.getElementById("place").addEventListener("click", async () => {
  events?.close();
  story.replaceChildren();
  const answer = await fetch("/api/orders", {
    method: "POST",
    headers: { "content-type": "application/json", "idempotency-key": String(Math.random()) },
    body: JSON.stringify({
      items: [{ sku: "teapot", quantity: 1 }],
      payment_token: document.getElementById("token").value,
    }),
  });
  const order = await answer.json();
  if (!answer.ok) return tell(clock(new Date().toISOString()), `${order.title}: ${order.detail}`);
  events = new EventSource(order.links.live);
  events.addEventListener("status", (event) => {
    const change = JSON.parse(event.data);
    tell(clock(change.at), change.status + (change.reason ? ` (${change.reason})` : ""), order.links.trace);
    if (["completed", "cancelled"].includes(change.status)) events.close();
  });
  events.addEventListener("activity", (event) => {
    const activity = JSON.parse(event.data);
    tell(clock(activity.at), activity.type);
  });
});
