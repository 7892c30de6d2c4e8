//! How subscriptions, connections and servers end, and which messages are kept then.

use std::time::Duration;

use async_nats::{Client, ConnectOptions, Request, RequestErrorKind, Subscriber};
use futures::StreamExt;
use tokio::time::timeout;

use crate::{
    server::{PATIENCE, Server, delivered, next, payloads, settled, until},
    wire::Wire,
};

async fn has_responders(client: &Client, subject: &'static str) -> bool {
    let question = Request::new().timeout(Some(Duration::from_millis(100)));
    let error = client.send_request(subject, question).await.unwrap_err();
    error.kind() != RequestErrorKind::NoResponders
}

async fn publish(client: &Client, subject: &'static str, count: usize) {
    for number in 0..count {
        client.publish(subject, number.to_string().into()).await.unwrap();
    }
}

/// Reads a subscription to its end; returns the number of messages.
async fn rest(subscriber: &mut Subscriber) -> usize {
    timeout(PATIENCE, subscriber.by_ref().count()).await.expect("an end in time")
}

pub(crate) async fn a_subscription_ends_after_its_maximum_of_messages(server: Server) {
    let (shop, customer) = (server.connect().await, server.connect().await);
    let mut orders = customer.subscribe("orders").await.unwrap();
    orders.unsubscribe_after(3).await.unwrap();
    settled(&customer).await;

    publish(&shop, "orders", 6).await;
    delivered(&shop, &customer).await;

    assert_eq!(payloads(&mut orders), ["0", "1", "2"]);
    assert_eq!(rest(&mut orders).await, 0);
    assert!(!has_responders(&shop, "orders").await);
}

pub(crate) async fn an_unsubscribed_subject_has_no_responders(server: Server) {
    let (shop, customer) = (server.connect().await, server.connect().await);
    let mut orders = customer.subscribe("orders").await.unwrap();
    settled(&customer).await;
    assert!(has_responders(&shop, "orders").await);
    orders.unsubscribe().await.unwrap();
    settled(&customer).await;
    assert!(!has_responders(&shop, "orders").await);
}

pub(crate) async fn a_drained_subscription_delivers_pending_messages(server: Server) {
    let (shop, customer) = (server.connect().await, server.connect().await);
    let mut orders = customer.subscribe("orders").await.unwrap();
    settled(&customer).await;
    publish(&shop, "orders", 500).await;
    settled(&shop).await;

    orders.drain().await.unwrap();

    assert_eq!(rest(&mut orders).await, 500);
}

pub(crate) async fn a_drained_client_delivers_and_flushes_pending_messages(server: Server) {
    let (shop, customer) = (server.connect().await, server.connect().await);
    let mut farewells = shop.subscribe("farewells").await.unwrap();
    settled(&shop).await;
    let mut orders = customer.subscribe("orders").await.unwrap();
    settled(&customer).await;
    publish(&shop, "orders", 500).await;
    settled(&shop).await;

    customer.publish("farewells", "bye".into()).await.unwrap();
    customer.drain().await.unwrap();

    assert_eq!(rest(&mut orders).await, 500);
    assert_eq!(next(&mut farewells).await.payload, "bye");
}

pub(crate) async fn a_slow_consumer_is_closed_and_others_are_served(server: Server) {
    const COUNT: usize = 400;
    let body = bytes::Bytes::from(vec![b'x'; 100_000]);
    let mut sleeper = Wire::open(&server).await;
    sleeper.send("CONNECT {\"verbose\":false}\r\nSUB news 1\r\nPING\r\n").await;
    sleeper.expect("PONG\r\n").await;
    let (shop, customer) = (server.connect().await, server.connect().await);
    let mut news = customer.subscribe("news").await.unwrap();
    settled(&customer).await;

    for _ in 0..COUNT {
        shop.publish("news", body.clone()).await.unwrap();
    }
    for _ in 0..COUNT {
        assert_eq!(next(&mut news).await.payload.len(), body.len());
    }

    news.unsubscribe().await.unwrap();
    settled(&customer).await;
    until("the sleeper is cut off", async || !has_responders(&shop, "news").await).await;
    assert!(sleeper.read_to_end().await < COUNT * body.len());
}

pub(crate) async fn a_client_reconnects_after_a_restart(mut server: Server) {
    let customer = ConnectOptions::new()
        .reconnect_delay_callback(|_| Duration::from_millis(20))
        .connect(server.url())
        .await
        .unwrap();
    let mut orders = customer.subscribe("orders").await.unwrap();
    settled(&customer).await;

    server.kill().await;
    server.restart().await;

    let shop = server.connect().await;
    until("its subscription is there again", async || has_responders(&shop, "orders").await).await;
    shop.publish("orders", "after the night".into()).await.unwrap();
    while next(&mut orders).await.payload != "after the night" {}
}
