//! Placing, reading, listing and cancelling orders.

use axum::{
    body::Body,
    http::{Method, Request},
};
use chassis::{Error, Kind};
use proto::orders::v1::Status;
use tokio::time::timeout;

use super::gateway::{ORDER, TIMEOUT, TestGateway, json};

pub(super) const TEAPOTS: &str =
    r#"{"items":[{"sku":"teapot","quantity":2}],"payment_token":"tok_ok"}"#;

#[tokio::test]
async fn an_accepted_order_has_its_status_and_links() {
    let gateway = TestGateway::new().await;
    let answer = gateway.place(TEAPOTS).await;
    assert_eq!(answer.status, 202);
    assert_eq!(answer.header("location"), format!("/api/orders/{ORDER}"));
    assert_eq!(answer.body["id"], ORDER);
    assert_eq!(answer.body["status"], "placed");
    assert_eq!(answer.body["links"]["self"], format!("/api/orders/{ORDER}"));
    assert_eq!(answer.body["links"]["live"], format!("/api/orders/{ORDER}/live"));
    let trace = "http://127.0.0.1:8087/api/traces/4bf92f3577b34da6a3ce929d0e0e4736";
    assert_eq!(answer.body["links"]["trace"], trace);
    assert_eq!(gateway.metric("mesh_gateway_orders_accepted_total"), 1.0);
    let placed = gateway.peers.placed.lock();
    assert_eq!((placed[0].customer.as_str(), placed[0].items[0].quantity), ("guest", 2));
}

#[tokio::test]
async fn the_idempotency_key_of_the_client_or_a_new_one_reaches_orders() {
    let gateway = TestGateway::new().await;
    for _ in 0..2 {
        let request =
            json("/api/orders").header("Idempotency-Key", "click-7").body(TEAPOTS.into()).unwrap();
        assert_eq!(gateway.send(request).await.status, 202);
    }
    gateway.place(TEAPOTS).await;
    gateway.place(TEAPOTS).await;
    let keys: Vec<_> =
        gateway.peers.placed.lock().iter().map(|placed| placed.idempotency_key.clone()).collect();
    assert_eq!(keys[..2], ["click-7", "click-7"]);
    assert!(keys[2].len() == 36 && keys[3].len() == 36 && keys[2] != keys[3], "{keys:?}");
}

#[tokio::test]
async fn a_repeated_order_is_answered_with_its_present_status() {
    let gateway = TestGateway::new().await;
    gateway.peers.step(ORDER, Status::Placed);
    gateway.peers.step(ORDER, Status::Paid);
    let answer = gateway.place(TEAPOTS).await;
    assert_eq!((answer.status.as_u16(), &answer.body["status"]), (202, &"paid".into()));
}

#[tokio::test]
async fn a_call_to_orders_is_retried_with_the_same_key() {
    let gateway = TestGateway::new().await;
    gateway.peers.fail("place", || Error::new(Kind::Unavailable, "restarting"));
    let (answer, ()) = tokio::join!(gateway.place(TEAPOTS), async {
        let twice = async {
            while gateway.peers.placed.lock().len() < 2 {
                tokio::task::yield_now().await;
            }
        };
        timeout(TIMEOUT, twice).await.expect("orders is asked twice");
        gateway.peers.recover("place");
    });
    assert_eq!(answer.status, 202);
    let placed = gateway.peers.placed.lock();
    assert!(
        placed.len() > 2
            && placed.iter().all(|one| one.idempotency_key == placed[0].idempotency_key)
    );
}

#[tokio::test]
async fn all_mistakes_in_an_order_are_reported_at_once() {
    let gateway = TestGateway::new().await;
    let body = r#"{"items":[{"sku":"a","quantity":0},{"quantity":1},{"sku":"a","quantity":1}],"payment_token":"cash"}"#;
    let request =
        json("/api/orders").header("Idempotency-Key", "two words").body(body.into()).unwrap();
    let answer = gateway.send(request).await;
    assert_eq!(answer.status, 422);
    assert_eq!(answer.body["type"], "/problems/invalid-argument");
    let fields =
        ["items[0].quantity", "items[1].sku", "items[2].sku", "payment_token", "Idempotency-Key"];
    assert_eq!(answer.fields(), fields);
    assert_eq!(answer.body["errors"][0]["detail"], "is 0; expected 1 to 100");
    assert_eq!(gateway.metric("mesh_gateway_orders_refused_total{reason=\"invalid\"}"), 1.0);
    assert!(gateway.peers.placed.lock().is_empty());
}

/// Invalid bodies, the status with which each is refused, and the part that the problem names.
const INVALID_BODIES: [(&str, u16, &str); 17] = [
    ("{", 400, ""),
    ("", 400, ""),
    ("{} {}", 400, ""),
    ("[]", 422, "body"),
    ("7", 422, "body"),
    (r#"[[["teapot",1]],"tok_ok"]"#, 422, "body"),
    (r#"{"items":"teapot","payment_token":"tok_ok"}"#, 422, "items"),
    (r#"{"items":[["teapot",1]],"payment_token":"tok_ok"}"#, 422, "items[0]"),
    (r#"{"items":[{"sku":7,"quantity":1}],"payment_token":"tok_ok"}"#, 422, "items[0].sku"),
    (r#"{"items":[{"sku":"a","quantity":"1"}],"payment_token":""}"#, 422, "items[0].quantity"),
    (r#"{"items":[{"sku":"a","quantity":1.5}],"payment_token":""}"#, 422, "items[0].quantity"),
    (r#"{"items":[{"sku":"a","quantity":99999999999999999999}]}"#, 422, "items[0].quantity"),
    (r#"{"items":[{"sku":"a","colour":"red"}],"payment_token":""}"#, 422, "items[0].colour"),
    (r#"{"items":[],"payment_token":"tok_ok","coupon":"x"}"#, 422, "coupon"),
    (r#"{"items":[{"sku":"a","sku":"b"}],"payment_token":"tok_ok"}"#, 422, "items[0]"),
    (r#"{"items":null,"payment_token":null}"#, 422, "items,payment_token"),
    ("{}", 422, "items,payment_token"),
];

#[tokio::test]
async fn an_invalid_body_is_refused_with_the_path_of_its_mistake() {
    let gateway = TestGateway::new().await;
    for (body, status, fields) in INVALID_BODIES {
        let answer = gateway.place(body).await;
        let found = (answer.status.as_u16(), answer.fields().join(","));
        assert_eq!(found, (status, fields.into()), "{body}: {}", answer.text);
    }
}

#[tokio::test]
async fn a_body_that_is_not_json_or_too_large_is_refused() {
    let gateway = TestGateway::new().await;
    let request =
        Request::post("/api/orders").header("content-type", "text/plain").body(TEAPOTS.into());
    assert_eq!(gateway.send(request.unwrap()).await.status, 415);
    let request = Request::post("/api/orders").body(TEAPOTS.into()).unwrap();
    assert_eq!(gateway.send(request).await.status, 415);
    let answer = gateway.place(" ".repeat(64 * 1024 + 1)).await;
    assert_eq!((answer.status.as_u16(), &answer.body["title"]), (413, &"Payload too large".into()));
}

#[tokio::test]
async fn errors_of_orders_become_problems_with_the_field_names_of_the_api() {
    let gateway = TestGateway::new().await;
    gateway.peers.fail("place", || {
        let error =
            Error::new(Kind::Precondition, "there is not enough in stock").reason("OUT_OF_STOCK");
        error.field("lines[0].quantity", "7 of \"teapot\" wanted, 2 available")
    });
    let answer = gateway.place(TEAPOTS).await;
    assert_eq!((answer.status.as_u16(), answer.fields()), (409, vec!["items[0].quantity"]));
    assert_eq!(answer.body["type"], "/problems/out-of-stock");
    assert_eq!(gateway.metric("mesh_gateway_orders_refused_total{reason=\"out_of_stock\"}"), 1.0);

    gateway.peers.fail("place", || {
        Error::new(Kind::Precondition, "used before").reason("IDEMPOTENCY_KEY_REUSED")
    });
    let answer = gateway.place(TEAPOTS).await;
    assert_eq!((answer.status.as_u16(), answer.fields()), (422, vec!["Idempotency-Key"]));
    assert_eq!(
        (&answer.body["type"], &answer.body["status"]),
        (&"/problems/idempotency-key-reused".into(), &422.into())
    );

    gateway.peers.fail("place", || {
        Error::new(Kind::Invalid, "no").field("items[0].sku", "no product \"teapot\"")
    });
    let answer = gateway.place(TEAPOTS).await;
    assert_eq!((answer.status.as_u16(), answer.fields()), (422, vec!["items[0].sku"]));

    gateway.peers.fail("place", || Error::new(Kind::Internal, "no such column"));
    let answer = gateway.place(TEAPOTS).await;
    assert_eq!((answer.status.as_u16(), answer.text.contains("column")), (500, false));
}

#[tokio::test]
async fn an_order_has_its_history_and_reason() {
    let gateway = TestGateway::new().await;
    gateway.peers.step(ORDER, Status::Placed);
    gateway.peers.step(ORDER, Status::Cancelled);
    let answer = gateway.get(&format!("/api/orders/{}", ORDER.to_uppercase())).await;
    assert_eq!(answer.status, 200);
    assert_eq!(
        (&answer.body["status"], &answer.body["reason"]),
        (&"cancelled".into(), &"payment_declined".into())
    );
    assert_eq!(answer.body["history"][1]["at"], "2026-03-14T09:26:53.589793Z");
    assert_eq!(answer.body["items"][0]["unit_price"]["amount_minor"], 1999);
    assert_eq!(answer.body["total"]["currency"], "EUR");
}

#[tokio::test]
async fn an_unknown_order_is_answered_with_404() {
    let gateway = TestGateway::new().await;
    for id in [ORDER, "7", "6f0c9d9e0d585e0c9d541f5f0f6f2c11", "%FF", "teapot%20"] {
        for (method, end) in [(Method::GET, ""), (Method::GET, "/live"), (Method::POST, "/cancel")]
        {
            let request = Request::builder().method(method).uri(format!("/api/orders/{id}{end}"));
            let answer = gateway.send(request.body(Body::empty()).unwrap()).await;
            assert_eq!(
                (answer.status.as_u16(), &answer.body["type"]),
                (404, &"/problems/unknown-order".into()),
                "{id}{end}"
            );
        }
    }
}

#[tokio::test]
async fn orders_are_listed_by_page_and_status() {
    let gateway = TestGateway::new().await;
    gateway.peers.step(ORDER, Status::Placed);
    let answer = gateway.get("/api/orders?limit=5&cursor=abc&status=placed").await;
    assert_eq!((answer.status.as_u16(), &answer.body["next_cursor"]), (200, &().into()));
    assert_eq!(answer.body["items"][0]["id"], ORDER);
    let listed = gateway.peers.listed.lock()[0].clone();
    assert_eq!(
        (listed.page_size, listed.page_token.as_str(), listed.status()),
        (5, "abc", Status::Placed)
    );
    let answer = gateway.get("/api/orders?limit=x&status=lost").await;
    assert_eq!((answer.status.as_u16(), answer.fields()), (422, vec!["limit", "status"]));
}

#[tokio::test]
async fn cancelling_succeeds_until_orders_refuses_it() {
    let gateway = TestGateway::new().await;
    gateway.peers.step(ORDER, Status::Placed);
    let cancel =
        || Request::post(format!("/api/orders/{ORDER}/cancel")).body(Body::empty()).unwrap();
    let answer = gateway.send(cancel()).await;
    assert_eq!((answer.status.as_u16(), &answer.body["status"]), (200, &"cancelled".into()));
    gateway.peers.fail("cancel", || {
        Error::new(Kind::Precondition, "it is dispatched").reason("NOT_CANCELLABLE")
    });
    let answer = gateway.send(cancel()).await;
    assert_eq!(
        (answer.status.as_u16(), &answer.body["type"]),
        (409, &"/problems/not-cancellable".into())
    );
}
