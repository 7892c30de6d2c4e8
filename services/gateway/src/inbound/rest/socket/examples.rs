//! An example of every message on `/api/live`, for its documentation: name and message.

use axum::http::StatusCode;
use chassis::http::Problem;
use serde_json::Value;

use super::{
    LONGEST_MESSAGE,
    messages::{ClientLimits, ClientMessage, Delivery, GapReason, Position, ServerMessage, Target},
};
use crate::resources::{OrderUpdate, Reason, Status};

const ORDER: &str = "6f0c9d9e-0d58-5e0c-9d54-1f5f0f6f2c11";
const EPOCH: &str = "b7c4e2f09a5d4f7e";
const NOW: f64 = 1_773_480_413_589.793;

fn written<T: serde::Serialize>(examples: Vec<(&'static str, T)>) -> Vec<(&'static str, Value)> {
    let written = |(name, message)| (name, serde_json::to_value(message).unwrap_or_default());
    examples.into_iter().map(written).collect()
}

/// What a client may send.
pub(crate) fn client_examples() -> Vec<(&'static str, Value)> {
    let subscribe = |id: &str, to, after| ClientMessage::Subscribe { id: id.into(), to, after };
    let after = Position { epoch: EPOCH.into(), seq: 41 };
    written(vec![
        ("to an order", subscribe("mine", Target::Order(ORDER.into()), None)),
        ("to a customer's orders", subscribe("guest", Target::Customer("guest".into()), None)),
        ("to everything", subscribe("all", Target::Everything(true), None)),
        ("after the last update", subscribe("all", Target::Everything(true), Some(after))),
        ("the end", ClientMessage::Unsubscribe { id: "all".into() }),
        ("the clock", ClientMessage::Ping { id: "7".into() }),
    ])
}

/// What the gateway may send.
pub(crate) fn server_examples() -> Vec<(&'static str, Value)> {
    let limits = ClientLimits {
        subscriptions: 32,
        message_bytes: LONGEST_MESSAGE,
        messages_per_second: 20,
        idle_ms: 60_000,
    };
    let gap = |reason: GapReason| ServerMessage::Gap {
        ids: vec!["all".into()],
        reason,
        advice: reason.advice().into(),
        seq: 44,
    };
    let problem = Problem::new(
        StatusCode::CONFLICT,
        "duplicate-subscription",
        "\"all\" is the id of an open subscription; use another one",
    );
    let updates = |updates| ServerMessage::Updates { updates };
    written(vec![
        (
            "the beginning",
            ServerMessage::Hello { epoch: EPOCH.into(), seq: 41, now_ms: NOW, limits },
        ),
        ("complete up to 42", ServerMessage::Subscribed { id: "all".into(), seq: 42 }),
        ("the end", ServerMessage::Unsubscribed { id: "all".into() }),
        ("live", updates(vec![live(42, Some(Status::Cancelled)), live(43, None)])),
        ("an order's history", updates(vec![history()])),
        ("another process", gap(GapReason::OtherProcess)),
        ("too long ago", gap(GapReason::TooOld)),
        ("missed by the gateway", gap(GapReason::Lapse)),
        ("the clock", ServerMessage::Pong { id: "7".into(), now_ms: NOW, seq: 42 }),
        ("refused", ServerMessage::Error { id: Some("all".into()), problem: Box::new(problem) }),
    ])
}

fn live(seq: u64, status: Option<Status>) -> Delivery {
    let kind = if status.is_some() {
        "mesh.orders.v1.OrderCancelled"
    } else {
        "mesh.payments.v1.PaymentRefunded"
    };
    let update = OrderUpdate {
        seq: Some(seq),
        order_id: ORDER.into(),
        customer: "guest".into(),
        kind: kind.into(),
        at: "2026-03-14T09:26:53.589793Z".into(),
        status,
        reason: status.map(|_| Reason::Customer),
        revision: status.map(|_| 3),
        traceparent: Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".into()),
        trace_id: None,
    };
    Delivery { ids: vec!["all".into()], update }
}

fn history() -> Delivery {
    let update = OrderUpdate {
        seq: None,
        kind: Status::Placed.event_type().into(),
        status: Some(Status::Placed),
        reason: None,
        revision: Some(1),
        traceparent: None,
        trace_id: Some("4bf92f3577b34da6a3ce929d0e0e4736".into()),
        ..live(0, None).update
    };
    Delivery { ids: vec!["mine".into()], update }
}
