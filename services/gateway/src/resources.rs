//! What the public API answers: the resources in REST answers and live events.

use proto::topics::event_types;
use serde::Serialize;
use utoipa::ToSchema;

use crate::limits;

/// An amount of money.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Money {
    /// The ISO 4217 code.
    #[schema(examples("EUR"))]
    pub(crate) currency: String,
    /// The amount in the currency's smallest unit: 1999 is 19.99 EUR.
    #[schema(examples(1999))]
    pub(crate) amount_minor: i64,
}

/// A product of the shop.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Product {
    /// The stock keeping unit: the product's key in orders.
    #[schema(examples("teapot"))]
    pub(crate) sku: String,
    /// Its name, for people.
    #[schema(examples("Cast-iron teapot"))]
    pub(crate) name: String,
    /// One or two sentences, for people.
    #[schema(examples("Keeps a litre of tea warm for an hour."))]
    pub(crate) description: String,
    /// The price of one piece.
    pub(crate) price: Money,
    /// The quantity that can be sold now; null if inventory did not answer in time.
    #[schema(examples(42), required, minimum = 0)]
    pub(crate) available: Option<i64>,
}

/// A page of products, in the order of their SKU.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct ProductPage {
    /// The products of this page.
    pub(crate) items: Vec<Product>,
    /// Where the next page begins: the parameter `cursor`; null on the last page.
    #[schema(examples("dGVhcG90"), required)]
    pub(crate) next_cursor: Option<String>,
}

/// The status of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[cfg_attr(test, derive(serde::Deserialize))]
#[serde(rename_all = "snake_case")]
pub(crate) enum Status {
    /// The order is accepted and its stock is reserved.
    Placed,
    /// The payment is authorized.
    Paid,
    /// The parcel left the warehouse.
    Dispatched,
    /// The parcel was delivered. This status is final.
    Completed,
    /// The order will not be delivered; its stock is released and its payment refunded. This status is final.
    Cancelled,
}

impl Status {
    pub(crate) const ALL: [Self; 5] =
        [Self::Placed, Self::Paid, Self::Dispatched, Self::Completed, Self::Cancelled];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Placed => "placed",
            Self::Paid => "paid",
            Self::Dispatched => "dispatched",
            Self::Completed => "completed",
            Self::Cancelled => "cancelled",
        }
    }

    /// The type of the event that reports it inside the mesh.
    pub(crate) fn event_type(self) -> &'static str {
        match self {
            Self::Placed => event_types::OrderPlaced,
            Self::Paid => event_types::OrderPaid,
            Self::Dispatched => event_types::OrderDispatched,
            Self::Completed => event_types::OrderCompleted,
            Self::Cancelled => event_types::OrderCancelled,
        }
    }

    pub(crate) fn is_final(self) -> bool {
        matches!(self, Self::Completed | Self::Cancelled)
    }
}

/// Why an order was cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[cfg_attr(test, derive(serde::Deserialize))]
#[serde(rename_all = "snake_case")]
pub(crate) enum Reason {
    /// The payment provider declined the payment.
    PaymentDeclined,
    /// The payment provider did not answer.
    PaymentUnavailable,
    /// The customer cancelled it.
    Customer,
    /// The reservation of the stock expired.
    ReservationExpired,
}

/// What is ordered of one product.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Item {
    /// The product.
    #[schema(examples("teapot"))]
    pub(crate) sku: String,
    /// The number of pieces.
    #[schema(value_type = limits::Quantity)]
    pub(crate) quantity: i32,
    /// The price of one piece when the order was placed.
    pub(crate) unit_price: Money,
}

/// One step in the history of an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Step {
    /// The status that the order took.
    pub(crate) status: Status,
    /// The time, RFC 3339.
    #[schema(examples("2026-03-14T09:26:53.589793Z"), format = DateTime)]
    pub(crate) at: String,
}

/// An order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Order {
    /// The id.
    #[schema(examples("6f0c9d9e-0d58-5e0c-9d54-1f5f0f6f2c11"), format = "uuid")]
    pub(crate) id: String,
    /// The present status.
    pub(crate) status: Status,
    /// Why it was cancelled, if it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(crate) reason: Option<Reason>,
    /// The customer who placed it.
    #[schema(examples("guest"))]
    pub(crate) customer: String,
    /// What is ordered.
    pub(crate) items: Vec<Item>,
    /// The total price.
    pub(crate) total: Money,
    /// The statuses that it has had, oldest first.
    #[schema(min_items = 1)]
    pub(crate) history: Vec<Step>,
    /// The trace of everything that happens to the order; null if it is not recorded.
    #[schema(examples("4bf92f3577b34da6a3ce929d0e0e4736"), required, pattern = "^[0-9a-f]{32}$")]
    pub(crate) trace_id: Option<String>,
}

/// A page of orders, newest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct OrderPage {
    /// The orders of this page.
    pub(crate) items: Vec<Order>,
    /// Where the next page begins: the parameter `cursor`; null on the last page.
    #[schema(examples("MTc3MzQ4MA"), required)]
    pub(crate) next_cursor: Option<String>,
}

/// A status that an order took: the data of a live `status` event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct StatusChange {
    /// The order's id.
    #[schema(examples("6f0c9d9e-0d58-5e0c-9d54-1f5f0f6f2c11"), format = "uuid")]
    pub(crate) id: String,
    /// The status it took.
    pub(crate) status: Status,
    /// Why it was cancelled, if it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(crate) reason: Option<Reason>,
    /// The time, RFC 3339.
    #[schema(examples("2026-03-14T09:26:53.589793Z"), format = DateTime)]
    pub(crate) at: String,
    /// The number of statuses that the order has had, this one included. It is also the event's id.
    #[schema(examples(2), minimum = 1)]
    pub(crate) revision: u32,
    /// The trace of everything that happens to the order, if it is recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(examples("4bf92f3577b34da6a3ce929d0e0e4736"), nullable = false)]
    pub(crate) trace_id: Option<String>,
}

/// Something else that happened to an order: the data of a live `activity` event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Activity {
    /// The type of the event inside the mesh.
    #[serde(rename = "type")]
    #[schema(examples("mesh.payments.v1.PaymentAuthorized"))]
    pub(crate) kind: String,
    /// The time, RFC 3339.
    #[schema(examples("2026-03-14T09:26:53.589793Z"), format = DateTime)]
    pub(crate) at: String,
}

/// Something that happened to an order: an item of a WebSocket's `updates`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[cfg_attr(test, derive(serde::Deserialize))]
pub(crate) struct OrderUpdate {
    /// The number of the update; left out in an order's history, which is read from `orders`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, examples(42))]
    pub(crate) seq: Option<u64>,
    /// The order's id.
    #[schema(examples("6f0c9d9e-0d58-5e0c-9d54-1f5f0f6f2c11"), format = "uuid")]
    pub(crate) order_id: String,
    /// The customer who placed it.
    #[schema(examples("guest"))]
    pub(crate) customer: String,
    /// The type of the event inside the mesh.
    #[serde(rename = "type")]
    #[schema(examples("mesh.orders.v1.OrderPaid"))]
    pub(crate) kind: String,
    /// When it happened, RFC 3339.
    #[schema(examples("2026-03-14T09:26:53.589793Z"), format = DateTime)]
    pub(crate) at: String,
    /// The status that the order took, if it took one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(crate) status: Option<Status>,
    /// Why it was cancelled, if it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(crate) reason: Option<Reason>,
    /// The number of statuses that the order has had, this one included, if it took one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, minimum = 1)]
    pub(crate) revision: Option<u32>,
    /// The span of the update's delivery to the gateway, for a client that continues the trace; left out in an order's history,
    /// and outside of a trace. <https://www.w3.org/TR/trace-context/#traceparent-header>
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(
        nullable = false,
        examples("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
    )]
    pub(crate) traceparent: Option<String>,
    /// The trace of everything that happens to the order, in an order's history, if it is recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, examples("4bf92f3577b34da6a3ce929d0e0e4736"))]
    pub(crate) trace_id: Option<String>,
}

impl OrderUpdate {
    /// A status from an order's history.
    pub(crate) fn of(order: &Order, step: &Step, revision: u32) -> Self {
        Self {
            seq: None,
            order_id: order.id.clone(),
            customer: order.customer.clone(),
            kind: step.status.event_type().to_owned(),
            at: step.at.clone(),
            status: Some(step.status),
            reason: order.reason.filter(|_| step.status == order.status),
            revision: Some(revision),
            traceparent: None,
            trace_id: order.trace_id.clone(),
        }
    }
}
