//! The gateway, as its customers use it.

use std::{
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    time::{Duration, SystemTime},
};

use anyhow::{Context, ensure};
use reqwest::StatusCode;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::json;

use super::tracker::Outcome;

/// One gateway, or several replicas in turn. Connections are kept open.
pub(super) struct Gateway {
    client: reqwest::Client,
    bases: Vec<String>,
    next: AtomicUsize,
}

/// The result of placing an order.
pub(super) enum Answer {
    Accepted(String),
    /// The status code, or a word.
    Refused(String),
}

#[derive(Deserialize)]
struct Page<T> {
    items: Vec<T>,
    next_cursor: Option<String>,
}

#[derive(Deserialize)]
struct Product {
    sku: String,
    available: Option<i64>,
}

#[derive(Deserialize)]
struct Accepted {
    id: String,
}

/// The parts of an order that a load needs.
#[derive(Debug, Deserialize)]
pub(super) struct Order {
    pub(super) id: String,
    status: String,
    #[serde(default)]
    history: Vec<Step>,
}

#[derive(Debug, Deserialize)]
struct Step {
    status: String,
    at: String,
}

/// The timeout of a request; the gateway's own limit is shorter.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// Products with less stock are not ordered: they are left to users who want to see a product sell out.
const PLENTY: i64 = 100;
/// The longest page that the gateway serves.
const PAGE: usize = 100;

impl Gateway {
    pub(super) fn new(bases: Vec<String>) -> anyhow::Result<Self> {
        ensure!(!bases.is_empty(), "no gateway to send orders to");
        let client = reqwest::Client::builder()
            .no_proxy()
            .timeout(REQUEST_TIMEOUT)
            .tcp_nodelay(true)
            .build()?;
        let bases = bases.into_iter().map(|base| base.trim_end_matches('/').to_owned()).collect();
        Ok(Self { client, bases, next: AtomicUsize::new(0) })
    }

    fn base(&self) -> &str {
        &self.bases[self.next.fetch_add(1, Relaxed) % self.bases.len()]
    }

    /// Places an order for one piece.
    pub(super) async fn place(&self, sku: &str, token: &str) -> Answer {
        let order = json!({ "items": [{ "sku": sku, "quantity": 1 }], "payment_token": token });
        let key = uuid::Uuid::new_v4().to_string();
        let request =
            self.client.post(format!("{}/api/orders", self.base())).header("idempotency-key", key);
        let answer = match request.json(&order).send().await {
            Ok(answer) => answer,
            Err(error) => return Answer::Refused(broken(&error).into()),
        };
        match answer.status() {
            StatusCode::ACCEPTED => match answer.json::<Accepted>().await {
                Ok(accepted) => Answer::Accepted(accepted.id),
                Err(error) => Answer::Refused(broken(&error).into()),
            },
            status => {
                // The connection can be reused once the body was read to its end.
                answer.bytes().await.ok();
                Answer::Refused(status.as_u16().to_string())
            }
        }
    }

    /// The products that are in stock and will not be sold out by this load. Fails if the stock of a product is unknown: while
    /// inventory is away, the gateway shows products without it.
    pub(super) async fn in_stock(&self) -> anyhow::Result<Vec<String>> {
        let mut skus = Vec::new();
        let mut cursor = None;
        loop {
            let query = [("limit", PAGE.to_string())]
                .into_iter()
                .chain(cursor.map(|cursor| ("cursor", cursor)));
            let page: Page<Product> = self.get("/api/products", &query.collect::<Vec<_>>()).await?;
            skus.extend(plenty(page.items)?);
            cursor = page.next_cursor;
            if cursor.is_none() {
                return Ok(skus);
            }
        }
    }

    /// Reads one order; `None` if it does not exist.
    pub(super) async fn order(&self, id: &str) -> anyhow::Result<Option<Order>> {
        let request = self.client.get(format!("{}/api/orders/{id}", self.base()));
        let answer = request.header("traceparent", unsampled()).send().await?;
        if answer.status() == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        Ok(Some(answer.error_for_status()?.json().await?))
    }

    /// The newest orders with this outcome.
    pub(super) async fn newest(&self, outcome: Outcome) -> anyhow::Result<Vec<Order>> {
        let status = outcome_label(outcome).to_owned();
        let page: Page<Order> =
            self.get("/api/orders", &[("limit", PAGE.to_string()), ("status", status)]).await?;
        Ok(page.items)
    }

    async fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, String)],
    ) -> anyhow::Result<T> {
        // All values need no escaping: they are our own words, or cursors, which are made for URLs.
        let query: Vec<_> = query.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let url = format!("{}{path}?{}", self.base(), query.join("&"));
        let request = self.client.get(&url).header("traceparent", unsampled());
        let answer = request.send().await.with_context(|| format!("no answer from {url}"))?;
        let answer = answer.error_for_status()?;
        answer.json().await.with_context(|| format!("{url} does not answer as our gateway does"))
    }
}

/// The word for an error without a status code.
fn broken(error: &reqwest::Error) -> &'static str {
    if error.is_timeout() {
        "no answer in time"
    } else if error.is_connect() {
        "no connection"
    } else if error.is_decode() {
        "not an order"
    } else {
        "connection lost"
    }
}

/// Whether the error may go away once the mesh has started. An answer as from another server, or a final refusal, does not.
pub(super) fn may_pass(error: &anyhow::Error) -> bool {
    let http = error.chain().find_map(|cause| cause.downcast_ref::<reqwest::Error>());
    http.is_none_or(|error| {
        let is_refused = error.status().is_some_and(|status| status.is_client_error());
        !(is_refused || error.is_decode() || error.is_builder())
    })
}

/// The trace context of requests with which a load checks its orders: backends that keep the latest traces should keep orders.
///
/// <https://www.w3.org/TR/trace-context/#traceparent-header>; the ids must not be zero.
fn unsampled() -> String {
    format!("00-{:032x}-{:016x}-00", rand::random::<u128>() | 1, rand::random::<u64>() | 1)
}

fn outcome_label(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Completed => "completed",
        Outcome::Cancelled => "cancelled",
    }
}

impl Order {
    /// How and when the order ended; `None` if it is open.
    pub(super) fn end(&self) -> Option<(Outcome, SystemTime)> {
        let outcome = [Outcome::Completed, Outcome::Cancelled]
            .into_iter()
            .find(|one| outcome_label(*one) == self.status)?;
        let step = self.history.iter().rev().find(|step| step.status == self.status);
        let at = step
            .and_then(|step| humantime::parse_rfc3339(&step.at).ok())
            .unwrap_or_else(SystemTime::now);
        Some((outcome, at))
    }
}

/// The products that a load will not sell out.
fn plenty(products: Vec<Product>) -> anyhow::Result<Vec<String>> {
    let mut skus = Vec::new();
    for Product { sku, available } in products {
        let available = available.with_context(|| {
            format!("what is available of {sku:?} is not known: is inventory up?")
        })?;
        if available >= PLENTY {
            skus.push(sku);
        }
    }
    Ok(skus)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn products(available: Option<i64>) -> Vec<Product> {
        let sold_out = Product { sku: "lantern".into(), available: Some(0) };
        vec![sold_out, Product { sku: "teapot".into(), available }]
    }

    /// Version, trace, parent, flags: no id is zero, and the flag `sampled` is not set.
    #[test]
    fn what_load_asks_for_itself_is_not_sampled() {
        let header = unsampled();
        let [version, trace, parent, flags] = header.split('-').collect::<Vec<_>>()[..] else {
            panic!("{header}");
        };
        assert_eq!((version, trace.len(), parent.len(), flags), ("00", 32, 16, "00"));
        for id in [trace, parent] {
            assert_ne!(u128::from_str_radix(id, 16).unwrap(), 0);
        }
    }

    #[test]
    fn what_is_not_known_to_be_there_is_not_taken_for_sold_out() {
        assert_eq!(plenty(products(Some(PLENTY))).unwrap(), ["teapot"]);
        let error = plenty(products(None)).unwrap_err().to_string();
        assert!(error.contains("teapot") && error.contains("inventory"), "{error}");
    }

    #[test]
    fn an_order_tells_how_and_when_it_ended() {
        let order: Order =
            serde_json::from_value(json!({ "id": "o-1", "status": "completed", "history": [
                { "status": "placed", "at": "2026-01-02T12:00:01Z" },
                { "status": "completed", "at": "2026-01-02T12:00:02.5Z" },
            ]}))
            .unwrap();
        let (outcome, at) = order.end().unwrap();
        assert_eq!(outcome, Outcome::Completed);
        assert_eq!(humantime::format_rfc3339_millis(at).to_string(), "2026-01-02T12:00:02.500Z");
        let open: Order = serde_json::from_value(json!({ "id": "o-1", "status": "paid" })).unwrap();
        assert!(open.end().is_none());
    }
}
