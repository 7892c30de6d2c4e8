//! Conversions between the contract's messages and the domain's types.

use chassis::telemetry;
use proto::{
    limits::ORDER_ID,
    orders::v1::{CancelReason, Item, Order, PlaceRequest, Status as WireStatus, Step},
    types::v1::Money,
};
use tonic::Status;

use super::refused;
use crate::{
    domain::{self, Reason, Request},
    store::After,
};

pub(super) fn request(message: PlaceRequest) -> Result<Request, Status> {
    let mut items = Vec::with_capacity(message.items.len());
    for (index, item) in message.items.into_iter().enumerate() {
        let quantity = u32::try_from(item.quantity).map_err(|_| {
            refused(
                &format!("items[{index}].quantity"),
                format!("is {}; expected 1 to 100", item.quantity),
            )
        })?;
        items.push((item.sku, quantity));
    }
    let PlaceRequest { customer, payment_token, idempotency_key, .. } = message;
    Ok(Request { customer, items, payment_token, idempotency_key })
}

pub(super) fn order(order: &domain::Order) -> Order {
    let money = |amount_minor| Some(Money { currency: order.currency.clone(), amount_minor });
    let items = order.items.iter().map(|item| Item {
        sku: item.sku.clone(),
        quantity: i32::try_from(item.quantity).unwrap_or(i32::MAX),
        unit_price: money(item.unit_minor),
    });
    let progress = &order.progress;
    let history = progress
        .history
        .iter()
        .map(|step| Step { status: status(step.status).into(), at_us: step.at });
    Order {
        order_id: order.id.clone(),
        customer: order.customer.clone(),
        status: status(progress.status()).into(),
        cancel_reason: reason(progress.cancelled).into(),
        items: items.collect(),
        total: money(order.total_minor),
        history: history.collect(),
        revision: i32::try_from(progress.revision()).unwrap_or(i32::MAX),
        trace_id: telemetry::trace_id_of(&order.traceparent).unwrap_or_default().to_owned(),
    }
}

fn status(status: domain::Status) -> WireStatus {
    match status {
        domain::Status::Placed => WireStatus::Placed,
        domain::Status::Paid => WireStatus::Paid,
        domain::Status::Dispatched => WireStatus::Dispatched,
        domain::Status::Completed => WireStatus::Completed,
        domain::Status::Cancelled => WireStatus::Cancelled,
    }
}

pub(crate) fn reason(reason: Option<Reason>) -> CancelReason {
    match reason {
        None => CancelReason::Unspecified,
        Some(Reason::PaymentDeclined) => CancelReason::PaymentDeclined,
        Some(Reason::PaymentUnavailable) => CancelReason::PaymentUnavailable,
        Some(Reason::Customer) => CancelReason::Customer,
        Some(Reason::ReservationExpired) => CancelReason::ReservationExpired,
    }
}

/// The requested status; `None` for all.
pub(super) fn known_status(number: i32) -> Result<Option<domain::Status>, Status> {
    let asked = WireStatus::try_from(number)
        .map_err(|_| refused("status", format!("there is no status {number}")))?;
    Ok(domain::Status::ALL.into_iter().find(|known| status(*known) == asked))
}

/// A page token: the time of placing and the id of the last order of the page.
pub(super) fn token(order: &domain::Order) -> String {
    let placed_at = order.progress.history.first().map_or(0, |step| step.at);
    format!("{placed_at:x}.{}", order.id)
}

pub(super) fn after(token: &str) -> Result<Option<After>, Status> {
    if token.is_empty() {
        return Ok(None);
    }
    let parts = token.split_once('.');
    let after = parts.filter(|(_, id)| ORDER_ID.allows(id)).and_then(|(time, id)| {
        Some(After { placed_at: i64::from_str_radix(time, 16).ok()?, id: id.to_owned() })
    });
    after.map(Some).ok_or_else(|| {
        refused("page_token", "is none of ours; expected next_page_token of the page before".into())
    })
}
