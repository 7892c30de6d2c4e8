//! The live stream of an order.

use std::time::Duration;

use axum::{
    body::{Body, BodyDataStream},
    http::Request,
};
use chassis::{Error, Kind};
use futures::StreamExt;
use proto::orders::v1::Status as Wire;
use serde_json::Value;
use tokio::time::timeout;

use super::{
    contract,
    gateway::{ORDER, STREAMS, TIMEOUT, TestGateway},
};
use crate::{
    live::ReadIntervals,
    resources::{Reason, Status},
};

/// The client's end of a stream.
struct Watcher {
    body: BodyDataStream,
    text: String,
}

impl Watcher {
    async fn open(gateway: &TestGateway, last_event_id: Option<&str>) -> Self {
        let request = Request::get(format!("/api/orders/{ORDER}/live"));
        let request = last_event_id
            .into_iter()
            .fold(request, |request, id| request.header("Last-Event-ID", id));
        let response = gateway.open(request.body(Body::empty()).unwrap()).await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let mut watcher =
            Self { body: response.into_body().into_data_stream(), text: String::new() };
        assert_eq!(watcher.next().await.unwrap(), "retry: 1000");
        watcher
    }

    /// The next event as it was sent; `None` after the last.
    async fn next(&mut self) -> Option<String> {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let (event, rest) = (event.to_owned(), rest.to_owned());
                self.text = rest;
                return Some(event);
            }
            let chunk = timeout(TIMEOUT, self.body.next()).await.expect("the next event")?;
            self.text += std::str::from_utf8(&chunk.unwrap()).unwrap();
        }
    }

    /// The next event, as `1 placed`, or as the type of an activity.
    async fn event(&mut self) -> Option<String> {
        let event = self.next().await?;
        let line =
            |name: &str| event.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        let data: Value = serde_json::from_str(line("data:").unwrap()).unwrap();
        Some(match line("event:") {
            Some("status") => {
                assert_eq!(line("id:").unwrap(), data["revision"].to_string());
                let reason =
                    data["reason"].as_str().map_or(String::new(), |reason| format!(" ({reason})"));
                format!("{} {}{reason}", data["revision"], data["status"].as_str().unwrap())
            }
            other => {
                assert_eq!((other, line("id:")), (Some("activity"), None));
                data["type"].as_str().unwrap().to_owned()
            }
        })
    }

    /// Polls the stream until the condition holds; asserts that no event comes meanwhile.
    async fn receives_nothing_until(&mut self, condition: impl Fn() -> bool) {
        let waited = timeout(TIMEOUT, async {
            while !condition() {
                let received = timeout(Duration::from_millis(5), self.event()).await;
                assert!(received.is_err(), "{received:?} although nothing happened");
            }
        });
        waited.await.expect("the condition holds in time");
    }

    async fn all(&mut self) -> Vec<String> {
        let mut all = Vec::new();
        while let Some(event) = self.event().await {
            all.push(event);
        }
        all
    }
}

#[tokio::test]
async fn a_stream_sends_the_history_and_then_each_event() {
    let gateway = TestGateway::new().await;
    gateway.peers.step(ORDER, Wire::Placed);
    let mut watcher = Watcher::open(&gateway, None).await;
    assert_eq!(watcher.event().await.unwrap(), "1 placed");
    assert_eq!(gateway.metric("mesh_gateway_live_streams"), 1.0);
    gateway.updates.activity("mesh.payments.v1.PaymentAuthorized");
    gateway.updates.status(2, Status::Paid, None);
    assert_eq!(watcher.event().await.unwrap(), "mesh.payments.v1.PaymentAuthorized");
    assert_eq!(watcher.event().await.unwrap(), "2 paid");
    gateway.updates.status(3, Status::Cancelled, Some(Reason::Customer));
    assert_eq!(watcher.all().await, ["3 cancelled (customer)"]);
    drop(watcher);
    assert_eq!(gateway.metric("mesh_gateway_live_streams"), 0.0);
}

#[tokio::test]
async fn a_stream_beyond_the_maximum_is_refused_until_another_ends() {
    let gateway = TestGateway::new().await;
    gateway.peers.step(ORDER, Wire::Placed);
    let mut watchers = Vec::new();
    for _ in 0..STREAMS {
        watchers.push(Watcher::open(&gateway, None).await);
    }
    let refused = gateway.get(&format!("/api/orders/{ORDER}/live")).await;
    assert_eq!((refused.status.as_u16(), refused.header("retry-after")), (503, "1"));
    assert_eq!(refused.body["type"], "/problems/overloaded");
    assert_eq!(gateway.metric("mesh_gateway_live_streams_refused_total"), 1.0);
    watchers.pop();
    let mut watcher = Watcher::open(&gateway, None).await;
    assert_eq!(watcher.event().await.unwrap(), "1 placed");
}

#[tokio::test]
async fn the_data_of_an_event_matches_the_openapi_document() {
    let gateway = TestGateway::new().await;
    gateway.peers.step(ORDER, Wire::Placed);
    let mut watcher = Watcher::open(&gateway, None).await;
    gateway.updates.activity("mesh.payments.v1.PaymentAuthorized");
    let document = gateway.document().await;
    for schema in ["StatusChange", "Activity"] {
        let event = watcher.next().await.unwrap();
        let data = event.lines().find_map(|line| line.strip_prefix("data: ")).unwrap();
        let schema = &document["components"]["schemas"][schema];
        contract::check(&document, schema, &serde_json::from_str(data).unwrap(), "data");
    }
}

#[tokio::test]
async fn duplicate_and_late_messages_are_not_sent_again() {
    let gateway = TestGateway::new().await;
    gateway.peers.step(ORDER, Wire::Placed);
    gateway.peers.step(ORDER, Wire::Paid);
    let mut watcher = Watcher::open(&gateway, None).await;
    for (revision, status) in [
        (1, Status::Placed),
        (2, Status::Paid),
        (3, Status::Dispatched),
        (3, Status::Dispatched),
        (2, Status::Paid),
        (4, Status::Completed),
    ] {
        gateway.updates.status(revision, status, None);
    }
    assert_eq!(watcher.all().await, ["1 placed", "2 paid", "3 dispatched", "4 completed"]);
    assert_eq!(gateway.metric("mesh_gateway_live_rereads_total{reason=\"gap\"}"), 0.0);
}

#[tokio::test]
async fn after_a_gap_in_the_revisions_the_order_is_read_again() {
    let gateway = TestGateway::new().await;
    gateway.peers.step(ORDER, Wire::Placed);
    let mut watcher = Watcher::open(&gateway, None).await;
    assert_eq!(watcher.event().await.unwrap(), "1 placed");
    for status in [Wire::Paid, Wire::Dispatched, Wire::Completed] {
        gateway.peers.step(ORDER, status);
    }
    gateway.updates.status(4, Status::Completed, None);
    assert_eq!(watcher.all().await, ["2 paid", "3 dispatched", "4 completed"]);
    assert_eq!(gateway.metric("mesh_gateway_live_rereads_total{reason=\"gap\"}"), 1.0);
}

#[tokio::test]
async fn after_a_reconnection_to_nats_the_order_is_read_again() {
    let gateway = TestGateway::new().await;
    gateway.peers.step(ORDER, Wire::Placed);
    let mut watcher = Watcher::open(&gateway, None).await;
    gateway.peers.step(ORDER, Wire::Cancelled);
    gateway.updates.interrupt();
    assert_eq!(watcher.all().await, ["1 placed", "2 cancelled (payment_declined)"]);
}

#[tokio::test]
async fn without_messages_the_order_is_read_again_at_an_interval() {
    let intervals = ReadIntervals {
        subscribed: Duration::from_millis(20),
        unsubscribed: Duration::from_millis(20),
    };
    let gateway = TestGateway::with_intervals(intervals).await;
    gateway.peers.step(ORDER, Wire::Placed);
    let mut watcher = Watcher::open(&gateway, None).await;
    assert_eq!(watcher.event().await.unwrap(), "1 placed");
    gateway.peers.fail("get", || Error::new(Kind::Internal, "orders failed"));
    let rereads = "mesh_gateway_live_rereads_total{reason=\"silence\"}";
    watcher.receives_nothing_until(|| gateway.metric(rereads) >= 2.0).await;
    gateway.peers.recover("get");
    gateway.peers.step(ORDER, Wire::Paid);
    assert_eq!(watcher.event().await.unwrap(), "2 paid");
}

#[tokio::test]
async fn while_nats_is_unavailable_the_order_is_read_at_an_interval() {
    let intervals = ReadIntervals {
        subscribed: Duration::from_secs(60),
        unsubscribed: Duration::from_millis(10),
    };
    let gateway = TestGateway::with_intervals(intervals).await;
    gateway.updates.disconnect();
    gateway.peers.step(ORDER, Wire::Placed);
    let mut watcher = Watcher::open(&gateway, None).await;
    assert_eq!(watcher.event().await.unwrap(), "1 placed");
    gateway.peers.step(ORDER, Wire::Paid);
    assert_eq!(watcher.event().await.unwrap(), "2 paid");
    gateway.updates.reconnect();
    watcher.receives_nothing_until(|| gateway.updates.subscribers() > 0).await;
    gateway.updates.status(3, Status::Dispatched, None);
    assert_eq!(watcher.event().await.unwrap(), "3 dispatched");
}

#[tokio::test]
async fn a_browser_that_reconnects_receives_the_events_that_it_lacks() {
    let gateway = TestGateway::new().await;
    for status in [Wire::Placed, Wire::Paid, Wire::Dispatched, Wire::Completed] {
        gateway.peers.step(ORDER, status);
    }
    assert_eq!(
        Watcher::open(&gateway, Some("2")).await.all().await,
        ["3 dispatched", "4 completed"]
    );
    let all = ["1 placed", "2 paid", "3 dispatched", "4 completed"];
    assert_eq!(Watcher::open(&gateway, Some("nonsense")).await.all().await, all);
    let request = Request::get(format!("/api/orders/{ORDER}/live")).header("Last-Event-ID", "4");
    let answer = gateway.send(request.body(Body::empty()).unwrap()).await;
    assert_eq!(answer.status, 204, "a browser would reconnect for ever");
}

#[tokio::test]
async fn a_stream_ends_when_the_gateway_drains() {
    let gateway = TestGateway::new().await;
    gateway.peers.step(ORDER, Wire::Placed);
    let mut watcher = Watcher::open(&gateway, None).await;
    assert_eq!(watcher.event().await.unwrap(), "1 placed");
    gateway.draining.cancel();
    assert_eq!(watcher.event().await, None);
}

#[tokio::test]
async fn while_orders_is_unavailable_a_stream_is_refused_with_503() {
    let gateway = TestGateway::new().await;
    gateway.peers.fail("get", || Error::new(Kind::Unavailable, "away"));
    let answer = gateway.get(&format!("/api/orders/{ORDER}/live")).await;
    assert_eq!((answer.status.as_u16(), answer.header("retry-after")), (503, "1"));
}
