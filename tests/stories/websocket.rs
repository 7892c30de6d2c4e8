//! Live updates over WebSocket, with a client that is no library.

use harness::{
    Mesh, Options, Order,
    websocket::{FIN, PONG, WebSocket, frame},
};
use serde_json::{Value, json};

/// A subscriber to everything.
pub(crate) struct Watcher {
    pub(crate) socket: WebSocket,
    epoch: String,
    /// The number of the last update.
    pub(crate) seq: u64,
}

impl Watcher {
    /// Subscribes; returns what came before `subscribed`, too: updates that were missed, or a gap.
    pub(crate) async fn open(mesh: &Mesh, after: Option<(&str, u64)>) -> (Self, Vec<Value>) {
        let mut socket = WebSocket::open(mesh.base()).await;
        let hello = socket.message().await.expect("hello");
        let epoch = hello["epoch"].as_str().unwrap_or_default().to_owned();
        let mut subscribe =
            json!({ "type": "subscribe", "id": "all", "to": { "everything": true } });
        if let Some((epoch, seq)) = after {
            subscribe["after"] = json!({ "epoch": epoch, "seq": seq });
        }
        socket.send(&subscribe).await;
        let mut before = Vec::new();
        loop {
            let message = socket.message().await.expect("subscribed");
            match message["type"].as_str() {
                Some("subscribed") => {
                    let seq = message["seq"].as_u64().expect("a number");
                    return (Self { socket, epoch, seq }, before);
                }
                Some("updates") => before.extend(items(&message)),
                _ => before.push(message),
            }
        }
    }

    /// The updates of an order up to its end.
    pub(crate) async fn follow(&mut self, order: &Order) -> Vec<Value> {
        let mut all = Vec::new();
        while !all.iter().any(|update: &Value| is_final(update)) {
            let message = self.socket.message().await.expect("updates");
            for update in items(&message) {
                let seq = update["seq"].as_u64().expect("a number");
                assert_eq!(seq, self.seq + 1, "no number is left out");
                self.seq = seq;
                all.extend((update["order_id"] == order.id.as_str()).then_some(update));
            }
        }
        all
    }
}

/// The updates in a message.
pub(crate) fn items(message: &Value) -> Vec<Value> {
    message["updates"].as_array().cloned().unwrap_or_default()
}

fn is_final(update: &Value) -> bool {
    update["status"] == "completed" || update["status"] == "cancelled"
}

/// The statuses that an order took.
pub(crate) fn statuses(updates: &[Value]) -> Vec<&str> {
    updates.iter().filter_map(|update| update["status"].as_str()).collect()
}

/// A client of everything sees an order's stages in order, each with the span of its delivery, all in the order's trace.
pub(crate) async fn an_order_arrives_in_stages_with_its_trace(options: Options) {
    let mesh = options.start().await;
    let (mut watcher, _) = Watcher::open(&mesh, None).await;
    let order = mesh.gateway().place("tok_ok").await;
    let updates = watcher.follow(&order).await;
    assert_eq!(statuses(&updates), ["placed", "paid", "dispatched", "completed"]);
    assert!(updates.iter().any(|update| update["type"] == "mesh.payments.v1.PaymentAuthorized"));
    for update in &updates {
        let traceparent = update["traceparent"].as_str().expect("a span");
        let parts: Vec<_> = traceparent.split('-').collect();
        assert_eq!(
            (parts[0], parts[1], parts[3]),
            ("00", order.trace_id.as_str(), "01"),
            "{update}"
        );
        let delivered = harness::until("the delivery's span", || async {
            let spans = mesh.collector().trace(&order.trace_id);
            spans.into_iter().find(|span| span.id == parts[2])
        });
        let delivered = delivered.await;
        assert_eq!(delivered.service, "gateway");
        assert!(delivered.name.starts_with("process live.orders"), "{delivered:?}");
    }
}

/// A connection that broke continues after the last update that the client has.
pub(crate) async fn a_client_continues_after_an_interruption(options: Options) {
    let mesh = options.start().await;
    let (mut watcher, _) = Watcher::open(&mesh, None).await;
    let first = mesh.gateway().place("tok_ok").await;
    watcher.follow(&first).await;
    let (epoch, seq) = (watcher.epoch.clone(), watcher.seq);
    drop(watcher);
    let second = mesh.gateway().place("tok_declined").await;
    mesh.gateway().until_status(&second, "cancelled").await;
    let (mut watcher, mut missed) = Watcher::open(&mesh, Some((&epoch, seq))).await;
    assert_eq!(watcher.epoch, epoch);
    missed.retain(|update| update["order_id"] == second.id.as_str());
    if !missed.iter().any(is_final) {
        missed.extend(watcher.follow(&second).await);
    }
    assert_eq!(statuses(&missed), ["placed", "cancelled"]);
}

/// Another process of the gateway has not the updates of the one before: it says so, and what to do.
pub(crate) async fn a_client_of_a_killed_gateway_receives_a_gap(options: Options) {
    let mesh = options.start().await;
    let (mut watcher, _) = Watcher::open(&mesh, None).await;
    let order = mesh.gateway().place("tok_ok").await;
    watcher.follow(&order).await;
    mesh.kill("gateway").await;
    let end = watcher.socket.message().await.expect_err("the end");
    assert_eq!(end.0, 0, "a killed process sends no close frame");
    let (mut again, before) = Watcher::open(&mesh, Some((&watcher.epoch, watcher.seq))).await;
    assert_ne!(again.epoch, watcher.epoch);
    assert_eq!(
        (&before[0]["type"], &before[0]["reason"]),
        (&json!("gap"), &json!("other_process"))
    );
    let order = mesh.gateway().place("tok_ok").await;
    assert_eq!(statuses(&again.follow(&order).await).last(), Some(&"completed"), "it goes on");
}

/// A client that does not read is dropped and counted; others receive everything.
pub(crate) async fn a_slow_consumer_is_dropped(options: Options) {
    let mesh = options.set("MESH_GATEWAY__WEBSOCKET__UPDATES", "64").start().await;
    let (mut reader, _) = Watcher::open(&mesh, None).await;
    let mut slow = WebSocket::open_with_buffer(mesh.base(), 4 * 1024).await;
    let subscribe =
        |id: String| json!({ "type": "subscribe", "id": id, "to": { "everything": true } });
    for number in 0..30 {
        // Each subscription makes the updates longer.
        slow.send(&subscribe(format!("{}{number:02}", "s".repeat(60)))).await;
    }
    let dropped = "mesh_gateway_websocket_closed_total";
    let reasons = [("reason", "slow_consumer")];
    // Some half a megabyte: more than what the system keeps for a client that does not read.
    for _ in 0..60 {
        let order = mesh.gateway().place("tok_declined").await;
        reader.follow(&order).await;
    }
    harness::until("the slow consumer to be dropped", || async {
        let metrics = mesh.metrics("gateway").await;
        (metrics.sum(dropped, &reasons) > 0.0).then_some(())
    })
    .await;
    while slow.frame().await.is_some() {}
    let order = mesh.gateway().place("tok_ok").await;
    assert_eq!(statuses(&reader.follow(&order).await).last(), Some(&"completed"));
}

/// A gateway that stops closes its connections with a reason, and stops in time.
pub(crate) async fn a_stopping_gateway_closes_with_a_reason(options: Options) {
    let mesh = options.start().await;
    let (mut watcher, _) = Watcher::open(&mesh, None).await;
    let before = mesh.service("gateway").await;
    mesh.terminate("gateway").await;
    let end = watcher.socket.message().await.expect_err("the end");
    assert_eq!(end, (1001, "the gateway stops; connect again".to_owned()));
    watcher.socket.write(&frame(FIN | PONG, b"")).await;
    mesh.until_replaced(&before).await;
}
