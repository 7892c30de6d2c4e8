use super::*;

fn new_item(sku: &str, quantity: i64) -> NewItem {
    NewItem { sku: Some(sku.into()), quantity: Some(quantity) }
}

fn order(items: Vec<NewItem>) -> PlaceOrder {
    PlaceOrder {
        items: Some(items.into_iter().map(Object).collect()),
        payment_token: Some("tok_ok".into()),
    }
}

fn checked(order: PlaceOrder, key: &str) -> Result<PlaceRequest, Error> {
    place(&"ada".try_into().unwrap(), order, key.into())
}

fn fields(order: PlaceOrder, key: &str) -> Vec<String> {
    let error = checked(order, key).unwrap_err();
    assert_eq!(error.kind(), Kind::Invalid);
    error.fields().iter().map(|field| field.name.clone()).collect()
}

#[test]
fn a_valid_order_becomes_a_request() {
    let order = order(vec![new_item("teapot", 1), new_item("cup", 100)]);
    let request = checked(order, "click-7").unwrap();
    let cup = orders::Item { sku: "cup".into(), quantity: 100, unit_price: None };
    assert_eq!(request.items[1], cup);
    assert_eq!((&*request.customer, &*request.idempotency_key), ("ada", "click-7"));
}

#[test]
fn all_mistakes_of_an_order_are_reported_at_once() {
    let items = vec![
        new_item("teapot", 0),
        new_item("cup", 101),
        NewItem::default(),
        new_item("teapot", i64::MAX),
    ];
    let order = PlaceOrder { payment_token: None, ..order(items) };
    assert_eq!(
        fields(order, "a b"),
        [
            "items[0].quantity",
            "items[1].quantity",
            "items[2].sku",
            "items[2].quantity",
            "items[3].sku",
            "items[3].quantity",
            "payment_token",
            "idempotency_key"
        ]
    );
    let invalid = || (0..50).map(|_| NewItem::default()).collect();
    assert!(fields(tests::order(invalid()), "a").len() >= 100);
}

#[test]
fn an_order_has_1_to_50_items() {
    assert_eq!(fields(order(Vec::new()), "a"), ["items"]);
    let many = |count| (0..count).map(|index| new_item(&format!("sku-{index}"), 1)).collect();
    assert_eq!(checked(order(many(50)), "a").unwrap().items.len(), 50);
    assert_eq!(fields(order(many(51)), "a"), ["items"]);
}

#[test]
fn a_malformed_payment_token_is_refused_and_not_repeated() {
    let with = |token: &str| PlaceOrder {
        payment_token: Some(token.into()),
        ..order(vec![new_item("a", 1)])
    };
    for good in ["tok_ok", "tok_1", &format!("tok_{}", "a".repeat(64))] {
        assert!(checked(with(good), "a").is_ok(), "{good}");
    }
    for bad in [
        "",
        "tok_",
        "ok",
        "tok_OK",
        "tok_ok ",
        "4111111111111111",
        &format!("tok_{}", "a".repeat(65)),
    ] {
        let error = checked(with(bad), "a").unwrap_err();
        assert_eq!(error.fields()[0].name, "payment_token", "{bad}");
        assert!(bad.len() < 10 || !error.fields()[0].message.contains(bad));
    }
}

#[test]
fn an_idempotency_key_is_visible_ascii() {
    let order = || order(vec![new_item("a", 1)]);
    assert!(checked(order(), &"~".repeat(128)).is_ok());
    for bad in ["", "a b", "clé", &"x".repeat(129), "a, a"] {
        assert_eq!(fields(order(), bad), ["idempotency_key"], "{bad:?}");
    }
}

#[test]
fn any_time_is_written_as_rfc_3339() {
    assert_eq!(rfc3339(1_773_480_413_589_793), "2026-03-14T09:26:53.589793Z");
    assert_eq!(rfc3339(-1), "1970-01-01T00:00:00.000000Z");
    assert_eq!(rfc3339(i64::MAX), "9999-12-31T23:59:59.000000Z");
}

#[test]
fn every_status_is_converted_to_its_number_and_back() {
    for status in Status::ALL {
        assert_eq!(super::status(orders::Status::from(status).into()), Some(status));
    }
}
