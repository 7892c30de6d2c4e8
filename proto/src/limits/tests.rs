use proptest::{
    strategy::{Strategy, ValueTree},
    string::string_regex,
    test_runner::TestRunner,
};

use super::*;
use crate::{
    Message,
    catalog::v1::{GetProductsRequest, ListProductsRequest},
    inventory::v1::{self as inventory, ReserveRequest},
    notifications::v1::LiveUpdate,
    orders::v1::{
        CancelRequest, GetRequest, Item, ListRequest, OrderEvent, OrderPlaced, PlaceRequest,
        order_event,
    },
    payments::v1::{PaymentDeclined, PaymentEvent, payment_event},
    types::v1::Money,
};

const ID: &str = "6f0c9d9e-0d58-5e0c-9d54-1f5f0f6f2c11";

fn fields(message: &impl Limited) -> Vec<String> {
    let Err(Violations { found, .. }) = check(message) else { return Vec::new() };
    found.into_iter().map(|violation| violation.field).collect()
}

fn item(sku: &str, quantity: i32) -> Item {
    Item { sku: sku.into(), quantity, unit_price: None }
}

fn place() -> PlaceRequest {
    PlaceRequest {
        customer: "ada".into(),
        items: vec![item("teapot", 1), item("cup", 100)],
        payment_token: "tok_ok".into(),
        idempotency_key: "click-7".into(),
    }
}

#[test]
fn texts_outside_their_length_limits_are_refused() {
    for (limit, longest) in [
        (CUSTOMER, "x".repeat(64)),
        (SKU, "x".repeat(64)),
        (IDEMPOTENCY_KEY, "~".repeat(128)),
        (PAYMENT_TOKEN, format!("tok_{}", "x".repeat(64))),
        (ORDER_ID, ID.to_owned()),
        (CHARGE_ID, "x".repeat(64)),
        (DECLINE_REASON, "x".repeat(64)),
        (CURRENCY, "EUR".to_owned()),
        (PAGE_TOKEN, "x".repeat(512)),
        (QUERY, "ü".repeat(200)),
        (EVENT_TYPE, "x".repeat(128)),
    ] {
        assert_eq!(limit.complaint(&longest), None, "{}", limit.expected);
        let extended = format!("{longest}x");
        for bad in ["", "\0", "a\0b", "a\nb", &extended, &"x".repeat(1_000_003)] {
            let complaint = limit.complaint(bad).unwrap_or_else(|| panic!("{bad:.9} is allowed"));
            assert!(complaint.ends_with(limit.expected) && complaint.len() < 200, "{complaint}");
        }
    }
}

/// Generated clients check the pattern, services call the function.
#[test]
fn a_text_of_the_pattern_has_the_right_form() {
    let mut runner = TestRunner::deterministic();
    for limit in [
        CUSTOMER,
        SKU,
        IDEMPOTENCY_KEY,
        PAYMENT_TOKEN,
        ORDER_ID,
        CHARGE_ID,
        DECLINE_REASON,
        CURRENCY,
        PAGE_TOKEN,
        QUERY,
        EVENT_TYPE,
    ] {
        let texts = string_regex(limit.pattern.trim_start_matches('^').trim_end_matches('$'));
        let texts = texts.unwrap_or_else(|error| panic!("{}: {error}", limit.pattern));
        for _ in 0..256 {
            let text = texts.new_tree(&mut runner).unwrap().current();
            assert!((limit.fits)(&text), "{text:?} matches {}", limit.pattern);
        }
    }
}

#[test]
fn a_customer_is_one_token_of_a_subject() {
    for bad in ["a.b", "*", ">", "a b", "a\tb", "ädä", "a\0b", "a/b"] {
        assert!(!CUSTOMER.allows(bad), "{bad:?}");
    }
}

#[test]
fn an_order_id_is_a_canonical_uuid() {
    for bad in [
        "o-1",
        "6F0C9D9E-0D58-5E0C-9D54-1F5F0F6F2C11",
        "{6f0c9d9e-0d58-5e0c-9d54-1f5f0f6f2c1}",
        "6f0c9d9e0d585e0c9d541f5f0f6f2c11----",
        "6f0c9d9e-0d58-5e0c-9d54-1f5f0f6f2cé",
    ] {
        assert!(!ORDER_ID.allows(bad), "{bad:?}");
    }
}

#[test]
fn an_order_within_the_limits_has_no_violation() {
    assert_eq!(check(&place()), Ok(()));
}

#[test]
fn all_violations_of_an_order_are_found_at_once() {
    let request = PlaceRequest {
        customer: String::new(),
        items: vec![item("teapot", 0), item("Tea pot", -1), item("teapot", 101)],
        payment_token: "x".repeat(1_000_003),
        idempotency_key: "a\0b".into(),
    };
    assert_eq!(
        fields(&request),
        [
            "customer",
            "items[0].quantity",
            "items[1].sku",
            "items[1].quantity",
            "items[2].sku",
            "items[2].quantity",
            "payment_token",
            "idempotency_key"
        ]
    );
}

#[test]
fn a_violation_names_the_limit_and_not_the_token() {
    let request = PlaceRequest { payment_token: "4111111111111111".into(), ..place() };
    let text = check(&request).unwrap_err().to_string();
    assert_eq!(text, "payment_token is malformed; expected tok_ and 1 to 64 of a-z, 0-9 and _");
}

#[test]
fn violations_are_bounded_however_long_the_list_is() {
    let request = PlaceRequest { items: vec![item("", 0); 10_000], ..place() };
    let Violations { found, .. } = check(&request).unwrap_err();
    assert_eq!(found.len(), MOST);
    assert_eq!(found[0].message, "has 10000 entries; expected 1 to 50");
    let request = GetProductsRequest { skus: vec!["teapot".into(); 10_000] };
    assert_eq!(fields(&request), ["skus"]);
}

#[test]
fn a_reservation_has_the_limits_of_an_order() {
    let item = |sku: &str, quantity| inventory::Item { sku: sku.into(), quantity };
    let request = ReserveRequest {
        order_id: "o-1".into(),
        customer: "a.b".into(),
        items: vec![item("mug", i32::MIN), item("mug", 1)],
    };
    assert_eq!(fields(&request), ["order_id", "customer", "items[0].quantity", "items[1].sku"]);
}

#[test]
fn queries_have_limits() {
    let request =
        ListRequest { customer: "*".into(), page_size: -1, page_token: "\0".into(), status: 99 };
    assert_eq!(fields(&request), ["customer", "page_size", "page_token", "status"]);
    let request = ListProductsRequest { page_size: 101, query: "\0".into(), ..Default::default() };
    assert_eq!(fields(&request), ["page_size", "query"]);
    assert_eq!(fields(&GetRequest::default()), ["customer", "order_id"]);
    assert_eq!(fields(&CancelRequest::default()), ["customer", "order_id"]);
    assert_eq!(fields(&ListProductsRequest::default()), [""; 0]);
}

fn placed(minor: i64) -> OrderEvent {
    let money = Some(Money { currency: "EUR".into(), amount_minor: minor });
    let placed = OrderPlaced {
        total: money.clone(),
        payment_token: "tok_ok".into(),
        items: vec![Item { unit_price: money, ..item("teapot", 1) }],
    };
    OrderEvent {
        order_id: ID.into(),
        customer: "ada".into(),
        occurred_at_us: 1,
        revision: 1,
        event: Some(order_event::Event::Placed(placed)),
    }
}

#[test]
fn an_event_over_the_limits_is_refused() {
    assert_eq!(fields(&placed(1999)), [""; 0]);
    assert_eq!(fields(&placed(-1))[0], "placed.total.amount_minor");
    let event = OrderEvent { occurred_at_us: -1, revision: 0, ..placed(1) };
    assert_eq!(fields(&event), ["occurred_at_us", "revision"]);
    let event = order_event::Event::Placed(OrderPlaced::default());
    let event = OrderEvent { event: Some(event), ..placed(1) };
    assert_eq!(fields(&event), ["placed.total", "placed.payment_token", "items"]);
    let declined = PaymentDeclined { reason: "x".repeat(1 << 20) };
    let event = PaymentEvent {
        order_id: ID.into(),
        customer: "ada".into(),
        occurred_at_us: 1,
        event: Some(payment_event::Event::Declined(declined)),
    };
    assert_eq!(fields(&event), ["reason"]);
}

#[test]
fn an_empty_live_update_breaks_limits() {
    let empty = LiveUpdate::decode(&b""[..]).unwrap();
    assert_eq!(fields(&empty), ["order_id", "customer", "occurred_at_us", "event_type"]);
}
