//! The third party, over HTTP.

use std::time::Duration;

use axum::http::StatusCode;
use chassis::{Error, Kind, http, retry::Backoff};
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep};

use crate::{
    domain::{Answer, Money},
    metrics::Metrics,
};

/// The first wait is at most 100 ms, since most of its mishaps are over at once; the longest is what a customer hardly notices.
const WAITS: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(1));

/// A way to the third party.
pub(crate) struct Provider {
    client: http::Client,
    attempts: u32,
    /// How long after an order was first asked for another attempt may begin: all end when all attempts would have.
    patience: Duration,
    metrics: Metrics,
}

#[derive(Serialize)]
struct Charge<'a> {
    amount: i64,
    currency: &'a str,
    token: &'a str,
}

#[derive(Serialize)]
struct Refund<'a> {
    charge_id: &'a str,
}

#[derive(Deserialize)]
struct Charged {
    charge_id: String,
}

#[derive(Deserialize)]
struct Declined {
    reason: String,
}

impl Provider {
    pub(crate) fn new(
        client: http::Client,
        timeout: Duration,
        attempts: u32,
        metrics: Metrics,
    ) -> Self {
        let patience = Self::longest(timeout, attempts).saturating_sub(timeout);
        Self { client, attempts, patience, metrics }
    }

    /// The longest that asking may take with these limits.
    pub(crate) fn longest(timeout: Duration, attempts: u32) -> Duration {
        timeout * attempts + WAITS.1 * attempts.saturating_sub(1)
    }

    /// Charges, once however often it is asked with the same key.
    pub(crate) async fn charge(
        &self,
        key: &str,
        amount: &Money,
        token: &str,
    ) -> Result<Answer, Error> {
        let charge = Charge { amount: amount.minor, currency: &amount.currency, token };
        let answer = match self.post("charge", "/charges", key, &charge).await {
            Ok(answer) => answer,
            Err(error) if error.postponed().is_some() => return Err(error),
            Err(error) if error.kind().is_temporary() => return Ok(Answer::Silence),
            Err(error) => return Err(error),
        };
        match answer.status {
            StatusCode::CREATED => {
                Ok(Answer::Charged { charge: answer.json::<Charged>()?.charge_id })
            }
            StatusCode::PAYMENT_REQUIRED => {
                Ok(Answer::Declined { reason: answer.json::<Declined>()?.reason })
            }
            status => Err(unexpected(status)),
        }
    }

    /// Gives a charge back.
    pub(crate) async fn refund(&self, key: &str, charge: &str) -> Result<(), Error> {
        let answer = self.post("refund", "/refunds", key, &Refund { charge_id: charge }).await?;
        if answer.status.is_success() { Ok(()) } else { Err(unexpected(answer.status)) }
    }

    /// Asks until there is an answer that will not change, or the attempts are used up: the key makes repeats harmless. Who
    /// finds the circuit breaker open is told to come again; if it opens between two attempts, they wait for it, but not for
    /// ever: a token that is never answered ends its order, whatever becomes of the others'.
    async fn post(
        &self,
        operation: &'static str,
        path: &str,
        key: &str,
        body: &impl Serialize,
    ) -> Result<http::Answer, Error> {
        let mut backoff = Backoff::new(WAITS.0, WAITS.1);
        let mut left = self.attempts.max(1);
        let (begun, mut last) = (Instant::now(), None);
        loop {
            let result = self.client.post(path, key, body).await.and_then(lasting);
            if let Some(wait) = result.as_ref().err().and_then(Error::postponed) {
                match last {
                    None => return result,
                    Some(failure) if begun.elapsed() + wait > self.patience => return failure,
                    Some(_) => sleep(wait).await,
                }
                continue;
            }
            left -= 1;
            self.metrics
                .provider_attempts_total
                .with_label_values(&[operation, outcome(&result)])
                .inc();
            match result {
                Err(error) if error.kind().is_temporary() && left > 0 => {
                    last = Some(Err(error));
                    backoff.wait().await;
                }
                result => return result,
            }
        }
    }
}

/// An answer that the third party would give again.
fn lasting(answer: http::Answer) -> Result<http::Answer, Error> {
    let kind = match answer.status {
        StatusCode::TOO_MANY_REQUESTS => Kind::Exhausted,
        status if status.is_server_error() => Kind::Unavailable,
        _ => return Ok(answer),
    };
    Err(Error::new(kind, format!("the third party answered {}", answer.status)))
}

fn unexpected(status: StatusCode) -> Error {
    Error::new(Kind::Internal, format!("the third party answered {status}, which it should not"))
}

fn outcome(result: &Result<http::Answer, Error>) -> &'static str {
    match result {
        Ok(answer) if answer.status.is_success() => "done",
        Ok(_) => "refused",
        Err(error) if error.kind() == Kind::DeadlineExceeded => "silent",
        Err(_) => "failing",
    }
}
