//! The third party, over HTTP.

use std::time::Duration;

use axum::http::StatusCode;
use chassis::{Error, Kind, http, retry::Backoff};
use proto::{
    limits::{CHARGE_ID, DECLINE_REASON},
    values::{Money, OrderId},
};
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep};

use crate::{
    domain::{Outcome, Voided},
    metrics::Metrics,
};

/// The first and the longest wait between attempts: most failures pass at once, so the first is at most 100 ms; a customer
/// hardly notices the longest.
const WAITS: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(1));

/// Entries in one page of the third party's ledger.
const LEDGER_PAGE: i64 = 100;

/// One charge in the third party's ledger.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Entry {
    /// Its number in the ledger.
    pub(crate) number: i64,
    /// The order that was charged.
    pub(crate) reference: String,
    pub(crate) charge_id: String,
    pub(crate) amount: i64,
    pub(crate) currency: String,
    pub(crate) refunded: bool,
}

/// A client of the third party.
#[derive(Clone)]
pub(crate) struct Provider {
    client: http::Client,
    attempts: u32,
    /// How long after the first attempt another one may begin. It is the time at which the last attempt would begin if all
    /// attempts and waits took their longest.
    attempt_until: Duration,
    metrics: Metrics,
}

#[derive(Serialize)]
struct Charge<'a> {
    /// Our reference in the third party's ledger: the order's id.
    reference: &'a str,
    amount: i64,
    currency: &'a str,
    token: &'a str,
}

#[derive(Serialize)]
struct Refund<'a> {
    charge_id: &'a str,
}

/// Empty: the key is a header.
#[derive(Serialize)]
struct Void {}

#[derive(Deserialize)]
struct VoidedCharge {
    charge_id: Option<String>,
}

#[derive(Serialize)]
struct Search {
    after: i64,
    limit: i64,
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
        let attempt_until = Self::longest(timeout, attempts).saturating_sub(timeout);
        Self { client, attempts, attempt_until, metrics }
    }

    /// The longest time that all attempts and waits may take with these limits.
    pub(crate) fn longest(timeout: Duration, attempts: u32) -> Duration {
        timeout * attempts + WAITS.1 * attempts.saturating_sub(1)
    }

    /// Charges an order, once however often it is requested with the same key.
    pub(crate) async fn charge(
        &self,
        key: &str,
        order: &OrderId,
        amount: &Money,
        token: &str,
    ) -> Result<Outcome, Error> {
        let charge = Charge {
            reference: order.as_str(),
            amount: amount.amount_minor(),
            currency: amount.currency().as_str(),
            token,
        };
        let no_response = || Ok(Outcome::NoResponse { key: key.to_owned() });
        let answer = match self.post("charge", "/charges", key, &charge).await {
            Ok(answer) => answer,
            Err(error) if error.postponed().is_some() => return Err(error),
            Err(error) if error.kind().is_temporary() => return no_response(),
            Err(error) => return Err(error),
        };
        match answer.status {
            StatusCode::PAYMENT_REQUIRED => Ok(Outcome::Declined { reason: reason(&answer) }),
            // A success without a valid charge id counts as no answer.
            status if status.is_success() => match charge_id(&answer) {
                Some(charge) => Ok(Outcome::Charged { charge }),
                None => no_response(),
            },
            status => Err(unexpected(status)),
        }
    }

    /// Voids the charge with this key: the third party refunds it, and makes no charge with the key later. Makes one attempt: the
    /// caller's timer makes the next.
    pub(crate) async fn void(&self, key: &str) -> Result<Voided, Error> {
        let result = self.client.post("/voids", key, &Void {}).await.and_then(final_answer);
        if result.as_ref().err().is_none_or(|error| error.postponed().is_none()) {
            self.count("void", &result);
        }
        let answer = result?;
        if !answer.status.is_success() {
            return Err(unexpected(answer.status));
        }
        match answer.json::<VoidedCharge>()?.charge_id {
            None => Ok(Voided::NotCharged),
            Some(charge) if CHARGE_ID.allows(&charge) => Ok(Voided::Refunded { charge }),
            Some(_) => {
                Err(Error::new(Kind::Internal, "the third party sent an invalid id of a charge"))
            }
        }
    }

    /// The page of the third party's ledger after the entry with this number; empty after the last.
    pub(crate) async fn ledger(&self, after: i64) -> Result<Vec<Entry>, Error> {
        let search = Search { after, limit: LEDGER_PAGE };
        let answer = self.client.post("/charges/search", "search", &search).await?;
        match answer.status {
            StatusCode::OK => answer.json(),
            StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => {
                Err(Error::new(Kind::Unimplemented, "the third party shows no ledger"))
            }
            status => Err(unexpected(status)),
        }
    }

    /// Refunds a charge.
    pub(crate) async fn refund(&self, key: &str, charge: &str) -> Result<(), Error> {
        let answer = self.post("refund", "/refunds", key, &Refund { charge_id: charge }).await?;
        if answer.status.is_success() { Ok(()) } else { Err(unexpected(answer.status)) }
    }

    /// Repeats the request until the answer is final or the attempts are used up; the key makes repetitions harmless. If the
    /// circuit breaker is open at the first attempt, returns its error. If it opens between two attempts, waits for it, but not
    /// beyond `attempt_until`: an order that gets no answer ends even while other orders keep the breaker open.
    async fn post(
        &self,
        operation: &'static str,
        path: &str,
        key: &str,
        body: &impl Serialize,
    ) -> Result<http::Answer, Error> {
        let mut backoff = Backoff::new(WAITS.0, WAITS.1);
        let mut left = self.attempts.max(1);
        let (began, mut last) = (Instant::now(), None);
        loop {
            let result = self.client.post(path, key, body).await.and_then(final_answer);
            if let Some(wait) = result.as_ref().err().and_then(Error::postponed) {
                match last {
                    None => return result,
                    Some(failure) if began.elapsed() + wait > self.attempt_until => return failure,
                    Some(_) => sleep(wait).await,
                }
                continue;
            }
            left -= 1;
            self.count(operation, &result);
            match result {
                Err(error) if error.kind().is_temporary() && left > 0 => {
                    last = Some(Err(error));
                    backoff.wait().await;
                }
                result => return result,
            }
        }
    }

    fn count(&self, operation: &'static str, result: &Result<http::Answer, Error>) {
        let outcome = outcome(result);
        self.metrics.provider_attempts_total.with_label_values(&[operation, outcome]).inc();
    }
}

/// The reason of a refusal; `unspecified` if it is not valid in our ledger.
fn reason(answer: &http::Answer) -> String {
    let reason = answer.json::<Declined>().map(|declined| declined.reason);
    reason.ok().filter(|word| DECLINE_REASON.allows(word)).unwrap_or_else(|| "unspecified".into())
}

fn charge_id(answer: &http::Answer) -> Option<String> {
    let charge = answer.json::<Charged>().ok()?.charge_id;
    CHARGE_ID.allows(&charge).then_some(charge)
}

/// Turns an answer that may change with a retry into an error.
fn final_answer(answer: http::Answer) -> Result<http::Answer, Error> {
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
