//! A bad message blocks no other message and never disappears.

use harness::{Mesh, Options, Provider, until};
use rdkafka::{
    ClientConfig,
    message::{Header, OwnedHeaders},
    producer::{BaseProducer, BaseRecord, Producer},
};
use reqwest::Method;
use serde_json::Value;

/// The dead letters, as `mesh dlq list --json` prints them.
async fn letters(mesh: &Mesh) -> Vec<Value> {
    let output = mesh.run(&["dlq", "list", "--json"]).await;
    let listed: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    listed.as_array().cloned().unwrap_or_default()
}

async fn until_letter(mesh: &Mesh, reason: &str) -> Value {
    until(&format!("a dead letter: {reason}"), || async {
        letters(mesh).await.into_iter().find(|letter| letter["reason"] == reason)
    })
    .await
}

/// A record that no consumer can decode becomes a dead letter with its reason and is counted, and the records behind it are
/// handled.
pub(crate) async fn an_undecodable_record_becomes_a_dead_letter(options: Options) {
    let mesh = options.start().await;
    let brokers = mesh.brokers();
    let producer: BaseProducer =
        ClientConfig::new().set("bootstrap.servers", brokers).create().expect("a producer");
    for partition in 0..3 {
        let headers = OwnedHeaders::new()
            .insert(Header { key: "ce_id", value: Some(&format!("poison-{partition}")) })
            .insert(Header { key: "ce_type", value: Some("mesh.orders.v1.OrderPaid") });
        let record = BaseRecord::to("orders.events")
            .partition(partition)
            .key("poison")
            .payload(b"\xff\xff\xff")
            .headers(headers);
        producer.send(record).map_err(|(error, _)| error).expect("it is queued");
    }
    producer.flush(harness::PATIENCE).expect("it is sent");
    let order = mesh.gateway().place("tok_ok").await;
    mesh.gateway().until_status(&order, "completed").await;
    let letter = until_letter(&mesh, "undecodable").await;
    assert_eq!(
        (letter["topic"].as_str(), letter["event_type"].as_str()),
        (Some("orders.events"), Some("mesh.orders.v1.OrderPaid"))
    );
    // Each consumer group of `orders.events` writes three dead letters; one that arrives after the purge would be seen below.
    for service in ["inventory", "shipping", "notifications"] {
        until(&format!("the dead letters of {service} to be counted"), || async {
            let labels = [("topic", "orders.events"), ("reason", "undecodable")];
            (mesh.metrics(service).await.sum("mesh_dead_letters_total", &labels) >= 3.0)
                .then_some(())
        })
        .await;
    }
    let purged = mesh.run(&["dlq", "purge", "all"]).await;
    assert!(purged.status.success(), "{}", String::from_utf8_lossy(&purged.stderr));
    assert!(letters(&mesh).await.is_empty());
    mesh.audit().await;
}

/// A refund that the third party refused too often becomes a dead letter; when the third party works again, a replay makes
/// the refund, and only once.
pub(crate) async fn a_replayed_dead_letter_is_handled_once(options: Options) {
    let provider = Provider::start().await;
    let options = options
        .set("MESH_PAYMENTS__PROVIDER", &provider.url())
        .set("MESH_PAYMENTS__PROVIDER_ATTEMPTS", "1")
        .set("MESH_PAYMENTS__KAFKA__ATTEMPTS", "2")
        .set("MESH_SHIPPING__DISPATCH_AFTER", "1h");
    let mesh = options.start().await;
    let gateway = mesh.gateway();
    let order = gateway.place("tok_ok").await;
    gateway.until_status(&order, "paid").await;
    provider.refuse(true);
    let cancelled =
        gateway.send(Method::POST, &format!("/api/orders/{}/cancel", order.id), &[], None).await;
    assert_eq!(cancelled.status, 200, "{cancelled:?}");
    let letter = until_letter(&mesh, "retries_exhausted").await;
    assert_eq!(letter["key"].as_str(), Some(order.id.as_str()));
    assert!(
        !mesh.run(&["audit"]).await.status.success(),
        "the books are wrong: cancelled, and not refunded"
    );
    let refused =
        mesh.metrics("payments").await.sum("mesh_retries_total", &[("topic", "orders.events")]);
    provider.refuse(false);
    for _ in 0..2 {
        let replayed = mesh.run(&["dlq", "replay", "all"]).await;
        assert!(replayed.status.success(), "{}", String::from_utf8_lossy(&replayed.stderr));
    }
    until("the refund", || async { mesh.run(&["audit"]).await.status.success().then_some(()) })
        .await;
    assert_eq!(provider.refunds(), 1);
    // Each further call belongs to an attempt that failed after it or was abandoned in it: no event is in two handlers at
    // once.
    let metrics = mesh.metrics("payments").await;
    let orders = [("topic", "orders.events")];
    let retried = metrics.sum("mesh_retries_total", &orders);
    let abandoned = [orders[0], ("outcome", "abandoned")];
    let explained = retried - refused + metrics.sum("mesh_events_total", &abandoned);
    let calls = provider.refund_calls();
    assert!(calls as f64 - 1.0 <= explained, "{calls} calls, {explained} of them explained");
}
