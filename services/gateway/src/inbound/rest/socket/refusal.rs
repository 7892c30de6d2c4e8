//! Messages of a client that are refused: each refusal names what was sent, the limit, and what to do.

use axum::http::StatusCode;
use chassis::http::Problem;

use super::messages::ClientMessage;
use crate::{limits::SUBSCRIPTION_ID, requests::Object};

/// A refused message.
pub(super) struct Refusal {
    /// How it is counted.
    pub(super) label: &'static str,
    /// The subscription that it named.
    pub(super) id: Option<String>,
    pub(super) problem: Box<Problem>,
}

impl Refusal {
    pub(super) fn new(
        label: &'static str,
        status: StatusCode,
        word: &str,
        detail: impl Into<String>,
    ) -> Self {
        Self { label, id: None, problem: Box::new(Problem::new(status, word, detail)) }
    }

    pub(super) fn of(mut self, id: &str) -> Self {
        self.id = SUBSCRIPTION_ID.allows(id).then(|| id.to_owned());
        self
    }

    pub(super) fn rate(per_second: u32) -> Self {
        let detail =
            format!("more than {per_second} messages a second; send fewer, or wait in between");
        Self::new("rate", StatusCode::TOO_MANY_REQUESTS, "too-many-messages", detail)
    }

    pub(super) fn subscriptions(most: usize) -> Self {
        let detail = format!(
            "{most} subscriptions are open, the most of a connection; unsubscribe from one, or subscribe to a customer's orders"
        );
        Self::new("subscriptions", StatusCode::TOO_MANY_REQUESTS, "too-many-subscriptions", detail)
    }

    pub(super) fn duplicate(id: &str) -> Self {
        let detail = format!("{id:?} is the id of an open subscription; use another one");
        Self::new("duplicate", StatusCode::CONFLICT, "duplicate-subscription", detail).of(id)
    }

    pub(super) fn unknown(id: &str) -> Self {
        let detail = format!("{id:?} is the id of no open subscription");
        Self::new("unknown", StatusCode::NOT_FOUND, "unknown-subscription", detail).of(id)
    }

    pub(super) fn invalid(id: &str, field: &str, complaint: impl Into<String>) -> Self {
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        let refusal = Self::new("invalid", status, "invalid-argument", "the message is invalid");
        let problem = Box::new(refusal.problem.field(field, complaint));
        Self { label: refusal.label, id: None, problem }.of(id)
    }
}

/// Reads a message.
pub(super) fn parse(text: &str) -> Result<ClientMessage, Refusal> {
    let Object(message) = serde_json::from_str(text).map_err(|error| malformed(text, &error))?;
    match &message {
        ClientMessage::Subscribe { id, .. } | ClientMessage::Unsubscribe { id } => {
            match SUBSCRIPTION_ID.complaint(id) {
                Some(complaint) => Err(Refusal::invalid(id, "id", complaint)),
                None => Ok(message),
            }
        }
        ClientMessage::Ping { id } if id.chars().count() > LONGEST_PING => {
            let complaint =
                format!("has {} characters; expected at most {LONGEST_PING}", id.chars().count());
            Err(Refusal::invalid(id, "id", complaint))
        }
        ClientMessage::Ping { .. } => Ok(message),
    }
}

/// The most characters of a ping's id.
const LONGEST_PING: usize = 64;

fn malformed(text: &str, error: &serde_json::Error) -> Refusal {
    let detail = format!("{error}; /asyncapi.json has an example of every message");
    let (status, word) = match error.classify() {
        serde_json::error::Category::Data => (StatusCode::UNPROCESSABLE_ENTITY, "invalid-message"),
        _ => (StatusCode::BAD_REQUEST, "malformed-json"),
    };
    let sent: serde_json::Value = serde_json::from_str(text).unwrap_or_default();
    Refusal::new("malformed", status, word, detail).of(sent["id"].as_str().unwrap_or_default())
}
