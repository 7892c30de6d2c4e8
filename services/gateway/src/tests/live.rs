//! Watching an order.

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
    stage::{ORDER, PATIENCE, STREAMS, Stage},
};
use crate::{
    live::Pace,
    resources::{Reason, Status},
};

/// The client's end of a stream.
struct Watcher {
    body: BodyDataStream,
    text: String,
}

impl Watcher {
    async fn open(stage: &Stage, last_event_id: Option<&str>) -> Self {
        let request = Request::get(format!("/api/orders/{ORDER}/live"));
        let request = last_event_id
            .into_iter()
            .fold(request, |request, id| request.header("Last-Event-ID", id));
        let response = stage.open(request.body(Body::empty()).unwrap()).await;
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
            let chunk = timeout(PATIENCE, self.body.next()).await.expect("an event in time")?;
            self.text += std::str::from_utf8(&chunk.unwrap()).unwrap();
        }
    }

    /// The next event, as `1 placed`, or as the type of an activity.
    async fn told(&mut self) -> Option<String> {
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
    async fn hears_nothing_until(&mut self, condition: impl Fn() -> bool) {
        let waited = timeout(PATIENCE, async {
            while !condition() {
                let heard = timeout(Duration::from_millis(5), self.told()).await;
                assert!(heard.is_err(), "{heard:?} although nothing happened");
            }
        });
        waited.await.expect("the condition holds in time");
    }

    async fn all(&mut self) -> Vec<String> {
        let mut all = Vec::new();
        while let Some(told) = self.told().await {
            all.push(told);
        }
        all
    }
}

#[tokio::test]
async fn what_was_is_told_first_and_then_what_happens() {
    let stage = Stage::new().await;
    stage.peers.step(ORDER, Wire::Placed);
    let mut watcher = Watcher::open(&stage, None).await;
    assert_eq!(watcher.told().await.unwrap(), "1 placed");
    assert_eq!(stage.metric("mesh_gateway_live_streams"), 1.0);
    stage.news.activity("mesh.payments.v1.PaymentAuthorized");
    stage.news.status(2, Status::Paid, None);
    assert_eq!(watcher.told().await.unwrap(), "mesh.payments.v1.PaymentAuthorized");
    assert_eq!(watcher.told().await.unwrap(), "2 paid");
    stage.news.status(3, Status::Cancelled, Some(Reason::Customer));
    assert_eq!(watcher.all().await, ["3 cancelled (customer)"]);
    drop(watcher);
    assert_eq!(stage.metric("mesh_gateway_live_streams"), 0.0);
}

#[tokio::test]
async fn a_stream_that_does_not_fit_in_is_refused_until_another_ends() {
    let stage = Stage::new().await;
    stage.peers.step(ORDER, Wire::Placed);
    let mut watchers = Vec::new();
    for _ in 0..STREAMS {
        watchers.push(Watcher::open(&stage, None).await);
    }
    let refused = stage.get(&format!("/api/orders/{ORDER}/live")).await;
    assert_eq!((refused.status.as_u16(), refused.header("retry-after")), (503, "1"));
    assert_eq!(refused.body["type"], "/problems/overloaded");
    assert_eq!(stage.metric("mesh_gateway_live_streams_refused_total"), 1.0);
    watchers.pop();
    let mut watcher = Watcher::open(&stage, None).await;
    assert_eq!(watcher.told().await.unwrap(), "1 placed");
}

#[tokio::test]
async fn the_data_is_what_the_document_says() {
    let stage = Stage::new().await;
    stage.peers.step(ORDER, Wire::Placed);
    let mut watcher = Watcher::open(&stage, None).await;
    stage.news.activity("mesh.payments.v1.PaymentAuthorized");
    let document = stage.document().await;
    for schema in ["StatusChange", "Activity"] {
        let event = watcher.next().await.unwrap();
        let data = event.lines().find_map(|line| line.strip_prefix("data: ")).unwrap();
        let schema = &document["components"]["schemas"][schema];
        contract::check(&document, schema, &serde_json::from_str(data).unwrap(), "data");
    }
}

#[tokio::test]
async fn nothing_is_told_twice_and_nothing_out_of_order() {
    let stage = Stage::new().await;
    stage.peers.step(ORDER, Wire::Placed);
    stage.peers.step(ORDER, Wire::Paid);
    let mut watcher = Watcher::open(&stage, None).await;
    for (revision, status) in [
        (1, Status::Placed),
        (2, Status::Paid),
        (3, Status::Dispatched),
        (3, Status::Dispatched),
        (2, Status::Paid),
        (4, Status::Completed),
    ] {
        stage.news.status(revision, status, None);
    }
    assert_eq!(watcher.all().await, ["1 placed", "2 paid", "3 dispatched", "4 completed"]);
    assert_eq!(stage.metric("mesh_gateway_live_rereads_total{reason=\"gap\"}"), 0.0);
}

#[tokio::test]
async fn a_gap_is_healed_by_reading_the_order_again() {
    let stage = Stage::new().await;
    stage.peers.step(ORDER, Wire::Placed);
    let mut watcher = Watcher::open(&stage, None).await;
    assert_eq!(watcher.told().await.unwrap(), "1 placed");
    for status in [Wire::Paid, Wire::Dispatched, Wire::Completed] {
        stage.peers.step(ORDER, status);
    }
    stage.news.status(4, Status::Completed, None);
    assert_eq!(watcher.all().await, ["2 paid", "3 dispatched", "4 completed"]);
    assert_eq!(stage.metric("mesh_gateway_live_rereads_total{reason=\"gap\"}"), 1.0);
}

#[tokio::test]
async fn a_lost_connection_to_nats_is_a_gap() {
    let stage = Stage::new().await;
    stage.peers.step(ORDER, Wire::Placed);
    let mut watcher = Watcher::open(&stage, None).await;
    stage.peers.step(ORDER, Wire::Cancelled);
    stage.news.lapse();
    assert_eq!(watcher.all().await, ["1 placed", "2 cancelled (payment_declined)"]);
}

#[tokio::test]
async fn silence_is_not_believed_for_long() {
    let pace = Pace { silence: Duration::from_millis(20), deaf: Duration::from_millis(20) };
    let stage = Stage::with(pace).await;
    stage.peers.step(ORDER, Wire::Placed);
    let mut watcher = Watcher::open(&stage, None).await;
    assert_eq!(watcher.told().await.unwrap(), "1 placed");
    stage.peers.refuse("get", || Error::new(Kind::Internal, "orders is not well"));
    let rereads = "mesh_gateway_live_rereads_total{reason=\"silence\"}";
    watcher.hears_nothing_until(|| stage.metric(rereads) >= 2.0).await;
    stage.peers.relent("get");
    stage.peers.step(ORDER, Wire::Paid);
    assert_eq!(watcher.told().await.unwrap(), "2 paid");
}

#[tokio::test]
async fn without_nats_the_order_is_read_until_it_is_back() {
    let pace = Pace { silence: Duration::from_secs(60), deaf: Duration::from_millis(10) };
    let stage = Stage::with(pace).await;
    stage.news.goes_away();
    stage.peers.step(ORDER, Wire::Placed);
    let mut watcher = Watcher::open(&stage, None).await;
    assert_eq!(watcher.told().await.unwrap(), "1 placed");
    stage.peers.step(ORDER, Wire::Paid);
    assert_eq!(watcher.told().await.unwrap(), "2 paid");
    stage.news.comes_back();
    watcher.hears_nothing_until(|| stage.news.listeners() > 0).await;
    stage.news.status(3, Status::Dispatched, None);
    assert_eq!(watcher.told().await.unwrap(), "3 dispatched");
}

#[tokio::test]
async fn a_browser_that_comes_back_is_told_the_rest() {
    let stage = Stage::new().await;
    for status in [Wire::Placed, Wire::Paid, Wire::Dispatched, Wire::Completed] {
        stage.peers.step(ORDER, status);
    }
    assert_eq!(Watcher::open(&stage, Some("2")).await.all().await, ["3 dispatched", "4 completed"]);
    let all = ["1 placed", "2 paid", "3 dispatched", "4 completed"];
    assert_eq!(Watcher::open(&stage, Some("nonsense")).await.all().await, all);
    let request = Request::get(format!("/api/orders/{ORDER}/live")).header("Last-Event-ID", "4");
    let answer = stage.send(request.body(Body::empty()).unwrap()).await;
    assert_eq!(answer.status, 204, "a browser would come back for ever");
}

#[tokio::test]
async fn a_stream_ends_when_the_gateway_drains() {
    let stage = Stage::new().await;
    stage.peers.step(ORDER, Wire::Placed);
    let mut watcher = Watcher::open(&stage, None).await;
    assert_eq!(watcher.told().await.unwrap(), "1 placed");
    stage.draining.cancel();
    assert_eq!(watcher.told().await, None);
}

#[tokio::test]
async fn without_orders_there_is_nothing_to_watch() {
    let stage = Stage::new().await;
    stage.peers.refuse("get", || Error::new(Kind::Unavailable, "away"));
    let answer = stage.get(&format!("/api/orders/{ORDER}/live")).await;
    assert_eq!((answer.status.as_u16(), answer.header("retry-after")), (503, "1"));
}
