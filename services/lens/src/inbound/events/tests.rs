//! What is refused, and what is said while Kafka does not answer. The stories have the rest.

use axum::{
    body::{Body, to_bytes},
    http::Request,
};
use chassis::{
    http::{Guard, GuardSettings},
    kafka::Settings,
};
use serde_json::Value;
use tower::ServiceExt;

use super::*;
use crate::{clock::Clock, config};

/// The answer of a lens whose Kafka does not exist.
async fn answer(enabled: bool, method: &str, path: &str, body: &str) -> (u16, String) {
    let probe = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let brokers = probe.local_addr().unwrap().to_string();
    drop(probe);
    let series = Arc::new(timeseries::Store::new(timeseries::Options::default()));
    let events =
        Events::new(&Settings { brokers, ..Settings::default() }, &series, Clock::default());
    let guard = Guard::new("lens", &GuardSettings::default());
    let router = routes(events, &Operate::new(&config::Operate { enabled }, guard));
    let request = Request::builder().method(method).uri(format!("/lens/v1/events/{path}"));
    let request = request.header("host", "localhost").header("content-type", "application/json");
    let answer = router.oneshot(request.body(Body::from(body.to_owned())).unwrap()).await.unwrap();
    let status = answer.status().as_u16();
    let body = to_bytes(answer.into_body(), 100_000).await.unwrap();
    let problem: Value = serde_json::from_slice(&body).unwrap();
    (status, problem["detail"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn bad_input_is_refused_before_kafka_is_asked() {
    let (status, detail) = answer(true, "GET", &format!("orders/{}", "x".repeat(129)), "").await;
    assert_eq!(status, 400);
    assert!(detail.contains("at most 128 bytes; this one has 129"), "{detail}");
    let (status, _) = answer(true, "GET", "dead-letters/orders.events.dlq/x/3", "").await;
    assert_eq!(status, 404);
    let (status, _) = answer(true, "GET", "dead-letters?all=perhaps", "").await;
    assert_eq!(status, 400);
    let long = format!(r#"{{"topic":"orders.events","key":"{}"}}"#, "x".repeat(129));
    for body in [r#"{"topic":7}"#, r#"{"topic":"orders.events","payload":"ff"}"#, &long] {
        assert_eq!(answer(true, "POST", "poison", body).await.0, 422, "{body}");
    }
}

#[tokio::test]
async fn without_the_setting_nothing_is_changed() {
    let letter = "dead-letters/orders.events.dlq/0/3";
    for path in
        ["poison", "dead-letters/replay", &format!("{letter}/replay"), &format!("{letter}/discard")]
    {
        let (status, detail) = answer(false, "POST", path, r#"{"topic":"orders.events"}"#).await;
        assert_eq!(status, 403, "{path}");
        assert!(detail.contains("lens.operate.enabled"), "{detail}");
    }
}

#[tokio::test]
async fn while_kafka_does_not_answer_the_problem_names_the_brokers_and_the_cause() {
    let (status, detail) = answer(true, "GET", "topics", "").await;
    assert_eq!(status, 503);
    assert!(detail.starts_with("no answer from Kafka at 127.0.0.1:"), "{detail}");
    assert!(detail.contains("Connection refused"), "{detail}");
}
