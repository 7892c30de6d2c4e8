//! Conversions between messages and domain types.

use chassis::telemetry;
use proto::{
    inventory::v1::{InventoryEvent, inventory_event},
    limits::{self, DEFAULT_PAGE},
    orders::v1::{
        CancelReason, Item as WireItem, ListRequest, ListResponse, Order as WireOrder,
        PlaceRequest, Status as WireStatus, Step as WireStep,
    },
    payments::v1::{PaymentEvent, payment_event},
    shipping::v1::{ShipmentEvent, shipment_event},
    values::{CustomerId, Money, OrderId, Timestamp},
};

use crate::{
    domain::{
        Fact, Item, Order, Page, Position, Reason, Report, Request, RequestedItem, Selection,
        Status,
    },
    error::Error,
};

impl TryFrom<PlaceRequest> for Request {
    type Error = Error;

    fn try_from(message: PlaceRequest) -> Result<Self, Error> {
        let items: Result<_, Error> = message.items.into_iter().map(TryInto::try_into).collect();
        Ok(Self {
            customer: message.customer.try_into()?,
            items: items?,
            payment_token: message.payment_token,
            idempotency_key: message.idempotency_key,
        })
    }
}

impl TryFrom<WireItem> for RequestedItem {
    type Error = Error;

    fn try_from(item: WireItem) -> Result<Self, Error> {
        Ok(Self { sku: item.sku.try_into()?, quantity: item.quantity.try_into()? })
    }
}

/// The customer and the order that a request names.
pub(crate) fn key(customer: String, order_id: String) -> Result<(CustomerId, OrderId), Error> {
    Ok((customer.try_into()?, order_id.try_into()?))
}

impl From<Order> for WireOrder {
    fn from(order: Order) -> Self {
        let progress = &order.progress;
        let history = progress.history.iter().map(|step| WireStep {
            status: wire_status(step.status).into(),
            at_us: step.at.into(),
        });
        Self {
            order_id: order.id.to_string(),
            customer: order.customer.to_string(),
            status: wire_status(progress.status()).into(),
            cancel_reason: wire_reason(progress.cancelled).into(),
            items: items(&order),
            total: Some(order.total.clone().into()),
            history: history.collect(),
            revision: progress.revision(),
            trace_id: trace_id(&order),
        }
    }
}

/// The items with their prices.
pub(crate) fn items(order: &Order) -> Vec<WireItem> {
    let currency = order.total.currency();
    let item = |Item { sku, quantity, unit_minor }: &Item| WireItem {
        sku: sku.to_string(),
        quantity: i32::from(*quantity),
        unit_price: Some(Money::stored(currency.to_string(), *unit_minor).into()),
    };
    order.items.iter().map(item).collect()
}

fn trace_id(order: &Order) -> String {
    let traceparent = order.trace.traceparent.as_deref().unwrap_or_default();
    telemetry::trace_id_of(traceparent).unwrap_or_default().to_owned()
}

fn wire_status(status: Status) -> WireStatus {
    match status {
        Status::Placed => WireStatus::Placed,
        Status::Paid => WireStatus::Paid,
        Status::Dispatched => WireStatus::Dispatched,
        Status::Completed => WireStatus::Completed,
        Status::Cancelled => WireStatus::Cancelled,
    }
}

pub(crate) fn wire_reason(reason: Option<Reason>) -> CancelReason {
    match reason {
        None => CancelReason::Unspecified,
        Some(Reason::PaymentDeclined) => CancelReason::PaymentDeclined,
        Some(Reason::PaymentUnavailable) => CancelReason::PaymentUnavailable,
        Some(Reason::Customer) => CancelReason::Customer,
        Some(Reason::ReservationExpired) => CancelReason::ReservationExpired,
    }
}

impl TryFrom<ListRequest> for Selection {
    type Error = Error;

    fn try_from(message: ListRequest) -> Result<Self, Error> {
        let size = if message.page_size == 0 { DEFAULT_PAGE } else { message.page_size };
        Ok(Self {
            customer: message.customer.try_into()?,
            status: status(message.status)?,
            after: position(&message.page_token)?,
            size: size.unsigned_abs() as usize,
        })
    }
}

/// The requested status; `None` for all.
fn status(number: i32) -> Result<Option<Status>, Error> {
    let requested = WireStatus::try_from(number)
        .map_err(|_| Error::field("status", format!("there is no status {number}")))?;
    Ok(Status::ALL.into_iter().find(|known| wire_status(*known) == requested))
}

impl From<Page> for ListResponse {
    fn from(Page { orders, next }: Page) -> Self {
        Self {
            orders: orders.into_iter().map(Into::into).collect(),
            next_page_token: next.as_ref().map(token).unwrap_or_default(),
        }
    }
}

/// A page token: when the last order of the page was placed, and its id.
fn token(Position { placed_at, id }: &Position) -> String {
    format!("{:x}.{id}", placed_at.as_micros())
}

fn position(token: &str) -> Result<Option<Position>, Error> {
    if token.is_empty() {
        return Ok(None);
    }
    let parts = token.split_once('.').and_then(|(time, id)| {
        let placed_at = Timestamp::from_micros(i64::from_str_radix(time, 16).ok()?);
        Some(Position { placed_at, id: id.try_into().ok()? })
    });
    parts.map(Some).ok_or_else(|| {
        Error::field("page_token", "is unknown; expected next_page_token of an earlier page".into())
    })
}

impl TryFrom<&PaymentEvent> for Report {
    type Error = Error;

    fn try_from(event: &PaymentEvent) -> Result<Self, Error> {
        limits::check(event)?;
        let fact = match event.event {
            Some(payment_event::Event::Authorized(_)) => Fact::PaymentAuthorized,
            Some(payment_event::Event::Declined(_)) => Fact::PaymentDeclined,
            Some(payment_event::Event::Failed(_)) => Fact::PaymentFailed,
            Some(payment_event::Event::Refunded(_)) | None => return Err(Error::NoFact),
        };
        report(&event.order_id, &event.customer, fact)
    }
}

impl TryFrom<&ShipmentEvent> for Report {
    type Error = Error;

    fn try_from(event: &ShipmentEvent) -> Result<Self, Error> {
        limits::check(event)?;
        let fact = match event.event {
            Some(shipment_event::Event::Dispatched(_)) => Fact::ShipmentDispatched,
            Some(shipment_event::Event::Delivered(_)) => Fact::ShipmentDelivered,
            Some(shipment_event::Event::Returned(_)) | None => return Err(Error::NoFact),
        };
        report(&event.order_id, &event.customer, fact)
    }
}

impl TryFrom<&InventoryEvent> for Report {
    type Error = Error;

    fn try_from(event: &InventoryEvent) -> Result<Self, Error> {
        limits::check(event)?;
        match event.event {
            Some(inventory_event::Event::ReservationExpired(_)) => {
                report(&event.order_id, &event.customer, Fact::ReservationExpired)
            }
            _ => Err(Error::NoFact),
        }
    }
}

fn report(order: &str, customer: &str, fact: Fact) -> Result<Report, Error> {
    Ok(Report { order: order.try_into()?, customer: customer.try_into()?, fact })
}
