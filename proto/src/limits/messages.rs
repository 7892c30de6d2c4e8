//! Which field of which message has which limit.

use std::{collections::HashMap, fmt::Display};

use super::{
    AMOUNT_MINOR, CHARGE_ID, CURRENCY, CUSTOMER, DECLINE_REASON, EVENT_TYPE, IDEMPOTENCY_KEY,
    ITEMS, Limited, ORDER_ID, PAGE_SIZE, PAGE_TOKEN, PAYMENT_TOKEN, QUANTITY, QUERY, REVISION, SKU,
    SKUS, TIME_US, Violations,
};
use crate::{
    catalog::v1::{GetProductRequest, GetProductsRequest, ListProductsRequest},
    inventory::v1::{
        GetAvailabilityRequest, InventoryEvent, ListReservationsRequest, ReserveRequest,
    },
    notifications::v1::{LiveUpdate, StatusChange},
    orders::v1::{
        CancelRequest, GetRequest, Item, ListAllRequest, ListRequest, OrderEvent, OrderPlaced,
        PlaceRequest, Status, order_event,
    },
    payments::v1::{
        ListChargesRequest, ListPaymentsRequest, PaymentAuthorized, PaymentDeclined, PaymentEvent,
        PaymentRefunded, payment_event,
    },
    shipping::v1::{ListShipmentsRequest, ShipmentEvent},
    types::v1::Money,
};

macro_rules! without_fields {
    ($($message:ident),+ $(,)?) => {
        $(impl Limited for $message {
            fn limit(&self, _: &mut Violations) {}
        })+
    };
}

without_fields!(
    ListAllRequest,
    ListReservationsRequest,
    ListPaymentsRequest,
    ListChargesRequest,
    ListShipmentsRequest,
);

impl Limited for ListProductsRequest {
    fn limit(&self, violations: &mut Violations) {
        violations.number("page_size", self.page_size.into(), &PAGE_SIZE);
        violations.optional("page_token", &self.page_token, &PAGE_TOKEN);
        violations.optional("query", &self.query, &QUERY);
    }
}

impl Limited for GetProductRequest {
    fn limit(&self, violations: &mut Violations) {
        violations.text("sku", &self.sku, &SKU);
    }
}

impl Limited for GetProductsRequest {
    fn limit(&self, violations: &mut Violations) {
        skus(&self.skus, violations);
    }
}

impl Limited for GetAvailabilityRequest {
    fn limit(&self, violations: &mut Violations) {
        skus(&self.skus, violations);
    }
}

fn skus(skus: &[String], violations: &mut Violations) {
    for (index, sku) in violations.list("skus", skus, &SKUS).iter().enumerate() {
        violations.text(format_args!("skus[{index}]"), sku, &SKU);
    }
}

impl Limited for ReserveRequest {
    fn limit(&self, violations: &mut Violations) {
        violations.text("order_id", &self.order_id, &ORDER_ID);
        violations.text("customer", &self.customer, &CUSTOMER);
        let wanted = violations.list("items", &self.items, &ITEMS);
        let wanted = wanted.iter().map(|item| (item.sku.as_str(), item.quantity));
        each_once(wanted, violations);
    }
}

/// The items of an order: each SKU at most once.
fn each_once<'a>(wanted: impl Iterator<Item = (&'a str, i32)>, violations: &mut Violations) {
    let mut first_of = HashMap::new();
    for (index, (sku, quantity)) in wanted.enumerate() {
        let field = format!("items[{index}].sku");
        violations.text(&field, sku, &SKU);
        if let Some(first) = first_of.insert(sku, index) {
            let message = format!("is the SKU of items[{first}], too; add the quantities up");
            violations.add(&field, message);
        }
        let field = format_args!("items[{index}].quantity");
        violations.number(field, quantity.into(), &QUANTITY);
    }
}

impl Limited for PlaceRequest {
    fn limit(&self, violations: &mut Violations) {
        violations.text("customer", &self.customer, &CUSTOMER);
        items(&self.items, violations);
        violations.text("payment_token", &self.payment_token, &PAYMENT_TOKEN);
        violations.text("idempotency_key", &self.idempotency_key, &IDEMPOTENCY_KEY);
    }
}

fn items(items: &[Item], violations: &mut Violations) {
    let wanted = violations.list("items", items, &ITEMS);
    each_once(wanted.iter().map(|item| (item.sku.as_str(), item.quantity)), violations);
}

impl Limited for GetRequest {
    fn limit(&self, violations: &mut Violations) {
        violations.text("customer", &self.customer, &CUSTOMER);
        violations.text("order_id", &self.order_id, &ORDER_ID);
    }
}

impl Limited for CancelRequest {
    fn limit(&self, violations: &mut Violations) {
        violations.text("customer", &self.customer, &CUSTOMER);
        violations.text("order_id", &self.order_id, &ORDER_ID);
    }
}

impl Limited for ListRequest {
    fn limit(&self, violations: &mut Violations) {
        violations.text("customer", &self.customer, &CUSTOMER);
        violations.number("page_size", self.page_size.into(), &PAGE_SIZE);
        violations.optional("page_token", &self.page_token, &PAGE_TOKEN);
        if Status::try_from(self.status).is_err() {
            violations.add("status", format!("is {}, which is no status", self.status));
        }
    }
}

/// The items of a list that are checked one by one, however long it is.
const MOST_ITEMS: usize = *ITEMS.end() as usize;

/// What every event has.
macro_rules! envelope {
    ($event:ident, $violations:ident) => {
        $violations.text("order_id", &$event.order_id, &ORDER_ID);
        $violations.text("customer", &$event.customer, &CUSTOMER);
        $violations.number("occurred_at_us", $event.occurred_at_us, &TIME_US);
    };
}

impl Limited for InventoryEvent {
    fn limit(&self, violations: &mut Violations) {
        envelope!(self, violations);
    }
}

impl Limited for ShipmentEvent {
    fn limit(&self, violations: &mut Violations) {
        envelope!(self, violations);
    }
}

impl Limited for PaymentEvent {
    fn limit(&self, violations: &mut Violations) {
        use payment_event::Event::{Authorized, Declined, Failed, Refunded};
        envelope!(self, violations);
        match &self.event {
            Some(
                Authorized(PaymentAuthorized { charge_id })
                | Refunded(PaymentRefunded { charge_id }),
            ) => violations.text("charge_id", charge_id, &CHARGE_ID),
            Some(Declined(PaymentDeclined { reason })) => {
                violations.text("reason", reason, &DECLINE_REASON);
            }
            Some(Failed(_)) | None => {}
        }
    }
}

impl Limited for OrderEvent {
    fn limit(&self, violations: &mut Violations) {
        use order_event::Event::Placed;
        envelope!(self, violations);
        violations.number("revision", self.revision.into(), &REVISION);
        if let Some(Placed(OrderPlaced { total, payment_token, items: placed })) = &self.event {
            money("placed.total", total.as_ref(), violations);
            violations.text("placed.payment_token", payment_token, &PAYMENT_TOKEN);
            items(placed, violations);
            for (index, item) in placed.iter().enumerate().take(MOST_ITEMS) {
                let field = format_args!("items[{index}].unit_price");
                money(field, item.unit_price.as_ref(), violations);
            }
        }
    }
}

impl Limited for Money {
    fn limit(&self, violations: &mut Violations) {
        money("amount", Some(self), violations);
    }
}

fn money(field: impl Display, money: Option<&Money>, violations: &mut Violations) {
    let Some(Money { currency, amount_minor }) = money else {
        return violations.add(field, "is missing; expected an amount of money");
    };
    violations.text(format_args!("{field}.currency"), currency, &CURRENCY);
    violations.number(format_args!("{field}.amount_minor"), *amount_minor, &AMOUNT_MINOR);
}

impl Limited for LiveUpdate {
    fn limit(&self, violations: &mut Violations) {
        envelope!(self, violations);
        violations.text("event_type", &self.event_type, &EVENT_TYPE);
        if let Some(StatusChange { revision, .. }) = &self.change {
            violations.number("change.revision", (*revision).into(), &REVISION);
        }
    }
}
