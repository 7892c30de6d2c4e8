//! The chassis' NATS client: it is typed, its subscriptions are live once `subscribe` returns, and it never blocks its
//! caller.

use std::time::Duration;

use chassis::contract::Subject as _;
use chassis::{
    Kind, messaging,
    metrics::Registry,
    nats::{Client, Live, Settings, Subscription},
    readiness::{Impact, Readiness},
};
use futures::StreamExt;
use proto::{Message, notifications::v1::LiveUpdate, subjects::LiveOrders};
use tokio::time::timeout;

use crate::server::{PATIENCE, Server, until};

async fn connect(server: &Server, limit: Duration) -> (Client, Registry) {
    let registry = Registry::new();
    let settings = Settings { url: server.url().into(), timeout: limit };
    let operations = messaging::Metrics::register(&registry).unwrap();
    let condition = Readiness::new(&registry).unwrap().condition("nats", Impact::Degraded);
    let client =
        timeout(PATIENCE, Client::connect("story", &settings, operations, &registry, condition));
    (client.await.expect("a connection in time").unwrap(), registry)
}

fn update(order: &str) -> LiveUpdate {
    LiveUpdate { order_id: order.into(), customer: "ada".into(), ..LiveUpdate::default() }
}

async fn next_live(subscription: &mut Subscription<LiveUpdate>) -> LiveUpdate {
    let Live { body, .. } =
        timeout(PATIENCE, subscription.next()).await.expect("in time").expect("not ended");
    body
}

/// The number of operations of this kind with this outcome.
fn operations(registry: &Registry, operation: &str, outcome: &str) -> u64 {
    let name = "messaging_client_operation_duration_seconds_count";
    let template = LiveOrders::TEMPLATE;
    let series = format!(
        "{name}{{messaging_destination_name=\"{template}\",messaging_operation_name=\"{operation}\",outcome=\"{outcome}\"}} "
    );
    let text = registry.text();
    text.lines()
        .find_map(|line| line.strip_prefix(&series))
        .map_or(0, |count| count.parse().unwrap())
}

pub(crate) async fn a_live_message_reaches_its_subscriber_alone(server: Server) {
    let (notifications, registry) = connect(&server, PATIENCE).await;
    let (gateway, _) = connect(&server, PATIENCE).await;
    let mut neighbour = gateway.subscribe(LiveOrders, &["ada", "other"]).await.unwrap();

    // A subscription has to wait behind all these messages; publishing has not.
    let much = LiveUpdate { event_type: "x".repeat(500_000), ..LiveUpdate::default() };
    for order in 0..20 {
        let order = order.to_string();
        for _ in 0..10 {
            gateway.publish(LiveOrders, &["no", "subscriber"], &much).await.unwrap();
        }
        let mut mine = gateway.subscribe(LiveOrders, &["ada", &order]).await.unwrap();
        notifications.publish(LiveOrders, &["ada", &order], &update(&order)).await.unwrap();
        assert_eq!(next_live(&mut mine).await, update(&order));
    }

    notifications.publish(LiveOrders, &["ada", "other"], &update("other")).await.unwrap();
    assert_eq!(next_live(&mut neighbour).await, update("other"));
    assert_eq!(operations(&registry, "send", "ok"), 21);
}

pub(crate) async fn an_undecodable_message_is_skipped_and_counted(server: Server) {
    let (gateway, registry) = connect(&server, PATIENCE).await;
    let mut mine = gateway.subscribe(LiveOrders, &["ada", "7"]).await.unwrap();

    let stranger = server.connect().await;
    stranger.publish("live.orders.ada.7", "not protobuf".into()).await.unwrap();
    stranger.publish("live.orders.ada.7", update("7").encode_to_vec().into()).await.unwrap();

    assert_eq!(next_live(&mut mine).await, update("7"));
    assert!(registry.text().contains("mesh_live_dropped_total{reason=\"undecodable\"} 1"));
}

pub(crate) async fn connecting_waits_for_the_server(mut server: Server) {
    server.kill().await;
    let address = server.url();
    let settings = Settings { url: address.into(), ..Settings::default() };
    let registry = Registry::new();
    let operations = messaging::Metrics::register(&registry).unwrap();
    let condition = Readiness::new(&registry).unwrap().condition("nats", Impact::Degraded);
    let connecting = Client::connect("story", &settings, operations, &registry, condition);
    let mut waiting = std::pin::pin!(connecting);
    assert!(timeout(Duration::from_millis(100), &mut waiting).await.is_err());

    server.restart().await;
    let client = timeout(PATIENCE, waiting).await.expect("a connection in time").unwrap();
    assert!(client.is_connected());
}

pub(crate) async fn publishing_without_a_server_does_not_block(mut server: Server) {
    // Longer than the story may take: only operations that fail before this time limit pass the test.
    let (notifications, registry) = connect(&server, PATIENCE * 10).await;
    let (gateway, _) = connect(&server, Duration::from_millis(50)).await;
    server.kill().await;
    until("both notice", async || !notifications.is_connected() && !gateway.is_connected()).await;

    let published = timeout(PATIENCE, async {
        for _ in 0..10_000 {
            let error =
                notifications.publish(LiveOrders, &["ada", "7"], &update("7")).await.unwrap_err();
            assert_eq!(error.kind(), Kind::Unavailable);
        }
    });
    published.await.expect("refused at once");
    assert_eq!(operations(&registry, "send", "unavailable"), 10_000);

    let subscribed = timeout(PATIENCE, gateway.subscribe(LiveOrders, &["ada", "7"]))
        .await
        .expect("its own time limit");
    assert_eq!(subscribed.err().unwrap().kind(), Kind::DeadlineExceeded);
    timeout(PATIENCE, notifications.drain()).await.expect("nothing to drain");
}

pub(crate) async fn a_client_reconnects_by_itself(mut server: Server) {
    let (notifications, _) = connect(&server, PATIENCE).await;
    let (gateway, _) = connect(&server, PATIENCE).await;
    // So many and such long subjects that subscribing again takes longer than connecting.
    let ada = &"a".repeat(128);
    let orders: Vec<String> = (0..4000).map(|order| order.to_string()).collect();
    let mut open_pages = Vec::new();
    for order in &orders {
        open_pages.push(gateway.subscribe(LiveOrders, &[ada, order]).await.unwrap());
    }
    let (mut here, mut there) = (gateway.reconnections(), notifications.reconnections());

    for _night in 0..2 {
        server.kill().await;
        until("both notice", async || !gateway.is_connected() && !notifications.is_connected())
            .await;
        server.restart().await;
        let back = async { tokio::join!(here.next(), there.next()) };
        timeout(PATIENCE, back).await.expect("new connections");

        // Without waiting: all subscriptions are live again when the reconnection is reported.
        for order in &orders {
            notifications.publish(LiveOrders, &[ada, order], &update(order)).await.unwrap();
        }
        for (order, page) in orders.iter().zip(&mut open_pages) {
            assert_eq!(next_live(page).await, update(order));
        }
    }
}

pub(crate) async fn a_drained_client_ends_its_subscriptions(server: Server) {
    let (notifications, _) = connect(&server, PATIENCE).await;
    let (gateway, _) = connect(&server, PATIENCE).await;
    let mut theirs = gateway.subscribe(LiveOrders, &["ada", "7"]).await.unwrap();
    let mut own = notifications.subscribe(LiveOrders, &["ada", "8"]).await.unwrap();
    for order in ["7", "8"] {
        for _ in 0..100 {
            notifications.publish(LiveOrders, &["ada", order], &update(order)).await.unwrap();
        }
    }

    timeout(PATIENCE, notifications.drain()).await.expect("drained in time");

    assert!(!notifications.is_connected());
    let error = notifications.publish(LiveOrders, &["ada", "7"], &update("7")).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Unavailable);
    assert_eq!(timeout(PATIENCE, own.by_ref().count()).await.expect("an end"), 100);
    for _ in 0..100 {
        assert_eq!(next_live(&mut theirs).await, update("7"));
    }
}
