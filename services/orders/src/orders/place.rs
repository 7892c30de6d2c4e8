//! Placing an order: price, reserve, write.
//!
//! Until stock is reserved, a request may be dropped at any time. From then on the order is placed in a task of its own, which
//! outlives the request: it writes the order, or [abandons](super::abandon) it when its client has stopped trying.

use std::{sync::Arc, time::Duration};

use chassis::{
    Error as Remote, Kind, database, deadline,
    events::Publish,
    retry::Backoff,
    telemetry::{Kept, annotate},
};
use proto::limits::AMOUNT_MINOR;
use tokio::time::Instant;
use tracing::{info, instrument};

use super::{Error, Orders};
use crate::{
    domain::{Item, Order, Progress, Request, Status},
    events,
    outbound::Price,
    store::{self, Found},
};

/// The time limit of reserving, retries included: twice as long as the gateway waits for an order.
const RESERVING: Duration = Duration::from_secs(10);
/// How long writing an order is retried: as long again.
const WRITING: Duration = Duration::from_secs(10);
/// The first and the longest wait between attempts to write: the first is short, since most conflicts are over at once.
const WRITE_PAUSES: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(1));

impl Orders {
    /// Takes an order, or returns the existing order with the same idempotency key.
    #[instrument(name = "place order", skip_all, fields(order.id))]
    pub(crate) async fn place(self: &Arc<Self>, request: Request) -> Result<Order, Error> {
        let placed = self.place_once(request).await;
        if let Err(error) = &placed {
            self.metrics.orders_refused_total.with_label_values(&[error.word()]).inc();
        }
        placed
    }

    async fn place_once(self: &Arc<Self>, request: Request) -> Result<Order, Error> {
        let id = request.id();
        tracing::Span::current().record("order.id", &id);
        if let Some(found) = self.store.find(&id).await? {
            return same(found, &request);
        }
        if let Some(order) = self.placed_formerly(&request).await? {
            return Ok(order);
        }
        let prices = self.catalog.prices(&request.items).await?;
        let order = priced(id, &request, &prices)?;
        let orders = Arc::clone(self);
        let rest = async move { orders.reserve_and_write(order, &request).await };
        self.detached.run(rest).await?
    }

    /// The order that this customer placed with the same key while ids had their former format.
    async fn placed_formerly(&self, request: &Request) -> Result<Option<Order>, Error> {
        let (id, fingerprint) = request.former();
        match self.store.find(&id).await? {
            Some(Found::Order(order)) if order.customer == request.customer => {
                let is_same = order.fingerprint == fingerprint;
                if is_same { Ok(Some(*order)) } else { Err(Error::KeyReused) }
            }
            _ => Ok(None),
        }
    }

    /// Reserves stock first: if the process dies before the order is written, the reservation expires. In the other order,
    /// there might be no stock for a written order.
    async fn reserve_and_write(
        self: &Arc<Self>,
        order: Order,
        request: &Request,
    ) -> Result<Order, Error> {
        self.unwritten.attempt(&order.id);
        let reserve = self.inventory.reserve(&order.id, &request.customer, &request.items);
        let placed = match deadline::within(RESERVING, reserve).await.flatten() {
            Ok(()) => self.write(&order, request).await,
            Err(error) if is_refusal(error.kind()) => return Err(not_reserved(error)),
            // The stock may be held although the answer did not arrive.
            Err(error) => Err(Error::Remote(error)),
        };
        match &placed {
            Err(Error::Remote(error)) => self.abandon_later(order, error.kind().is_temporary()),
            Err(Error::Changed(_)) => self.abandon_later(order, true),
            _ => {}
        }
        placed
    }

    /// Writes the order. Retries while the database is unavailable, since the stock is held already.
    async fn write(&self, order: &Order, request: &Request) -> Result<Order, Error> {
        let until = Instant::now() + WRITING;
        let mut backoff = Backoff::new(WRITE_PAUSES.0, WRITE_PAUSES.1);
        loop {
            let error = match self.try_write(order, request).await {
                Err(Error::Database(error)) => Remote::from(error),
                written => return written,
            };
            if !error.kind().is_temporary() || Instant::now() >= until {
                return Err(Error::Remote(error));
            }
            backoff.wait().await;
        }
    }

    async fn try_write(&self, order: &Order, request: &Request) -> Result<Order, Error> {
        let mut tx = self.store.begin("insert order").await?;
        if !store::insert(&mut tx, order).await? {
            drop(tx);
            let found = self.store.find(&order.id).await?;
            return same(found.ok_or_else(|| Error::Changed(order.id.clone()))?, request);
        }
        tx.publish(&events::placed(order, &request.payment_token)).await?;
        tx.commit().await?;
        self.metrics.orders_placed_total.inc();
        self.metrics.orders_status_total.with_label_values(&[Status::Placed.word()]).inc();
        annotate("order.status", Status::Placed.word());
        info!(order.id = %order.id, total_minor = order.total_minor, lines = order.items.len(), "order placed");
        Ok(order.clone())
    }
}

/// Whether `inventory` answered that it holds no stock for this request.
fn is_refusal(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Invalid
            | Kind::NotFound
            | Kind::AlreadyExists
            | Kind::Precondition
            | Kind::Unauthenticated
            | Kind::Forbidden
            | Kind::Unimplemented
    )
}

/// The error of the order that follows from a refusal by `inventory`.
fn not_reserved(error: Remote) -> Error {
    match error.reason_word() {
        // Another request with this key reserved other lines, and may not have written its order yet.
        Some("OTHER_LINES_RESERVED") => Error::KeyReused,
        Some("RESERVATION_RELEASED") => Error::Abandoned,
        _ => Error::Remote(error),
    }
}

/// The existing order, if it belongs to the customer and was placed with the same request.
fn same(found: Found, request: &Request) -> Result<Order, Error> {
    match found {
        Found::Abandoned => Err(Error::Abandoned),
        Found::Order(order)
            if order.customer == request.customer && order.fingerprint == request.fingerprint() =>
        {
            Ok(*order)
        }
        Found::Order(_) => Err(Error::KeyReused),
    }
}

fn priced(id: String, request: &Request, prices: &[Price]) -> Result<Order, Error> {
    let currency = prices.first().map(|price| price.currency.clone()).unwrap_or_default();
    let mut wrong = Vec::new();
    let mut items = Vec::with_capacity(prices.len());
    let mut total_minor = 0_i64;
    for (index, ((sku, quantity), price)) in request.items.iter().zip(prices).enumerate() {
        if price.currency != currency {
            wrong.push((
                format!("items[{index}].sku"),
                format!("costs {}, others {currency}; order them apart", price.currency),
            ));
        }
        total_minor =
            total_minor.saturating_add(price.amount_minor.saturating_mul(i64::from(*quantity)));
        items.push(Item { sku: sku.clone(), quantity: *quantity, unit_minor: price.amount_minor });
    }
    if !AMOUNT_MINOR.contains(&total_minor) {
        wrong.push(("items".to_owned(), format!("cost more than {} together", AMOUNT_MINOR.end())));
    }
    if !wrong.is_empty() {
        return Err(Error::Malformed(wrong));
    }
    let story = Kept::current();
    Ok(Order {
        id,
        customer: request.customer.clone(),
        items,
        currency,
        total_minor,
        fingerprint: request.fingerprint(),
        traceparent: story.traceparent.unwrap_or_default(),
        tracestate: story.tracestate,
        baggage: story.baggage,
        progress: Progress::placed(database::now()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(items: &[(&str, u32)], key: &str) -> Request {
        let items = items.iter().map(|(sku, quantity)| ((*sku).to_owned(), *quantity)).collect();
        Request {
            customer: "ada".into(),
            items,
            payment_token: "tok_ok".into(),
            idempotency_key: key.into(),
        }
    }

    #[test]
    fn the_total_is_the_sum_of_the_lines() {
        let prices = [("EUR", 1999), ("EUR", 1)]
            .map(|(currency, amount_minor)| Price { currency: currency.into(), amount_minor });
        let order =
            priced("id".into(), &request(&[("teapot", 2), ("tea", 3)], "k"), &prices).unwrap();
        assert_eq!(order.total_minor, 4001);
    }

    #[test]
    fn one_order_has_one_currency() {
        let prices = [("EUR", 1), ("USD", 1)]
            .map(|(currency, amount_minor)| Price { currency: currency.into(), amount_minor });
        let refused = priced("id".into(), &request(&[("teapot", 2), ("tea", 3)], "k"), &prices);
        assert!(matches!(refused, Err(Error::Malformed(wrong)) if wrong[0].0 == "items[1].sku"));
    }
}
