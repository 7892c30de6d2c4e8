//! What customers request, and what they get.

use futures::future::join_all;
use harness::{Options, Order, Provider, until};
use reqwest::Method;
use serde_json::json;

/// An order of more than the stock is refused; the response names the item and its stock.
pub(crate) async fn an_out_of_stock_answer_names_the_item(options: Options) {
    let mesh = options.start().await;
    let products = mesh.gateway().get("/api/products?limit=100").await;
    let scarce = products.body["items"]
        .as_array()
        .expect("a list")
        .iter()
        .find(|product| product["available"].as_i64() < Some(100));
    let scarce = scarce.expect("something scarce");
    let (sku, available) = (
        scarce["sku"].as_str().unwrap_or_default(),
        scarce["available"].as_i64().unwrap_or_default(),
    );
    let answer = mesh.gateway().order(100, sku, "tok_ok").await;
    assert_eq!(
        (answer.status, answer.text("/type")),
        (409, "/problems/out-of-stock"),
        "{answer:?}"
    );
    assert_eq!(answer.header("content-type"), "application/problem+json");
    assert_eq!(answer.text("/errors/0/field"), "items[0].quantity");
    assert!(
        answer.text("/errors/0/detail").contains(&format!("{sku:?} wanted, {available} available")),
        "{answer:?}"
    );
    assert_eq!(answer.text("/trace_id").len(), 32, "{answer:?}");
    assert!(answer.header("traceresponse").contains(answer.text("/trace_id")));
}

/// A key stands for one order, however often it is sent; a request with the same key and another body is refused.
pub(crate) async fn a_repeated_idempotency_key_returns_the_same_order(options: Options) {
    let mesh = options.start().await;
    let gateway = mesh.gateway();
    let order = async |quantity: u32| {
        let body = json!({ "items": [{ "sku": "teapot", "quantity": quantity }], "payment_token": "tok_ok" }).to_string();
        gateway
            .send(Method::POST, "/api/orders", &[("idempotency-key", "birthday")], Some(&body))
            .await
    };
    let first = order(1).await;
    assert_eq!(first.status, 202);
    let again = order(1).await;
    assert_eq!((again.status, again.text("/id")), (202, first.text("/id")));
    let other = order(2).await;
    assert_eq!(
        (other.status, other.text("/type")),
        (422, "/problems/idempotency-key-reused"),
        "{other:?}"
    );
    let orders = gateway.get("/api/orders?limit=100").await;
    let same = orders.body["items"]
        .as_array()
        .expect("a list")
        .iter()
        .filter(|one| one["id"] == *first.text("/id"));
    assert_eq!(same.count(), 1);
    mesh.audit().await;
}

/// A third party that fails twice is called a third time, and charges once.
pub(crate) async fn a_failing_charge_is_retried_and_charged_once(options: Options) {
    let mesh = options.start().await;
    let order = mesh.gateway().place("tok_flaky").await;
    mesh.gateway().until_status(&order, "completed").await;
    let attempts = until("three attempts", || async {
        let spans = mesh.collector().trace(&order.trace_id);
        let calls = spans.into_iter().filter(|span| {
            span.service == "payments" && span.attributes.contains_key("server.address")
        });
        let calls: Vec<_> = calls.filter(|span| span.attributes.contains_key("url.full")).collect();
        (calls.len() >= 3).then_some(calls)
    });
    assert_eq!(attempts.await.iter().filter(|span| span.error).count(), 2);
    let metrics = mesh.metrics("payments").await;
    let refused = [("http_response_status_code", "503")];
    assert!(metrics.sum("http_client_request_duration_seconds_count", &refused) >= 2.0);
    mesh.audit().await;
}

/// While sixty payments wait for the third party, later ones are paid and completed.
pub(crate) async fn slow_payments_delay_no_other_order(options: Options) {
    let provider = Provider::start().await;
    let options = options
        .set("MESH_PAYMENTS__PROVIDER", &provider.url())
        // Longer than ten orders take, on any machine.
        .set("MESH_PAYMENTS__PROVIDER_TIMEOUT", "60s")
        .set("MESH_PAYMENTS__PROVIDER_ATTEMPTS", "1")
        .set("MESH_PAYMENTS__KAFKA__ATTEMPT_TIMEOUT", "90s");
    let mesh = options.start().await;
    let gateway = mesh.gateway();
    provider.hold_token("tok_slow");
    let slow = join_all((0..60).map(|_| gateway.place("tok_slow"))).await;
    until("the slow charges to be under way", || async {
        (provider.charges() == 60).then_some(())
    })
    .await;
    let quick = join_all((0..10).map(|_| gateway.place("tok_ok"))).await;
    for order in &quick {
        gateway.until_status(order, "completed").await;
    }
    for order in &slow {
        let waits = gateway.get(&format!("/api/orders/{}", order.id)).await;
        assert_eq!(waits.text("/status"), "placed");
    }
    provider.hold(false);
    for order in &slow {
        gateway.until_status(order, "completed").await;
    }
    mesh.audit().await;
}

/// Clients that disconnect while stock is reserved for them leave no stock held without an order: their orders are placed.
pub(crate) async fn disconnected_clients_leave_no_stock_reserved(options: Options) {
    let mesh = options.start().await;
    let gateway = mesh.gateway();
    let (sku, available) = ("samovar", 3);
    let inventory = mesh.pause("inventory").await;
    let clients: Vec<_> = (0..4).map(|_| Box::pin(gateway.order(1, sku, "tok_ok"))).collect();
    let reserving = until("every request to wait for inventory", || async {
        let metrics = mesh.metrics("orders").await;
        (metrics.sum("rpc_client_active_requests", &[]) >= 4.0).then_some(())
    });
    tokio::select! {
        answers = join_all(clients) => panic!("inventory does not run: {answers:?}"),
        () = reserving => {} // dropping the clients closes their connections
    }
    until("their calls to be cancelled", || async {
        let metrics = mesh.metrics("orders").await;
        (metrics.sum("rpc_server_active_requests", &[]) < 1.0).then_some(())
    })
    .await;
    drop(inventory);
    until("three orders, and as many held", || async {
        let orders = gateway.get("/api/orders?limit=100").await;
        let placed = orders.body["items"].as_array().map_or(0, Vec::len);
        let product = gateway.get(&format!("/api/products/{sku}")).await;
        let left = product.body["available"].as_u64()?;
        (placed == available && left == 0).then_some(())
    })
    .await;
    mesh.audit().await;
}

/// Of many simultaneous orders with one key, one is placed; the other requests get the same order, or are refused as a reuse
/// of the key.
pub(crate) async fn concurrent_orders_with_one_key_place_one_order(options: Options) {
    let mesh = options.start().await;
    let gateway = mesh.gateway();
    let place = async |quantity: u32, token: &'static str| {
        let body =
            json!({ "items": [{ "sku": "teapot", "quantity": quantity }], "payment_token": token })
                .to_string();
        let key = [("idempotency-key", "birthday")];
        gateway.send(Method::POST, "/api/orders", &key, Some(&body)).await
    };
    let tokens = ["tok_ok", "tok_flaky"];
    let answers =
        join_all((0..40).map(|index| place(index % 5 + 1, tokens[index as usize % 2]))).await;
    let placed: Vec<_> = answers.iter().filter(|answer| answer.status == 202).collect();
    assert!(!placed.is_empty(), "{answers:?}");
    for answer in &answers {
        match answer.status {
            202 => assert_eq!(answer.text("/id"), placed[0].text("/id")),
            status => assert_eq!(
                (status, answer.text("/type")),
                (422, "/problems/idempotency-key-reused"),
                "{answer:?}"
            ),
        }
    }
    let orders = gateway.get("/api/orders?limit=100").await;
    assert_eq!(orders.body["items"].as_array().map(Vec::len), Some(1));
}

/// Inventory does not answer for longer than `orders` tries to reserve stock. A client that repeats its request with the same
/// key gets 503 or 504 meanwhile, and its order as soon as inventory answers.
pub(crate) async fn an_order_that_is_repeated_through_an_outage_is_placed(options: Options) {
    let mesh = options.start().await;
    let gateway = mesh.gateway();
    let place = async || {
        let body = r#"{"items":[{"sku":"teapot","quantity":1}],"payment_token":"tok_ok"}"#;
        let key = [("idempotency-key", "through-an-outage")];
        gateway.send(Method::POST, "/api/orders", &key, Some(body)).await
    };
    let inventory = mesh.pause("inventory").await;
    until("attempts to reserve to have run out of time", || async {
        let refused = place().await;
        assert!([503, 504].contains(&refused.status), "{refused:?}");
        let late = [
            ("rpc_method", "mesh.inventory.v1.Inventory/Reserve"),
            ("rpc_response_status_code", "DEADLINE_EXCEEDED"),
        ];
        let metrics = mesh.metrics("orders").await;
        (metrics.sum("rpc_client_call_duration_seconds_count", &late) >= 3.0).then_some(())
    })
    .await;
    drop(inventory);
    let placed = until("the order to be placed", || async {
        let answer = place().await;
        assert!([202, 503, 504].contains(&answer.status), "{answer:?}");
        (answer.status == 202).then_some(answer)
    })
    .await;
    let order =
        Order { id: placed.text("/id").to_owned(), trace_id: placed.text("/trace_id").to_owned() };
    gateway.until_status(&order, "completed").await;
    mesh.audit().await;
}
