//! Placing an order: price, reserve, write.
//!
//! Until stock is reserved, a request may be dropped at any time. From then on the order is placed in a task of its own, which
//! outlives the request: it writes the order, or [abandons](super::abandon) it when its client has stopped trying.

use std::{sync::Arc, time::Duration};

use chassis::{
    Error as Remote, Kind, deadline,
    events::Publish,
    retry::Backoff,
    telemetry::{Kept, annotate},
};
use proto::{
    limits::AMOUNT_MINOR,
    values::{Currency, Money, OrderId, Timestamp},
};
use tokio::time::Instant;
use tracing::{info, instrument};

use super::Orders;
use crate::{
    domain::{Item, Order, Progress, Request, Status},
    error::Error,
    events,
    store::Found,
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
            self.metrics.orders_refused_total.with_label_values(&[error.as_str()]).inc();
        }
        placed
    }

    async fn place_once(self: &Arc<Self>, request: Request) -> Result<Order, Error> {
        let id = request.id();
        tracing::Span::current().record("order.id", id.as_str());
        self.unwritten.attempt(&id);
        if let Some(found) = self.store.find(&id).await? {
            return existing(found, &request);
        }
        if let Some(order) = self.find_former(&request).await? {
            return Ok(order);
        }
        let prices = self.catalog.prices(&request.items).await?;
        let order = priced(id, &request, &prices)?;
        let orders = Arc::clone(self);
        let rest = async move { orders.reserve_and_write(order, &request).await };
        self.detached.run(rest).await?
    }

    /// The order that this customer placed with the same key while ids had their former format.
    async fn find_former(&self, request: &Request) -> Result<Option<Order>, Error> {
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
        let reserve = self.inventory.reserve(&order);
        let placed = match deadline::within(RESERVING, reserve).await.flatten() {
            Ok(()) => self.write(&order, request).await,
            Err(error) if is_refusal(error.kind()) => return Err(not_reserved(error)),
            // The stock may be held although the answer did not arrive.
            Err(error) => Err(Error::Remote(error)),
        };
        match &placed {
            Err(Error::Remote(error)) => self.abandon_later(order, error.kind().is_temporary()),
            Err(Error::Conflict(_)) => self.abandon_later(order, true),
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
        if !self.store.insert(&mut tx, order).await? {
            drop(tx);
            let found = self.store.find(&order.id).await?;
            return existing(found.ok_or_else(|| Error::Conflict(order.id.clone()))?, request);
        }
        tx.publish(&events::placed(order, &request.payment_token)).await?;
        annotate("order.status", Status::Placed.as_str());
        let (metrics, placed) = (self.metrics.clone(), order.clone());
        tx.after_commit(move || {
            metrics.orders_placed_total.inc();
            metrics.orders_status_total.with_label_values(&[Status::Placed.as_str()]).inc();
            let (total_minor, items) = (placed.total.amount_minor(), placed.items.len());
            info!(order.id = %placed.id, total_minor, items, "order placed");
        });
        tx.commit().await?;
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
fn existing(found: Found, request: &Request) -> Result<Order, Error> {
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

/// The order with its prices. All items must have the same currency.
fn priced(id: OrderId, request: &Request, prices: &[Money]) -> Result<Order, Error> {
    let currency = prices
        .first()
        .map_or_else(|| Currency::stored(String::new()), |price| price.currency().clone());
    let mut wrong = Vec::new();
    let mut items = Vec::with_capacity(prices.len());
    let mut total_minor = 0_i64;
    for (index, (item, price)) in request.items.iter().zip(prices).enumerate() {
        if *price.currency() != currency {
            wrong.push((
                format!("items[{index}].sku"),
                format!("costs {}, others {currency}; order them apart", price.currency()),
            ));
        }
        let unit_minor = price.amount_minor();
        let cost = unit_minor.saturating_mul(i64::from(item.quantity));
        total_minor = total_minor.saturating_add(cost);
        items.push(Item { sku: item.sku.clone(), quantity: item.quantity, unit_minor });
    }
    let total = Money::new(currency, total_minor).ok();
    if total.is_none() {
        wrong.push(("items".to_owned(), format!("cost more than {} together", AMOUNT_MINOR.end())));
    }
    let Some(total) = total.filter(|_| wrong.is_empty()) else {
        return Err(Error::Malformed(wrong));
    };
    Ok(Order {
        id,
        customer: request.customer.clone(),
        items,
        total,
        fingerprint: request.fingerprint(),
        trace: Kept::current(),
        progress: Progress::placed(Timestamp::now()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::RequestedItem;

    fn request(items: &[(&str, i64)]) -> Request {
        let items = items.iter().map(|(sku, quantity)| RequestedItem {
            sku: (*sku).try_into().unwrap(),
            quantity: (*quantity).try_into().unwrap(),
        });
        Request {
            customer: "ada".try_into().unwrap(),
            items: items.collect(),
            payment_token: "tok_ok".into(),
            idempotency_key: "k".into(),
        }
    }

    fn price(prices: [(&str, i64); 2]) -> Result<Order, Error> {
        let prices = prices.map(|(currency, minor)| Money::stored(currency.into(), minor));
        priced(OrderId::stored("id".into()), &request(&[("teapot", 2), ("tea", 3)]), &prices)
    }

    #[test]
    fn the_total_is_the_sum_of_the_items() {
        assert_eq!(price([("EUR", 1999), ("EUR", 1)]).unwrap().total.amount_minor(), 4001);
    }

    #[test]
    fn an_order_in_two_currencies_is_malformed() {
        let refused = price([("EUR", 1), ("USD", 1)]);
        assert!(matches!(refused, Err(Error::Malformed(wrong)) if wrong[0].0 == "items[1].sku"));
    }

    #[test]
    fn an_order_that_costs_more_than_the_largest_amount_is_malformed() {
        let refused = price([("EUR", *AMOUNT_MINOR.end()), ("EUR", 1)]);
        assert!(matches!(refused, Err(Error::Malformed(wrong)) if wrong[0].0 == "items"));
    }
}
