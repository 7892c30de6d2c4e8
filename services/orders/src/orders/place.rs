//! Placing an order: check, price, reserve, write.

use std::collections::BTreeSet;

use chassis::{
    database,
    telemetry::{self, annotate},
};
use tracing::{info, instrument};
use uuid::Uuid;

use super::{Error, Orders};
use crate::{
    domain::{Item, Order, Progress, Status},
    events,
    outbound::Price,
    store::{self, Found},
};

/// Most lines of one order.
const MOST_ITEMS: usize = 50;
/// Most pieces of one product.
const MOST_PIECES: u32 = 100;
/// Longest idempotency key, in bytes.
const LONGEST_KEY: usize = 128;

/// What somebody wants to order.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) customer: String,
    pub(crate) items: Vec<(String, u32)>,
    pub(crate) payment_token: String,
    pub(crate) idempotency_key: String,
}

impl Request {
    /// The order's id: the same key is the same order, whichever replica takes it, however often.
    fn id(&self) -> String {
        let name = format!("{}\0{}", self.customer, self.idempotency_key);
        Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes()).to_string()
    }

    /// What the key stands for; a request with another content must not get this order.
    fn fingerprint(&self) -> String {
        Uuid::new_v5(
            &Uuid::NAMESPACE_OID,
            format!("{:?}\0{}", self.items, self.payment_token).as_bytes(),
        )
        .to_string()
    }

    /// All mistakes at once.
    fn check(&self) -> Result<(), Error> {
        let mut wrong = Vec::new();
        let mut tell = |field: &str, what: String| wrong.push((field.to_owned(), what));
        if self.items.is_empty() || self.items.len() > MOST_ITEMS {
            tell("items", format!("{} lines; expected 1 to {MOST_ITEMS}", self.items.len()));
        }
        let mut seen = BTreeSet::new();
        for (index, (sku, quantity)) in self.items.iter().enumerate() {
            if !(1..=MOST_PIECES).contains(quantity) {
                tell(
                    &format!("items[{index}].quantity"),
                    format!("is {quantity}; expected 1 to {MOST_PIECES}"),
                );
            }
            if !seen.insert(sku) {
                tell(
                    &format!("items[{index}].sku"),
                    format!("{sku:?} is there twice; add the quantities up"),
                );
            }
        }
        if self.payment_token.is_empty() {
            tell("payment_token", "is empty; expected a token of the payment provider".into());
        }
        let length = self.idempotency_key.len();
        if length == 0 || length > LONGEST_KEY {
            tell("idempotency_key", format!("has {length} bytes; expected 1 to {LONGEST_KEY}"));
        }
        if wrong.is_empty() { Ok(()) } else { Err(Error::Malformed(wrong)) }
    }
}

impl Orders {
    /// Takes an order, or returns the one that the idempotency key stands for.
    #[instrument(name = "place order", skip_all, fields(order.id))]
    pub(crate) async fn place(&self, request: &Request) -> Result<Order, Error> {
        let placed = self.place_once(request).await;
        if let Err(error) = &placed {
            self.metrics.orders_refused_total.with_label_values(&[error.word()]).inc();
        }
        placed
    }

    async fn place_once(&self, request: &Request) -> Result<Order, Error> {
        request.check()?;
        let id = request.id();
        tracing::Span::current().record("order.id", &id);
        if let Some(found) = self.store.find(&id).await? {
            return same(found, request);
        }
        let prices = self.catalog.prices(&request.items).await?;
        // Stock first: if we die before the order is written, the reservation expires; the other way round it would be owed.
        self.inventory.reserve(&id, &request.customer, &request.items).await?;
        let order = priced(id, request, &prices)?;
        let mut tx = self.store.begin("insert order").await?;
        if !store::insert(&mut tx, &order).await? {
            drop(tx);
            let found = self
                .store
                .find(&order.id)
                .await?
                .ok_or_else(|| Error::Changed(order.id.clone()))?;
            return same(found, request);
        }
        tx.publish(&events::placed(&order, &request.payment_token)).await?;
        tx.commit().await?;
        self.metrics.orders_placed_total.inc();
        self.metrics.orders_status_total.with_label_values(&[Status::Placed.word()]).inc();
        annotate("order.status", Status::Placed.word());
        info!(order.id = %order.id, total_minor = order.total_minor, lines = order.items.len(), "order placed");
        Ok(order)
    }
}

/// The order that was there, if it was placed with the same request.
fn same(found: Found, request: &Request) -> Result<Order, Error> {
    match found {
        Found::Abandoned => Err(Error::Abandoned),
        Found::Order(order) if order.fingerprint == request.fingerprint() => Ok(*order),
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
    if !wrong.is_empty() {
        return Err(Error::Malformed(wrong));
    }
    Ok(Order {
        id,
        customer: request.customer.clone(),
        items,
        currency,
        total_minor,
        fingerprint: request.fingerprint(),
        traceparent: telemetry::traceparent().unwrap_or_default(),
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
    fn a_key_stands_for_one_order_of_one_customer() {
        let (first, again) = (request(&[("teapot", 1)], "k"), request(&[("kettle", 2)], "k"));
        assert_eq!(first.id(), again.id());
        assert_ne!(first.fingerprint(), again.fingerprint());
        let other = Request { customer: "bob".into(), ..request(&[("teapot", 1)], "k") };
        assert_ne!(first.id(), other.id());
    }

    #[test]
    fn all_that_is_wrong_is_told_at_once() {
        let Err(Error::Malformed(wrong)) = request(&[("teapot", 0), ("teapot", 101)], "").check()
        else {
            panic!()
        };
        let fields: Vec<_> = wrong.iter().map(|(field, _)| field.as_str()).collect();
        assert_eq!(
            fields,
            ["items[0].quantity", "items[1].quantity", "items[1].sku", "idempotency_key"]
        );
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
