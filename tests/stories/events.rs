//! The console's page Events: what it shows of Kafka through the front door, and what it changes there.

use harness::{Answer, Gateway, Mesh, Options, Provider, until};
use reqwest::Method;
use serde_json::Value;

const LETTERS: &str = "/lens/v1/events/dead-letters";

/// The dead letters that wait and fit.
async fn letters(gateway: &Gateway, fits: impl Fn(&Value) -> bool) -> Vec<Value> {
    let answer = gateway.get(LETTERS).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let items = answer.body["items"].as_array().cloned().unwrap_or_default();
    items.into_iter().filter(fits).collect()
}

async fn post(gateway: &Gateway, path: &str, body: Option<&str>) -> Answer {
    gateway.send(Method::POST, path, &[("sec-fetch-site", "same-origin")], body).await
}

/// Sends a record that is no event to `orders.events`; returns its id.
async fn poison(gateway: &Gateway) -> String {
    let body = r#"{"topic":"orders.events","key":"poison"}"#;
    let sent = post(gateway, "/lens/v1/events/poison", Some(body)).await;
    assert_eq!(sent.status, 200, "{sent:?}");
    sent.text("/event_id").to_owned()
}

/// A poison event becomes a dead letter of each group that reads its topic. The front door lists them, shows one as bytes with the
/// reason, and discards them: `mesh dlq` no longer lists them, either.
pub(crate) async fn a_poison_event_is_listed_and_discarded(options: Options) {
    let mesh = options.start().await;
    let gateway = mesh.gateway();
    let id = poison(&gateway).await;
    let ours = |letter: &Value| letter["event_id"] == id.as_str();
    let parked = until("the dead letters of four groups", || async {
        let found = letters(&gateway, ours).await;
        (found.len() == 4).then_some(found)
    })
    .await;
    for letter in &parked {
        assert_eq!(letter["reason"], "undecodable");
        let path = format!("{LETTERS}/{}", letter["id"].as_str().expect("an id"));
        let shown = gateway.get(&path).await;
        assert_eq!(shown.text("/hexadecimal"), "ffffff", "{shown:?}");
        assert!(!shown.text("/undecodable").is_empty(), "{shown:?}");
        assert_eq!(post(&gateway, &format!("{path}/discard"), None).await.status, 200);
        let again = post(&gateway, &format!("{path}/discard"), None).await;
        assert_eq!((again.status, again.text("/type")), (409, "/problems/already-handled"));
    }
    assert!(letters(&gateway, ours).await.is_empty());
    let listed = mesh.run(&["dlq", "list", "--json"]).await;
    assert!(!String::from_utf8_lossy(&listed.stdout).contains(&id));
}

/// A page of another origin changes nothing, at the front door and at lens itself.
pub(crate) async fn a_foreign_page_changes_no_event(options: Options) {
    let mesh = options.start().await;
    let lens = Gateway::new(&mesh.service("lens").await.http.expect("it serves HTTP"));
    let gateway = mesh.gateway();
    let body = Some(r#"{"topic":"orders.events"}"#);
    for server in [&gateway, &lens] {
        for foreign in [("origin", "http://evil.example"), ("sec-fetch-site", "cross-site")] {
            for (path, body) in [
                ("/lens/v1/events/poison", body),
                ("/lens/v1/events/dead-letters/replay", None),
                ("/lens/v1/events/dead-letters/orders.events.dlq/0/0/discard", None),
            ] {
                let refused = server.send(Method::POST, path, &[foreign], body).await;
                assert_eq!(
                    (refused.status, refused.text("/type")),
                    (403, "/problems/foreign-origin"),
                    "{path}"
                );
            }
        }
    }
    let topics = gateway.get("/lens/v1/events/topics").await;
    assert_eq!(retained(&topics, "orders.events"), 0, "{topics:?}");
}

fn retained(topics: &Answer, name: &str) -> i64 {
    let mut all = topics.body["topics"].as_array().into_iter().flatten();
    let topic = all.find(|topic| topic["topic"] == name);
    topic.and_then(|topic| topic["retained"].as_i64()).unwrap_or(-1)
}

/// A refund that the third party refused becomes a dead letter. Once the third party works again, the front door replays it, and
/// the refund is made.
pub(crate) async fn a_replayed_event_is_handled(options: Options) {
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
    let cancel = format!("/api/orders/{}/cancel", order.id);
    assert_eq!(post(&gateway, &cancel, None).await.status, 200);
    let ours = |letter: &Value| letter["key"] == order.id.as_str();
    let letter = until("the dead letter", || async { letters(&gateway, ours).await.pop() }).await;
    assert_eq!(letter["reason"], "retries_exhausted");
    provider.refuse(false);
    let path = format!("{LETTERS}/{}", letter["id"].as_str().expect("an id"));
    let shown = gateway.get(&path).await;
    assert_eq!(shown.text("/body/order_id"), order.id, "{shown:?}");
    assert_eq!(post(&gateway, &format!("{path}/replay"), None).await.status, 200);
    until("the refund", || async { (provider.refunds() == 1).then_some(()) }).await;
    assert!(letters(&gateway, ours).await.is_empty());
    assert_eq!(gateway.get(&path).await.text("/handled"), "replayed");
}

/// All events of an order are shown in order and decoded, each with the order's trace. The groups that read them are shown with
/// their members, and with a lag that ends at zero.
pub(crate) async fn an_order_shows_its_events(options: Options) {
    let mesh = options.start().await;
    let gateway = mesh.gateway();
    let order = gateway.place("tok_ok").await;
    gateway.until_status(&order, "completed").await;
    let path = format!("/lens/v1/events/orders/{}", order.id);
    let records = until("the order's events", || async {
        let answer = gateway.get(&path).await;
        let records = answer.body["records"].as_array().cloned().unwrap_or_default();
        (records.len() == 8).then_some(records)
    })
    .await;
    let of = |topic: &str| {
        let records = records.iter().filter(|record| record["topic"] == topic);
        let types = records.map(|record| record["type"].as_str().unwrap_or_default());
        types.map(|name| name.rsplit('.').next().unwrap_or_default()).collect::<Vec<_>>()
    };
    assert_eq!(
        of("orders.events"),
        ["OrderPlaced", "OrderPaid", "OrderDispatched", "OrderCompleted"]
    );
    assert_eq!(of("payments.events"), ["PaymentAuthorized"]);
    assert_eq!(of("shipments.events"), ["ShipmentDispatched", "ShipmentDelivered"]);
    assert_eq!(of("inventory.events"), ["ReservationCommitted"]);
    for record in &records {
        assert_eq!(record["trace_id"], order.trace_id.as_str(), "{record}");
        assert_eq!(record["body"]["order_id"], order.id.as_str(), "{record}");
    }
    assert_eq!(records[0]["body"]["placed"]["items"][0]["sku"], "teapot");
    groups_are_shown(&mesh).await;
}

async fn groups_are_shown(mesh: &Mesh) {
    let gateway = mesh.gateway();
    until("the groups of orders.events without lag", || async {
        let topics = gateway.get("/lens/v1/events/topics").await;
        let groups = topics.body["groups"].as_array().into_iter().flatten();
        let mut idle: Vec<_> = groups
            .filter(|group| group["topic"] == "orders.events" && group["lag"] == 0)
            .filter(|group| group["members"].as_array().is_some_and(|members| members.len() == 1))
            .filter_map(|group| group["group"].as_str())
            .collect();
        idle.sort_unstable();
        (idle == ["inventory", "notifications", "payments", "shipping"]).then_some(())
    })
    .await;
}
