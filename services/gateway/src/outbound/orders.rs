//! gRPC `mesh.orders.v1.Orders`.

use std::time::{Duration, SystemTime};

use chassis::{Error, grpc::Channel};
use proto::orders::v1::{
    self as wire, CancelReason, CancelRequest, GetRequest, ListRequest, PlaceRequest,
    orders_client::OrdersClient,
};

use super::{broken, error, next_cursor};
use crate::{
    config::Customer,
    domain::Line,
    resources::{Item, Listing, Order, OrderPage, Reason, Status, Step},
};

/// Places orders and reads their state.
#[derive(Clone)]
pub(crate) struct Orders(OrdersClient<Channel>);

/// An order to be placed.
pub(crate) struct Placing {
    pub(crate) lines: Vec<Line>,
    pub(crate) payment_token: String,
    /// Makes the call repeatable.
    pub(crate) idempotency_key: String,
}

impl Orders {
    /// Calls may be retried: every call of the contract is idempotent.
    pub(crate) fn new(channel: Channel) -> Self {
        Self(OrdersClient::new(channel.idempotent()))
    }

    pub(crate) async fn place(
        &self,
        customer: &Customer,
        placing: Placing,
    ) -> Result<Order, Error> {
        let items = placing.lines.into_iter();
        let request = PlaceRequest {
            customer: customer.to_string(),
            items: items
                .map(|line| wire::Item { sku: line.sku, quantity: line.quantity, unit_price: None })
                .collect(),
            payment_token: placing.payment_token,
            idempotency_key: placing.idempotency_key,
        };
        let answer = self.0.clone().place(request).await.map_err(failed)?;
        whole(answer.into_inner().order)
    }

    pub(crate) async fn get(&self, customer: &Customer, order_id: &str) -> Result<Order, Error> {
        let request = GetRequest { customer: customer.to_string(), order_id: order_id.to_owned() };
        whole(self.0.clone().get(request).await.map_err(failed)?.into_inner().order)
    }

    /// A page of orders: all, or only those with this status.
    pub(crate) async fn list(
        &self,
        customer: &Customer,
        page: Listing,
        status: Option<Status>,
    ) -> Result<OrderPage, Error> {
        let request = ListRequest {
            customer: customer.to_string(),
            page_size: page.limit.unwrap_or_default(),
            page_token: page.cursor,
            status: status.map_or(wire::Status::Unspecified, wire::Status::from).into(),
        };
        let answer = self.0.clone().list(request).await.map_err(failed)?.into_inner();
        let items: Result<_, _> = answer.orders.into_iter().map(order).collect();
        Ok(OrderPage { items: items?, next_cursor: next_cursor(answer.next_page_token) })
    }

    pub(crate) async fn cancel(&self, customer: &Customer, order_id: &str) -> Result<Order, Error> {
        let request =
            CancelRequest { customer: customer.to_string(), order_id: order_id.to_owned() };
        whole(self.0.clone().cancel(request).await.map_err(failed)?.into_inner().order)
    }
}

fn failed(status: tonic::Status) -> Error {
    error("orders", status)
}

fn whole(wire: Option<wire::Order>) -> Result<Order, Error> {
    wire.ok_or_else(|| broken("orders", "no order")).and_then(order)
}

fn order(wire: wire::Order) -> Result<Order, Error> {
    let status =
        status(wire.status).ok_or_else(|| broken("orders", "a status that is not known here"))?;
    let reason = reason(wire.cancel_reason);
    let items: Result<_, _> = wire.items.into_iter().map(item).collect();
    let history: Option<Vec<_>> = wire.history.into_iter().map(step).collect();
    Ok(Order {
        id: wire.order_id,
        status,
        reason,
        customer: wire.customer,
        items: items?,
        total: wire.total.ok_or_else(|| broken("orders", "an order without a total"))?.into(),
        history: history.ok_or_else(|| broken("orders", "a step that is not known here"))?,
        trace_id: Some(wire.trace_id).filter(|id| !id.is_empty()),
    })
}

fn item(wire: wire::Item) -> Result<Item, Error> {
    let unit_price = wire.unit_price.ok_or_else(|| broken("orders", "an item without a price"))?;
    Ok(Item { sku: wire.sku, quantity: wire.quantity, unit_price: unit_price.into() })
}

fn step(wire: wire::Step) -> Option<Step> {
    Some(Step { status: status(wire.status)?, at: rfc3339(wire.at_us) })
}

/// `None` for a status that this build does not know.
pub(super) fn status(number: i32) -> Option<Status> {
    Some(match wire::Status::try_from(number).ok()? {
        wire::Status::Unspecified => return None,
        wire::Status::Placed => Status::Placed,
        wire::Status::Paid => Status::Paid,
        wire::Status::Dispatched => Status::Dispatched,
        wire::Status::Completed => Status::Completed,
        wire::Status::Cancelled => Status::Cancelled,
    })
}

impl From<Status> for wire::Status {
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

pub(super) fn reason(number: i32) -> Option<Reason> {
    Some(match CancelReason::try_from(number).ok()? {
        CancelReason::Unspecified => return None,
        CancelReason::PaymentDeclined => Reason::PaymentDeclined,
        CancelReason::PaymentUnavailable => Reason::PaymentUnavailable,
        CancelReason::Customer => Reason::Customer,
        CancelReason::ReservationExpired => Reason::ReservationExpired,
    })
}

/// The end of the year 9999: later times cannot be written in RFC 3339.
const LAST_SECOND: u64 = 253_402_300_799;

/// Formats microseconds since the epoch as RFC 3339.
pub(super) fn rfc3339(micros: i64) -> String {
    let since = Duration::from_micros(u64::try_from(micros).unwrap_or(0));
    let at = SystemTime::UNIX_EPOCH + since.min(Duration::from_secs(LAST_SECOND));
    humantime::format_rfc3339_micros(at).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_time_can_be_written() {
        assert_eq!(rfc3339(1_773_480_413_589_793), "2026-03-14T09:26:53.589793Z");
        assert_eq!(rfc3339(-1), "1970-01-01T00:00:00.000000Z");
        assert_eq!(rfc3339(i64::MAX), "9999-12-31T23:59:59.000000Z");
    }

    #[test]
    fn every_status_has_its_number() {
        for status in Status::ALL {
            assert_eq!(super::status(wire::Status::from(status).into()), Some(status));
        }
    }
}
