//! Kafka, NATS and PostgreSQL die while orders flow, and come back: nothing is lost, and nothing happens twice.

use std::collections::BTreeSet;

use harness::{Mesh, Options, until};
use serde_json::Value;

use crate::{
    parts,
    stories::{
        crashes::{Customers, all_final},
        websocket::{Watcher, items, statuses},
    },
};

async fn orders_survive_without(part: &str) {
    let mesh = crate::real().start().await;
    let customers = Customers::at(&mesh.gateway());
    let before = mesh.gateway().place("tok_ok").await;
    mesh.gateway().until_status(&before, "completed").await;
    parts::tell("kill", part).await;
    // An order during the outage is refused, or is accepted and waits.
    let gateway = mesh.gateway();
    until("an order without the part", || async {
        Some(gateway.order(1, "teapot", "tok_ok").await)
    })
    .await;
    if part == "kafka" {
        outboxes_tell_that_they_wait(&mesh).await;
    }
    parts::tell("restart", part).await;
    until("orders to be completed again", || async {
        let answer = gateway.order(1, "teapot", "tok_ok").await;
        (answer.status == 202).then_some(())
    })
    .await;
    let accepted = customers.leave().await;
    mesh.audit().await;
    all_final(&mesh.gateway(), &accepted).await;
}

/// The alert for a stuck outbox must fire while it is stuck, so the metrics must show it during the outage.
async fn outboxes_tell_that_they_wait(mesh: &Mesh) {
    until("the outbox of orders to say that it waits", || async {
        let metrics = mesh.metrics("orders").await;
        let waits = metrics.sum("mesh_outbox_pending", &[]) > 0.0
            && metrics.sum("mesh_outbox_oldest_age_seconds", &[]) > 2.0;
        waits.then_some(())
    })
    .await;
}

#[tokio::test]
#[ignore = "needs Kafka, NATS and PostgreSQL: .ci/run has them"]
async fn an_outage_of_kafka_loses_no_order() {
    orders_survive_without("kafka").await;
}

#[tokio::test]
#[ignore = "needs Kafka, NATS and PostgreSQL: .ci/run has them"]
async fn an_outage_of_nats_loses_no_order() {
    orders_survive_without("nats").await;
}

#[tokio::test]
#[ignore = "needs Kafka, NATS and PostgreSQL: .ci/run has them"]
async fn an_outage_of_postgresql_loses_no_order() {
    orders_survive_without("postgres").await;
}

/// The updates up to a gap, which says where they go on.
async fn until_gap(watcher: &mut Watcher) -> Vec<Value> {
    let mut updates = Vec::new();
    loop {
        let message = watcher.socket.message().await.expect("the connection stays open");
        match message["type"].as_str() {
            Some("updates") => updates.extend(items(&message)),
            Some("gap") => {
                assert_eq!(message["reason"], "lapse", "{message}");
                watcher.seq = message["seq"].as_u64().expect("a number");
                return updates;
            }
            _ => {}
        }
    }
}

/// A client of WebSocket stays connected: the gateway says that updates may be missing, sends none twice, and goes on.
#[tokio::test]
#[ignore = "needs NATS: .ci/run has it"]
async fn a_websocket_receives_a_gap_after_an_outage_of_nats_and_goes_on() {
    let nats = format!("nats://{}", parts::address("NATS"));
    let options = Options::new(env!("CARGO_BIN_EXE_mesh")).arguments(&["--nats", &nats]);
    let mesh = options.start().await;
    let gateway = mesh.gateway();
    let (mut watcher, _) = Watcher::open(&mesh, None).await;
    let before = gateway.place("tok_ok").await;
    let mut updates = watcher.follow(&before).await;
    parts::tell("kill", "nats").await;
    let during = gateway.place("tok_declined").await;
    gateway.until_status(&during, "cancelled").await;
    parts::tell("restart", "nats").await;
    updates.extend(until_gap(&mut watcher).await);
    until("notifications to have its connection again", || async {
        let metrics = mesh.metrics("notifications").await;
        (metrics.sum("mesh_nats_connected", &[]) > 0.0).then_some(())
    })
    .await;
    let after = gateway.place("tok_ok").await;
    let last = watcher.follow(&after).await;
    assert_eq!(statuses(&last), ["placed", "paid", "dispatched", "completed"]);
    updates.extend(last);
    let all: BTreeSet<_> =
        updates.iter().map(|one| (one["order_id"].to_string(), one["type"].to_string())).collect();
    assert_eq!(all.len(), updates.len(), "an update came twice: {updates:#?}");
    mesh.audit().await;
}
