//! A simulated third party, behind a real HTTP hop, so that time limits, retries and client metrics are real.
//!
//! | token | what happens to a charge |
//! |---|---|
//! | `tok_ok` | made |
//! | `tok_declined` | refused: `insufficient_funds` |
//! | `tok_slow` | made after 3 s |
//! | `tok_flaky` | fails twice, then is made |
//! | `tok_down` | not made, and no answer for a minute |
//! | `tok_lost` | made, and no answer for a minute |
//! | any other | refused: `unknown_token` |
//!
//! A charge is idempotent by the header `idempotency-key`: its id follows from the key, and so survives a restart. `POST
//! /voids` refunds the charge with the key, if there is one, and refuses later charges with it: `voided`. `POST
//! /charges/search` returns the ledger, which is in memory: the latest 20,000 charges since the start.

mod ledger;

use std::{collections::HashMap, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::post,
};
use chassis::http::{Json, Problem};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio::{net::TcpListener, time::sleep};
use uuid::Uuid;

use ledger::Ledger;

/// How long `tok_slow` takes: long enough to delay the following events, short enough to be waited for.
const SLOW: Duration = Duration::from_secs(3);

/// How long `tok_down` and `tok_lost` get no answer: longer than any client waits. It ends, since the connection of a client that
/// has left is held as long.
const NO_ANSWER: Duration = Duration::from_secs(60);

/// The most connections: more than `payments` has charges in flight, including those that it has given up.
const CONNECTIONS: usize = 1024;

/// How often `tok_flaky` fails.
const FLAKES: u32 = 2;

/// The most keys whose failures are counted. A key that the client gives up is never removed; beyond the limit all are
/// forgotten.
const FLAKY_KEYS: usize = 10_000;

/// The namespace of charge ids, which are made from keys.
const CHARGES: Uuid = Uuid::from_u128(0x8f0c_5b0e_6a52_4c7c_9a53_2d7b_1f0e_4d11);

#[derive(Deserialize)]
struct Charge {
    reference: String,
    amount: i64,
    currency: String,
    token: String,
}

#[derive(Deserialize)]
struct Search {
    after: u64,
    limit: usize,
}

#[derive(Serialize)]
struct Voided {
    /// The charge that was refunded; `null` if nothing was charged.
    charge_id: Option<Uuid>,
}

#[derive(Deserialize)]
struct Refund {
    charge_id: Uuid,
}

#[derive(Serialize)]
struct Charged {
    charge_id: Uuid,
}

#[derive(Serialize)]
struct Declined {
    reason: &'static str,
}

struct Simulator {
    delay: Duration,
    failures: Mutex<HashMap<String, u32>>,
    ledger: Mutex<Ledger>,
}

/// Serves until the future is dropped.
pub(crate) async fn serve(listener: TcpListener, delay: Duration) -> anyhow::Result<()> {
    chassis::http::serve_router(listener, router(delay), CONNECTIONS).await;
    Ok(())
}

fn router(delay: Duration) -> Router {
    let simulator = Simulator { delay, failures: Mutex::default(), ledger: Mutex::default() };
    Router::new()
        .route("/charges", post(charge))
        .route("/charges/search", post(search))
        .route("/refunds", post(refund))
        .route("/voids", post(void))
        .with_state(Arc::new(simulator))
}

async fn charge(
    State(simulator): State<Arc<Simulator>>,
    headers: HeaderMap,
    Json(charge): Json<Charge>,
) -> Response {
    let Some(key) = key_of(&headers) else { return no_key() };
    sleep(simulator.delay).await;
    match &*charge.token {
        _ if charge.amount <= 0 => return decline("invalid_amount"),
        "tok_ok" => {}
        "tok_slow" => sleep(SLOW).await,
        "tok_flaky" if simulator.fails(key) => {
            return StatusCode::SERVICE_UNAVAILABLE.into_response();
        }
        "tok_flaky" => {}
        "tok_down" => return no_answer().await,
        "tok_lost" => {
            simulator.charge(key, &charge);
            return no_answer().await;
        }
        "tok_declined" => return decline("insufficient_funds"),
        _ => return decline("unknown_token"),
    }
    match simulator.charge(key, &charge) {
        Some(charge_id) => (StatusCode::CREATED, Json(Charged { charge_id })).into_response(),
        None => decline("voided"),
    }
}

async fn refund(
    State(simulator): State<Arc<Simulator>>,
    Json(refund): Json<Refund>,
) -> Json<Charged> {
    simulator.ledger.lock().refund(refund.charge_id);
    Json(Charged { charge_id: refund.charge_id })
}

async fn void(State(simulator): State<Arc<Simulator>>, headers: HeaderMap) -> Response {
    let Some(key) = key_of(&headers) else { return no_key() };
    let charge_id = simulator.ledger.lock().void(charge_id(key));
    Json(Voided { charge_id }).into_response()
}

async fn search(
    State(simulator): State<Arc<Simulator>>,
    Json(search): Json<Search>,
) -> Json<Vec<ledger::Entry>> {
    Json(simulator.ledger.lock().after(search.after, search.limit))
}

async fn no_answer() -> Response {
    sleep(NO_ANSWER).await;
    StatusCode::GATEWAY_TIMEOUT.into_response()
}

fn key_of(headers: &HeaderMap) -> Option<&str> {
    headers.get("idempotency-key").and_then(|key| key.to_str().ok())
}

fn no_key() -> Response {
    let detail = "the header idempotency-key is missing";
    Problem::new(StatusCode::BAD_REQUEST, "no-key", detail).into_response()
}

fn charge_id(key: &str) -> Uuid {
    Uuid::new_v5(&CHARGES, key.as_bytes())
}

fn decline(reason: &'static str) -> Response {
    (StatusCode::PAYMENT_REQUIRED, Json(Declined { reason })).into_response()
}

impl Simulator {
    /// `None` if the key was voided.
    fn charge(&self, key: &str, charge: &Charge) -> Option<Uuid> {
        let made = ledger::Made {
            charge_id: charge_id(key),
            reference: charge.reference.clone(),
            amount: charge.amount,
            currency: charge.currency.clone(),
        };
        self.ledger.lock().charge(key, made)
    }

    /// Whether this request with the key fails.
    fn fails(&self, key: &str) -> bool {
        let mut failures = self.failures.lock();
        if failures.len() >= FLAKY_KEYS {
            failures.clear();
        }
        let failed = failures.entry(key.to_owned()).or_default();
        *failed += 1;
        let fails = *failed <= FLAKES;
        if !fails {
            failures.remove(key);
        }
        fails
    }
}
