//! Messages from one publisher to its subscribers.

use async_nats::HeaderMap;

use crate::{
    server::{Server, delivered, next, received, settled, subjects},
    wire::Wire,
};

/// The largest payload that nats-server accepts by default, and so the embedded server.
const LARGEST: usize = 1 << 20;

pub(crate) async fn a_wildcard_stands_for_one_token_or_the_rest(server: Server) {
    let (shop, customer) = (server.connect().await, server.connect().await);
    let mut dispatched = customer.subscribe("orders.*.dispatched").await.unwrap();
    let mut orders = customer.subscribe("orders.>").await.unwrap();
    let mut one = customer.subscribe("orders.1").await.unwrap();
    let mut everything = customer.subscribe("orders-and-more.>").await.unwrap();
    settled(&customer).await;

    for subject in
        ["orders.1.dispatched", "orders.1.paid", "orders", "orders.1.dispatched.again", "orders.1"]
    {
        shop.publish(subject, "".into()).await.unwrap();
    }
    delivered(&shop, &customer).await;

    assert_eq!(subjects(&mut dispatched), ["orders.1.dispatched"]);
    assert_eq!(
        subjects(&mut orders),
        ["orders.1.dispatched", "orders.1.paid", "orders.1.dispatched.again", "orders.1"]
    );
    assert_eq!(subjects(&mut one), ["orders.1"]);
    assert!(subjects(&mut everything).is_empty());
}

pub(crate) async fn headers_travel_with_a_message(server: Server) {
    let (shop, customer) = (server.connect().await, server.connect().await);
    let mut orders = customer.subscribe("orders").await.unwrap();
    settled(&customer).await;

    let mut headers = HeaderMap::new();
    headers.insert("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
    headers.append("tracestate", "a=1");
    headers.append("tracestate", "b=2");
    shop.publish_with_headers("orders", headers.clone(), "with a body".into()).await.unwrap();
    shop.publish_with_headers("orders", headers.clone(), "".into()).await.unwrap();

    for body in ["with a body", ""] {
        let message = next(&mut orders).await;
        assert_eq!(message.payload, body);
        assert_eq!(message.headers.as_ref(), Some(&headers));
    }
}

pub(crate) async fn a_queue_group_shares_the_work(server: Server) {
    let (shop, packers) = (server.connect().await, server.connect().await);
    let mut group = Vec::new();
    for _ in 0..3 {
        group.push(packers.queue_subscribe("orders", "packers".into()).await.unwrap());
    }
    let mut lone_packer = packers.queue_subscribe("orders", "other-packers".into()).await.unwrap();
    let mut onlooker = packers.subscribe("orders").await.unwrap();
    settled(&packers).await;

    for _ in 0..3000 {
        shop.publish("orders", "".into()).await.unwrap();
    }
    delivered(&shop, &packers).await;

    let shares: Vec<usize> = group.iter_mut().map(|packer| received(packer).len()).collect();
    assert_eq!(shares.iter().sum::<usize>(), 3000, "{shares:?}");
    assert!(shares.iter().all(|share| *share > 700), "{shares:?}");
    assert_eq!(received(&mut lone_packer).len(), 3000);
    assert_eq!(received(&mut onlooker).len(), 3000);
}

pub(crate) async fn a_payload_of_one_mebibyte_is_the_maximum(server: Server) {
    let (shop, customer) = (server.connect().await, server.connect().await);
    let mut orders = customer.subscribe("orders").await.unwrap();
    settled(&customer).await;

    shop.publish("orders", vec![7; LARGEST].into()).await.unwrap();
    assert_eq!(next(&mut orders).await.payload.len(), LARGEST);

    assert!(
        shop.publish("orders", vec![7; LARGEST + 1].into()).await.is_err(),
        "the client knows the limit"
    );
    let mut careless = Wire::open(&server).await;
    careless.send("CONNECT {\"verbose\":false}\r\nPUB orders 1048577\r\n").await;
    careless.expect("-ERR 'Maximum Payload Violation'\r\n").await;
    careless.expect_end().await;
}

pub(crate) async fn ten_thousand_subscriptions_each_get_their_message(server: Server) {
    let (shop, customers) = (server.connect().await, server.connect().await);
    let mut subscribers = Vec::new();
    for customer in 0..10_000 {
        subscribers.push(customers.subscribe(format!("orders.{customer}")).await.unwrap());
    }
    settled(&customers).await;

    for customer in 0..10_000 {
        shop.publish(format!("orders.{customer}"), "".into()).await.unwrap();
    }
    delivered(&shop, &customers).await;

    for (customer, subscriber) in subscribers.iter_mut().enumerate() {
        assert_eq!(subjects(subscriber), [format!("orders.{customer}")]);
    }
}

pub(crate) async fn one_message_reaches_hundreds(server: Server) {
    let (shop, customers) = (server.connect().await, server.connect().await);
    let mut subscribers = Vec::new();
    for _ in 0..300 {
        subscribers.push(customers.subscribe("news").await.unwrap());
    }
    settled(&customers).await;

    for _ in 0..100 {
        shop.publish("news", vec![b'!'; 100].into()).await.unwrap();
    }
    delivered(&shop, &customers).await;

    for subscriber in &mut subscribers {
        assert_eq!(received(subscriber).len(), 100);
    }
}
