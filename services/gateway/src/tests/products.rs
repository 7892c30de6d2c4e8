//! Reading products.

use chassis::{Error, Kind};

use super::gateway::TestGateway;

#[tokio::test]
async fn a_page_of_products_has_their_availability() {
    let gateway = TestGateway::new().await;
    let answer = gateway.get("/api/products?limit=2&cursor=Y3Vw&q=tea%20pot").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.body["items"][1]["sku"], "teapot");
    assert_eq!(answer.body["items"][1]["available"], 7);
    assert_eq!(answer.body["items"][0]["available"], 0, "inventory does not know cups");
    assert_eq!(answer.body["items"][1]["price"]["amount_minor"], 1999);
    assert_eq!(answer.body["next_cursor"], "dGVhcG90");
    let searched = gateway.peers.searched.lock();
    let asked =
        (searched[0].page_size, searched[0].page_token.as_str(), searched[0].query.as_str());
    assert_eq!(asked, (2, "Y3Vw", "tea pot"));
}

#[tokio::test]
async fn while_inventory_is_unavailable_products_have_no_availability() {
    let gateway = TestGateway::new().await;
    gateway.peers.fail("get_availability", || Error::new(Kind::Unavailable, "away"));
    let answer = gateway.get("/api/products").await;
    assert_eq!((answer.status.as_u16(), &answer.body["items"][1]["available"]), (200, &().into()));
    gateway.peers.hang("get_availability");
    let answer = gateway.get("/api/products/teapot").await;
    assert_eq!((answer.status.as_u16(), &answer.body["available"]), (200, &().into()));
    assert_eq!(gateway.metric("mesh_gateway_products_without_stock_total"), 3.0);
}

#[tokio::test]
async fn while_catalog_is_unavailable_products_are_refused_with_503() {
    let gateway = TestGateway::new().await;
    gateway.peers.fail("list_products", || Error::new(Kind::Unavailable, "closed for stocktaking"));
    let answer = gateway.get("/api/products").await;
    assert_eq!((answer.status.as_u16(), answer.header("retry-after")), (503, "1"));
    assert_eq!(answer.body["detail"], "catalog: closed for stocktaking");
}

#[tokio::test]
async fn a_request_whose_service_never_answers_ends_with_504() {
    let gateway = TestGateway::new().await;
    gateway.peers.hang("list_products");
    let answer = gateway.get("/api/products").await;
    assert_eq!((answer.status.as_u16(), &answer.body["title"]), (504, &"Deadline exceeded".into()));
}

#[tokio::test]
async fn an_unknown_product_is_answered_with_404_and_its_sku() {
    let answer = TestGateway::new().await.get("/api/products/unicorn").await;
    assert_eq!(answer.status, 404);
    assert_eq!(answer.body["type"], "/problems/unknown-product");
    assert_eq!(answer.body["detail"], r#"no product "unicorn""#);
}

/// The gateway calls no service for a malformed SKU, and no answer repeats it.
#[tokio::test]
async fn a_malformed_sku_is_answered_with_404() {
    let gateway = TestGateway::new().await;
    for bad in ["tea%22pot", "Teapot", "%00", &"a".repeat(7000)] {
        let answer = gateway.get(&format!("/api/products/{bad}")).await;
        assert_eq!(answer.status, 404, "{}", answer.text);
        assert_eq!(answer.body["type"], "/problems/unknown-product");
        assert!(answer.text.len() < 500, "{}", answer.text);
    }
}

#[tokio::test]
async fn all_mistakes_in_a_query_are_reported_at_once() {
    let gateway = TestGateway::new().await;
    let answer =
        gateway.get(&format!("/api/products?limit=101&cursor={0}&q={0}", "x".repeat(513))).await;
    assert_eq!((answer.status.as_u16(), answer.fields()), (422, vec!["limit", "cursor", "q"]));
    for bad in ["limit=0", "limit=-1", "limit=two", "limit=", "limit=1.5", "size=3"] {
        let answer = gateway.get(&format!("/api/products?{bad}")).await;
        assert_eq!(answer.status, 422, "{bad}");
        assert_eq!(answer.fields(), [bad.split('=').next().unwrap()], "{}", answer.text);
    }
    assert_eq!(gateway.get("/api/products?limit=1&limit=2").await.fields(), ["query"]);
    gateway.peers.fail("list_products", || {
        Error::new(Kind::Invalid, "bad request").field("page_token", "was never given out")
    });
    let answer = gateway.get("/api/products?cursor=x").await;
    assert_eq!((answer.status.as_u16(), answer.fields()), (422, vec!["cursor"]));
}

/// The answer quotes only the beginning of the path.
#[tokio::test]
async fn a_sku_of_any_length_and_encoding_is_answered_with_404() {
    let gateway = TestGateway::new().await;
    for sku in [
        "a".repeat(7000),
        "%F0%9F%AB%96".repeat(600),
        "%25".repeat(2000),
        "%22%5C%0A".repeat(800),
        "%E2%80%AE".repeat(60),
        "%00".to_owned(),
        "%FF%FE".to_owned(),
    ] {
        let answer = gateway.get(&format!("/api/products/{sku}")).await;
        assert_eq!(answer.status.as_u16(), 404, "{sku}");
        assert_eq!(answer.body["type"], "/problems/unknown-product", "{sku}");
        assert!(answer.text.len() < 3000, "{} bytes for {sku}", answer.text.len());
    }
}

#[tokio::test]
async fn an_invalid_cursor_is_refused_with_the_field_names_of_the_api() {
    let gateway = TestGateway::new().await;
    gateway.peers.fail("list", || {
        Error::new(Kind::Invalid, "page_token is wrong")
            .field("page_token", "is none of ours; expected next_page_token of the page before")
    });
    let answer = gateway.get("/api/orders?cursor=abc").await;
    assert_eq!((answer.status.as_u16(), answer.fields()), (422, vec!["cursor"]));
    assert!(answer.text.contains("next_cursor") && !answer.text.contains("page_token"));
}
