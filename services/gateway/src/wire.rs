//! Conversions between the public API and the services' contracts.

use std::time::{Duration, SystemTime};

use chassis::{Error, Kind};
use proto::{
    catalog::v1::{ListProductsRequest, Product as WireProduct},
    limits::{Limited, PAGE_SIZE, Violations},
    orders::v1::{self as orders, CancelReason, ListRequest, PlaceRequest},
    types::v1::Money as WireMoney,
    values::CustomerId,
};

use crate::{
    requests::{NewItem, Object, OrderQuery, PlaceOrder, ProductQuery},
    resources::{Item, Money, Order, Product, Reason, Status, Step},
};

/// The message for an order. The key makes the call repeatable.
///
/// # Errors
/// Names every part of the order that is wrong.
pub(crate) fn place(
    customer: &CustomerId,
    order: PlaceOrder,
    key: String,
) -> Result<PlaceRequest, Error> {
    let item = |Object(NewItem { sku, quantity }): Object<NewItem>| orders::Item {
        sku: sku.unwrap_or_default(),
        quantity: saturated(quantity.unwrap_or_default()),
        unit_price: None,
    };
    let request = PlaceRequest {
        customer: customer.to_string(),
        items: order.items.unwrap_or_default().into_iter().map(item).collect(),
        payment_token: order.payment_token.unwrap_or_default(),
        idempotency_key: key,
    };
    checked(request, Violations::at_most(MOST), "the order is invalid")
}

fn saturated(number: i64) -> i32 {
    i32::try_from(number).unwrap_or(if number < 0 { i32::MIN } else { i32::MAX })
}

/// The message for a list of products.
///
/// # Errors
/// Names every parameter that is wrong.
pub(crate) fn list_products(query: ProductQuery) -> Result<ListProductsRequest, Error> {
    let mut violations = Violations::at_most(MOST);
    let request = ListProductsRequest {
        page_size: page_size(query.limit, &mut violations),
        page_token: query.cursor.unwrap_or_default(),
        query: query.q.unwrap_or_default(),
    };
    checked(request, violations, INVALID_QUERY)
}

/// The message for a list of orders.
///
/// # Errors
/// Names every parameter that is wrong.
pub(crate) fn list_orders(customer: &CustomerId, query: OrderQuery) -> Result<ListRequest, Error> {
    let mut violations = Violations::at_most(MOST);
    let page_size = page_size(query.limit, &mut violations);
    let status = query.status.and_then(|word| {
        let status = Status::ALL.into_iter().find(|status| status.as_str() == word);
        if status.is_none() {
            let words = Status::ALL.map(Status::as_str).join(", ");
            violations.add("status", format!("{word:?} is no status; expected one of {words}"));
        }
        status
    });
    let request = ListRequest {
        customer: customer.to_string(),
        page_size,
        page_token: query.cursor.unwrap_or_default(),
        status: status.map_or(orders::Status::Unspecified, orders::Status::from).into(),
    };
    checked(request, violations, INVALID_QUERY)
}

const INVALID_QUERY: &str = "the query is invalid";

/// More than one request can break.
const MOST: usize = 200;

/// The size of a page; 0, which stands for the default, if the client names none.
fn page_size(limit: Option<String>, violations: &mut Violations) -> i32 {
    let Some(text) = limit else { return 0 };
    let number =
        text.parse().ok().filter(|number| *number > 0 && PAGE_SIZE.contains(&i64::from(*number)));
    number.unwrap_or_else(|| {
        violations.add("limit", format!("{text:?} is no limit; expected 1 to {}", PAGE_SIZE.end()));
        0
    })
}

/// The request, if it keeps its limits and has no other violation.
fn checked<M: Limited>(
    request: M,
    mut violations: Violations,
    invalid: &'static str,
) -> Result<M, Error> {
    request.limit(&mut violations);
    let found = violations.as_slice();
    if found.is_empty() {
        return Ok(request);
    }
    let error = Error::new(Kind::Invalid, invalid);
    Err(found.iter().fold(error, |error, one| error.field(&one.field, &one.message)))
}

pub(crate) fn product(wire: WireProduct) -> Result<Product, Error> {
    let price = wire.price.ok_or_else(|| broken("catalog", "a product without a price"))?;
    let WireProduct { sku, name, description, .. } = wire;
    Ok(Product { sku, name, description, price: price.into(), available: None })
}

pub(crate) fn order(wire: Option<orders::Order>) -> Result<Order, Error> {
    let broken = |what| broken("orders", what);
    let wire = wire.ok_or_else(|| broken("no order"))?;
    let items: Option<_> = wire.items.into_iter().map(item).collect();
    let history: Option<_> = wire.history.into_iter().map(step).collect();
    Ok(Order {
        id: wire.order_id,
        status: status(wire.status).ok_or_else(|| broken("an unknown status"))?,
        reason: reason(wire.cancel_reason),
        customer: wire.customer,
        items: items.ok_or_else(|| broken("an item without a price"))?,
        total: wire.total.ok_or_else(|| broken("an order without a total"))?.into(),
        history: history.ok_or_else(|| broken("an unknown status"))?,
        trace_id: Some(wire.trace_id).filter(|id| !id.is_empty()),
    })
}

fn item(wire: orders::Item) -> Option<Item> {
    Some(Item { sku: wire.sku, quantity: wire.quantity, unit_price: wire.unit_price?.into() })
}

fn step(wire: orders::Step) -> Option<Step> {
    Some(Step { status: status(wire.status)?, at: rfc3339(wire.at_us) })
}

/// An error for a service that broke its contract.
pub(crate) fn broken(service: &'static str, what: &'static str) -> Error {
    Error::new(Kind::Internal, format!("{service} sent {what}"))
}

/// The cursor of the next page; `None` if the token is empty.
pub(crate) fn next_cursor(token: String) -> Option<String> {
    Some(token).filter(|token| !token.is_empty())
}

/// `None` for a status that this build does not know.
pub(crate) fn status(number: i32) -> Option<Status> {
    Status::ALL.into_iter().find(|status| orders::Status::from(*status) as i32 == number)
}

impl From<Status> for orders::Status {
    fn from(status: Status) -> Self {
        match status {
            Status::Placed => Self::Placed,
            Status::Paid => Self::Paid,
            Status::Dispatched => Self::Dispatched,
            Status::Completed => Self::Completed,
            Status::Cancelled => Self::Cancelled,
        }
    }
}

/// `None` if there is no reason, or one that this build does not know.
pub(crate) fn reason(number: i32) -> Option<Reason> {
    Some(match CancelReason::try_from(number).ok()? {
        CancelReason::Unspecified => return None,
        CancelReason::PaymentDeclined => Reason::PaymentDeclined,
        CancelReason::PaymentUnavailable => Reason::PaymentUnavailable,
        CancelReason::Customer => Reason::Customer,
        CancelReason::ReservationExpired => Reason::ReservationExpired,
    })
}

impl From<WireMoney> for Money {
    fn from(wire: WireMoney) -> Self {
        Self { currency: wire.currency, amount_minor: wire.amount_minor }
    }
}

/// The end of the year 9999: later times cannot be written in RFC 3339.
const LAST_SECOND: u64 = 253_402_300_799;

/// Formats microseconds since the epoch as RFC 3339.
pub(crate) fn rfc3339(micros: i64) -> String {
    let since = Duration::from_micros(u64::try_from(micros).unwrap_or(0));
    let at = SystemTime::UNIX_EPOCH + since.min(Duration::from_secs(LAST_SECOND));
    humantime::format_rfc3339_micros(at).to_string()
}

#[cfg(test)]
#[path = "wire/tests.rs"]
mod tests;
